"""Ways to a target that no platform provides."""
