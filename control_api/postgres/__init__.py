"""What the control plane keeps, in PostgreSQL."""
