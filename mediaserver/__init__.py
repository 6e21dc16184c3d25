"""Command line, configuration, logging, and the composition of the rooms into one server."""
