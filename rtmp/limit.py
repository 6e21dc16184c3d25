"""Bounds of time and number for RTMP peers, with their reasons."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RtmpLimits:
    """How long and how many; all times in seconds."""

    handshake_timeout_s: float = 10.0
    """From the accepted connection to C2; even a satellite link needs under two seconds."""
    publish_timeout_s: float = 20.0
    """From C2, or the end of the last publication, to `publish`: a port scanner should not keep a socket."""
    first_media_timeout_s: float = 20.0
    """From `publish` to the first frame; hardware encoders take several seconds to start."""
    idle_timeout_s: float = 10.0
    """Without any frame: the publisher is gone without a FIN, and its key has to be free for its return."""
    max_bitrate_bps: float = 200e6
    """Twice what is recommended for 8K; a sender above it is a fault or an attack, and fills every queue behind."""
    bitrate_window_s: float = 10.0
    """How long `max_bitrate_bps` may be exceeded twofold; encoders send in bursts what they could not send before."""
    max_pause_s: float = 2.0
    """How long the socket is left alone while the publication is full. Beyond it encoders drop frames or
    disconnect, and viewers fall behind for good; so then media is dropped here, up to the next keyframe."""
    drain_s: float = 3.0
    """How long a server that shuts down waits for encoders that it asked to connect anew: the usual two seconds to
    their next keyframe and the new connection, well within the ten seconds that service managers grant."""
    max_connections_per_address: int = 500
    """A studio behind one address, a relay, a load test; a single attacker gets no further."""
    max_connections: int = 4000
    """Sockets of this port altogether; well below the usual limit of open files of a service."""
    linger_s: float = 2.0
    """How long a refused peer may take to read the reason before the socket is closed on it."""
