"""A broadcast: one source, one timeline, its renditions, and how long it outlives a lost encoder."""
