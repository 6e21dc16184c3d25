"""Who watches, for how long, and what a streamer is told of it."""
