"""One stream of a publisher: which packets belong to it, their order, and how it arrives."""

from __future__ import annotations

from aiortc.rtp import RtcpReceiverInfo

from webrtc.rtp.packet import RtpHeader
from webrtc.sdp.description import MediaSection

from .jitter import JitterBuffer
from .packet import Hole, MediaPacket
from .reception import Reception

SILENT_S = 2.0
"""A source that says nothing for so long may be replaced by another with the same payload type."""

_ORIGINAL_BYTES = 2
"""The sequence number that a retransmission has before its payload (RFC 4588, 4)."""


class IncomingStream:
    """Takes the packets of one section of the offer.

    Args:
        section: it.
        clock_rate: of its timestamps, in Hz.
    """

    def __init__(self, section: MediaSection, clock_rate: int) -> None:
        codec = section.codec
        self.payload_type = codec.payload_type if codec is not None else None
        self.rtx_payload_type = codec.rtx_payload_type if codec is not None else None
        feedback: frozenset[str] = codec.feedback if codec is not None else frozenset()
        self._clock_rate = clock_rate
        self._is_repaired = "nack" in feedback
        self.takes_pli = "nack pli" in feedback
        self.takes_remb = "goog-remb" in feedback
        self.ssrc = section.ssrc
        """Number of the source; None until it has sent, where the offer does not say."""
        self._heard_at: float | None = None
        self.jitter = JitterBuffer(is_repaired=self._is_repaired)
        self.reception = Reception(clock_rate)
        self.strangers = 0
        """Packets of other sources, which simulcast or a fault sends."""

    @property
    def has_begun(self) -> bool:
        """Whether anything has come."""
        return self._heard_at is not None

    def receive(self, header: RtpHeader, payload: bytes, now: float) -> bool:
        """Take a packet with this stream's payload type; tell whether it was one of this source."""
        if header.ssrc != self.ssrc and not self._adopt(header.ssrc, now):
            self.strangers += 1
            return False
        self._heard_at = now
        sequence = self.jitter.insert(
            header.sequence, header.timestamp, payload, now, is_marked=header.is_marked, is_repeated=False
        )
        if sequence is not None:
            self.reception.note_packet(sequence, header.timestamp, now)
        return True

    def receive_repeated(self, header: RtpHeader, payload: bytes, now: float) -> None:
        """Take a packet with the payload type of retransmissions; one of padding alone only probes the network."""
        if len(payload) <= _ORIGINAL_BYTES or not self.has_begun:
            return
        number = int.from_bytes(payload[:_ORIGINAL_BYTES], "big")
        self.jitter.insert(
            number,
            header.timestamp,
            payload[_ORIGINAL_BYTES:],
            now,
            is_marked=header.is_marked,
            is_repeated=True,
        )

    def pop(self, now: float) -> MediaPacket | Hole | None:
        """Take out what is next in order."""
        return self.jitter.pop(now)

    def report(self, now: float) -> RtcpReceiverInfo | None:
        """Make a report block on what came since the last one; None when nothing ever came."""
        return None if self.ssrc is None else self.reception.report(self.ssrc, now)

    def _adopt(self, ssrc: int, now: float) -> bool:
        """Follow a new source, unless the one that is known still sends."""
        if self._heard_at is not None and now - self._heard_at < SILENT_S:
            return False
        if self._heard_at is not None:
            self.jitter.restart()
            self.reception = Reception(self._clock_rate)
        self.ssrc = ssrc
        return True
