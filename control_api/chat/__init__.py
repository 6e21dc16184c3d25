"""Comments and reactions."""
