"""What happens, to everybody who watches, at once: the bus between nodes and the WebSockets of streams."""
