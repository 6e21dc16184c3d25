"""Access tokens: who somebody is."""
