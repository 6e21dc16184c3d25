"""The server's side of DTLS 1.2 for one peer, sans-IO, over OpenSSL's memory buffers.

OpenSSL keeps its own time, which nobody can set, so the flight that waits for an answer is repeated here. It goes out
with new sequence numbers, since a receiver drops records that it had before (RFC 6347, 4.1.2.6) although it may have
dropped their content. Records before encryption carry no signature over their number: all of them are numbered here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from OpenSSL import SSL

from media.error import PeerError
from webrtc.transport import record
from webrtc.transport.certificate import Certificate, digest
from webrtc.transport.srtp import PROFILES, Srtp

FIRST_REPETITION_S = 0.25
LAST_REPETITION_S = 2.0
"""The flight is repeated after the first of these, then after twice that, up to the last. RFC 6347 has 1 s and 60 s
for the whole internet; a viewer waits for its picture, and the peer's own timer runs as fast."""
_EXPORTER = b"EXTRACTOR-dtls_srtp"
_READ_BYTES = 1 << 16


class DtlsServer:
    """Answers a DTLS client.

    Args:
        certificate: what this side shows.
    """

    __slots__ = (
        "_connection",
        "_flight",
        "_is_begun",
        "_output",
        "_repeat_at",
        "_sequence",
        "_wait_s",
        "is_closed",
        "is_done",
    )

    def __init__(self, certificate: Certificate) -> None:
        self.is_done = False
        """Whether the handshake is complete."""
        self.is_closed = False
        """Whether the peer has said that it leaves."""
        self._connection = SSL.Connection(certificate.context)
        self._connection.set_accept_state()
        self._connection.set_ciphertext_mtu(record.MAX_DATAGRAM_BYTES)
        self._output: list[bytes] = []
        self._flight: Sequence[bytes] = ()
        self._repeat_at: float | None = None
        self._wait_s = FIRST_REPETITION_S
        self._sequence = 0
        self._is_begun = False

    def receive_datagram(self, data: bytes, now: float) -> bool:
        """Take a datagram.

        Returns:
            Whether it could be DTLS of this moment; what is not has no effect.

        Raises:
            PeerError: the handshake failed, or the peer broke the connection off.
        """
        if not record.is_record(data) or not (self._is_begun or record.is_client_hello(data)):
            return False
        self._is_begun = True
        try:
            self._connection.bio_write(data)
            self._advance()
        except SSL.ZeroReturnError:
            self.is_closed = True
        except SSL.Error as problem:
            # Once there are keys, nothing that OpenSSL finds fault with harms the media, but for a fatal alert.
            if self.is_done and not self._connection.get_shutdown() & SSL.RECEIVED_SHUTDOWN:
                return False
            raise PeerError(f"DTLS: {_reason(problem)}") from problem
        finally:
            self._collect(now)
        return True

    def take_datagrams(self) -> list[bytes]:
        """Return what has to go to the peer now."""
        datagrams, self._output = self._output, []
        return datagrams

    def get_timer(self) -> float | None:
        """Return when `handle_timer` is due."""
        return self._repeat_at

    def handle_timer(self, now: float) -> None:
        """Repeat the flight that was not answered."""
        if self._repeat_at is not None and now >= self._repeat_at:
            self._send(self._flight)
            self._wait_s = min(2 * self._wait_s, LAST_REPETITION_S)
            self._repeat_at = now + self._wait_s

    def digest(self, algorithm: str) -> str | None:
        """Hash the certificate that the peer has shown; None before that, or when the algorithm is not known."""
        certificate = self._connection.get_peer_certificate()
        return None if certificate is None else digest(certificate, algorithm)

    def make_srtp(self) -> Srtp:
        """Make the two directions of SRTP, once the handshake is done.

        Raises:
            PeerError: no kind of protection was agreed on.
        """
        name = self._connection.get_selected_srtp_profile()
        profile = next((item for item in PROFILES if item.name == name), None)
        if profile is None:
            raise PeerError("DTLS: no SRTP profile in common")
        material = self._connection.export_keying_material(_EXPORTER, 2 * profile.master_bytes)
        client, server = profile.split(material)
        return Srtp(profile, tx_key=server, rx_key=client)

    def close(self) -> None:
        """Tell the peer that this side leaves."""
        with contextlib.suppress(SSL.Error):  # it cannot be told during the handshake
            self._connection.shutdown()
        self._send(self._read_records())
        self._repeat_at = None

    def _advance(self) -> None:
        """Let OpenSSL do all that it can with what has come."""
        with contextlib.suppress(SSL.WantReadError):
            if not self.is_done:
                self._connection.do_handshake()
                self.is_done = True
            while True:
                # Data channels are not negotiated: what comes here is dropped.
                self._connection.recv(_READ_BYTES)

    def _collect(self, now: float) -> None:
        """Take what OpenSSL has written, and get ready to repeat it where it waits for an answer."""
        if records := self._read_records():
            self._send(records)
            self._flight = records
            self._repeat_at = now + self._wait_s
        if self.is_done:
            # The client repeats its last flight when it has not seen ours, and OpenSSL answers that itself.
            self._flight, self._repeat_at = (), None

    def _read_records(self) -> list[bytes]:
        try:
            return record.split_records(self._connection.bio_read(_READ_BYTES))
        except SSL.Error:  # there is nothing
            return []

    def _send(self, records: Sequence[bytes]) -> None:
        numbered = []
        for item in records:
            if record.is_clear(item):
                numbered.append(record.with_sequence(item, self._sequence))
                self._sequence += 1
            else:
                numbered.append(item)
        self._output += record.pack_datagrams(numbered)


def _reason(problem: SSL.Error) -> str:
    """Say in OpenSSL's words what went wrong."""
    entries = problem.args[0] if problem.args else ()
    return str(entries[-1][-1]) if isinstance(entries, list) and entries else type(problem).__name__
