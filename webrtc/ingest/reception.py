"""How one stream arrives, as receiver reports say it (RFC 3550, 6.4.1)."""

from __future__ import annotations

from aiortc.rtp import RtcpReceiverInfo, clamp_packets_lost

_MASK = 0xFFFFFFFF


class Reception:
    """Counts packets as they come over the network; what was repeated in a stream of its own is not among them.

    Args:
        clock_rate: of the timestamps, in Hz.
    """

    def __init__(self, clock_rate: int) -> None:
        self._clock_rate = clock_rate
        self._first: int | None = None
        self._highest = 0
        self._received = 0
        self._expected_before = 0
        self._received_before = 0
        self._transit: int | None = None
        self._jitter = 0.0
        self._report_middle = 0
        self._reported_at = 0.0

    def note_packet(self, sequence: int, timestamp: int, now: float) -> None:
        """Take a packet; `sequence` does not wrap, `timestamp` has 32 bits."""
        if self._first is None or sequence > self._highest + 0x8000:
            # The first one, or a sender that began anew.
            self._first = self._highest = sequence
            self._received = self._expected_before = self._received_before = 0
        self._received += 1
        self._highest = max(self._highest, sequence)
        transit = int(now * self._clock_rate) - timestamp
        if self._transit is not None:
            # Modulo 2^32, as a signed number.
            distance = abs(((transit - self._transit + (1 << 31)) & _MASK) - (1 << 31))
            self._jitter += (distance - self._jitter) / 16
        self._transit = transit

    def note_report(self, ntp: int, now: float) -> None:
        """Take the wall clock time of a sender report, 32.32 bits."""
        self._report_middle = (ntp >> 16) & _MASK
        self._reported_at = now

    def report(self, ssrc: int, now: float) -> RtcpReceiverInfo | None:
        """Make the report block on what came since the last one; None before the first packet."""
        if self._first is None:
            return None
        expected = self._highest - self._first + 1
        since, came = expected - self._expected_before, self._received - self._received_before
        self._expected_before, self._received_before = expected, self._received
        lost = max(0, since - came)
        delay = int((now - self._reported_at) * 65536) if self._report_middle else 0
        return RtcpReceiverInfo(
            ssrc=ssrc,
            fraction_lost=min(255, (lost << 8) // since) if since > 0 else 0,
            packets_lost=clamp_packets_lost(expected - self._received),
            highest_sequence=self._highest & _MASK,
            jitter=min(int(self._jitter), _MASK),
            lsr=self._report_middle,
            dlsr=max(0, min(delay, _MASK)),
        )
