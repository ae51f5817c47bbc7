"""Where each setting comes from: command line, environment, files, defaults."""
