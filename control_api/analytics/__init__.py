"""What the owner of a stream learns of its audience, while it is live and afterwards."""
