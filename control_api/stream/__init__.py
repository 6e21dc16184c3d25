"""Streams: their life, who may publish to them, what is known of them."""
