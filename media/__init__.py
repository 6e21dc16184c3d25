"""The shared vocabulary of the house: packets, tracks, renditions, time and codec facts.

Standard library only, no asyncio, no sockets, no clock. Every room may import `media`; `media` imports no room.
"""
