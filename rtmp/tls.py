"""TLS below RTMP, server side, sans-IO: bytes of the socket in, bytes of the peer out, and back.

asyncio's own TLS hides the handshake from whoever counts connections and explains refusals, and cannot
close one direction first, which is how a refused encoder gets to read why.
"""

from __future__ import annotations

import contextlib
import ssl

from media.error import PeerError
from rtmp.handshake import VERSION

RECORD_BYTES = 16 << 10
"""The most that one record holds (RFC 8446, 5.1)."""

_TLS_HANDSHAKE = 0x16
_DISTRUST = ("UNKNOWN_CA", "BAD_CERTIFICATE", "CERTIFICATE_UNKNOWN", "CERTIFICATE_EXPIRED")


class TlsTunnel:
    """One connection's TLS.

    What it keeps is bounded: everything that is complete is handed on at once, and a record has 16 KiB at most.

    Args:
        context: with the certificate; a later change of it does not touch this connection.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self.is_open = False
        """Whether the handshake is done."""
        self.is_ended = False
        """Whether the peer said that nothing more comes."""
        self._has_begun = False
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def receive_data(self, data: bytes) -> bytes:
        """Take bytes of the socket; return what the peer wrote in them.

        Raises:
            PeerError: it is no TLS, or fails.
        """
        if data and not self._has_begun:
            self._has_begun = True
            _check_begin(data[0])
        self._incoming.write(data)
        try:
            if not self.is_open:
                self._object.do_handshake()
                self.is_open = True
            return self._read()
        except ssl.SSLWantReadError:
            return b""
        except ssl.SSLError as problem:
            raise PeerError(_words(problem)) from problem

    def send(self, data: bytes) -> None:
        """Write to the peer, once the tunnel is open.

        Raises:
            PeerError: TLS has failed.
        """
        try:
            self._object.write(data)
        except ssl.SSLError as problem:
            raise PeerError(_words(problem)) from problem

    def end(self) -> None:
        """Say that nothing more comes."""
        if self.is_open:
            with contextlib.suppress(ssl.SSLError):  # it wants the peer's goodbye, which nobody waits for
                self._object.unwrap()

    def data_to_send(self) -> bytes:
        """Return what has to go to the socket now."""
        return self._outgoing.read()

    def _read(self) -> bytes:
        parts = []
        with contextlib.suppress(ssl.SSLWantReadError):
            while part := self._object.read(RECORD_BYTES):
                parts.append(part)
            self.is_ended = True
        return b"".join(parts)


def _check_begin(first: int) -> None:
    if first == _TLS_HANDSHAKE:
        return
    if first == VERSION:
        raise PeerError("plain RTMP on the RTMPS port: use rtmps:// instead of rtmp:// in the server address")
    if ord("A") <= first <= ord("Z"):
        raise PeerError("HTTP request on the RTMPS port: web pages are on the HTTP port")
    raise PeerError(f"not a TLS handshake: it starts with byte 0x{first:02x} instead of 0x16")


def _words(problem: ssl.SSLError) -> str:
    reason = problem.reason or str(problem)
    if reason.endswith(_DISTRUST):
        return f"the encoder does not trust this server's certificate ({reason})"
    return f"TLS failed: {reason.lower().replace('_', ' ')}"
