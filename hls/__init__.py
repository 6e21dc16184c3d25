"""HLS with low latency: fMP4 packaging on one timeline, live window, playlists and their delivery.

Everything but `delivery` (waits) and `http` (serves) is pure: no event loop, no socket, no clock.
"""
