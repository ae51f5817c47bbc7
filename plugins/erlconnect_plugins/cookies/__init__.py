"""Cookie sources of the user's own machine."""
