"""One verb per file, called by the command line and the Python API alike. This is where clocks are read."""
