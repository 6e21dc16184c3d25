"""What a WHIP publisher sends: packets put in order, access units put together. Pure."""
