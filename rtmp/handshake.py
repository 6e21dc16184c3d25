"""The RTMP handshake, server side (RTMP 1.0, 5.2).

The plain form: S2 echoes C1. All clients that are known take it, also those that sign C1 with a digest. C2 is
awaited but not verified, since Streamlabs and Elemental send something else.
"""

from __future__ import annotations

import os

from media.error import PeerError

VERSION = 3
PACKET_BYTES = 1536
"""C1, C2, S1 and S2."""

_TLS_HANDSHAKE = 0x16
_ENCRYPTED_VERSIONS = frozenset({6, 8, 9})

HTTP_ANSWER = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
    b"This port speaks RTMP, not HTTP. Point a streaming encoder at it, and a browser at the HTTP port.\n"
)


class ServerHandshake:
    """Consumes C0, C1 and C2; produces S0, S1 and S2 as soon as C1 is there."""

    def __init__(self, random_bytes: bytes = b"") -> None:
        self._s1 = bytes(8) + (random_bytes or os.urandom(PACKET_BYTES - 8))
        self._received = bytearray()
        self._has_answered = False
        self._output = b""

    def receive_data(self, data: bytes) -> bytes | None:
        """Take bytes of the peer.

        Returns:
            What followed the handshake once it is complete, None before.

        Raises:
            PeerError: the peer does not speak RTMP.
        """
        self._received += data
        if self._received:
            self._check_version(self._received[0])
        if not self._has_answered and len(self._received) > PACKET_BYTES:
            self._has_answered = True
            self._output += bytes([VERSION]) + self._s1 + self._received[1 : 1 + PACKET_BYTES]
        rest = 1 + 2 * PACKET_BYTES
        return bytes(self._received[rest:]) if len(self._received) >= rest else None

    def data_to_send(self) -> bytes:
        """Return what has to go to the peer now."""
        data, self._output = self._output, b""
        return data

    def _check_version(self, version: int) -> None:
        if version == VERSION:
            return
        if version == _TLS_HANDSHAKE:
            raise PeerError(
                "TLS on the plain RTMP port: use rtmp:// instead of rtmps:// in the server address"
            )
        if ord("A") <= version <= ord("Z"):
            self._output = HTTP_ANSWER
            raise PeerError("HTTP request on the RTMP port: web pages are on the HTTP port")
        if version in _ENCRYPTED_VERSIONS:
            raise PeerError(f"RTMPE (version {version}) is not supported: use rtmp:// in the server address")
        raise PeerError(f"not an RTMP handshake: it starts with byte 0x{version:02x} instead of 0x03")
