"""What viewers are told of what they were sent: sender reports (RFC 3550, 6.4.1), names, and the end."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from aiortc import rtp

SECONDS_1900_TO_1970 = 2_208_988_800
_CNAME = 1
_MIDDLE = 0xFFFFFFFF
_REPORT = struct.Struct("!BBHLQLLL")


class SentStream(NamedTuple):
    """One stream as far as it was sent to one viewer."""

    ssrc: int
    timestamp: int
    """RTP timestamp at the moment of the report; taken modulo 2^32."""
    packets: int
    octets: int
    """Of payload."""


class ReportClock:
    """Draws one line through time: which `pts` is now, for video and audio alike.

    Receivers bring sound and picture together by the pairs of wall clock and RTP timestamp in the reports. As both
    kinds' pairs are on the same line, it does not matter how late anything is, nor whether the line is true: it
    starts with what is newest when the first report goes out, and stays.
    """

    def __init__(self) -> None:
        self._pts_at_zero: float | None = None

    def start(self, pts: int, now: float) -> None:
        """Draw the line, if it is not drawn, through `pts` (90 kHz) and `now`."""
        if self._pts_at_zero is None:
            self._pts_at_zero = pts - now * 90_000

    def pts_at(self, now: float) -> float:
        """Return what is now, in ticks of 90 kHz; 0 before the start."""
        return now * 90_000 + self._pts_at_zero if self._pts_at_zero is not None else 0.0


def to_ntp(now: float) -> int:
    """Return `now` as an NTP timestamp of 64 bits; elapsed time will do (RFC 3550, 6.4.1)."""
    return int((now + SECONDS_1900_TO_1970) * 4_294_967_296) & 0xFFFFFFFFFFFFFFFF


def middle(ntp: int) -> int:
    """Return the part of an NTP timestamp that receivers repeat."""
    return (ntp >> 16) & _MIDDLE


def write_report(streams: Sequence[SentStream], cname: str, ntp: int) -> bytes:
    """Write a compound packet: a sender report for each stream, and whose they are."""
    reports = b"".join(
        _REPORT.pack(
            0x80, rtp.RTCP_SR, 6, stream.ssrc, ntp,
            stream.timestamp & _MIDDLE, stream.packets & _MIDDLE, stream.octets & _MIDDLE,
        )
        for stream in streams
    )  # fmt: skip
    return reports + _write_names([stream.ssrc for stream in streams], cname)


def write_bye(ssrcs: Sequence[int], cname: str) -> bytes:
    """Write a compound packet that says that these streams are over; it begins with a report, as it must."""
    report = rtp.RtcpRrPacket(ssrc=ssrcs[0])
    return bytes(report) + _write_names(ssrcs, cname) + bytes(rtp.RtcpByePacket(sources=list(ssrcs)))


def _write_names(ssrcs: Sequence[int], cname: str) -> bytes:
    name = cname.encode()
    chunks = b""
    for ssrc in ssrcs:
        chunk = struct.pack("!LBB", ssrc, _CNAME, len(name)) + name
        # At least one zero ends the items, up to a multiple of four bytes for each source (6.5): aiortc's own
        # writing is right for one source only.
        chunks += chunk + bytes(4 - len(chunk) % 4)
    return rtp.pack_rtcp_packet(rtp.RTCP_SDES, len(ssrcs), chunks)


class RoundTrip:
    """Measures how long it is to a viewer and back: his reports say when he got which of ours."""

    def __init__(self) -> None:
        self.rtt_s: float | None = None
        """Smoothed as TCP does (RFC 6298); None before the first measurement."""
        self._sent: dict[int, float] = {}

    def note_sent(self, ntp: int, now: float) -> None:
        """Remember when a report went out; the last few are enough."""
        self._sent[middle(ntp)] = now
        if len(self._sent) > 8:
            del self._sent[next(iter(self._sent))]

    def note_received(self, last_report: int, delay_s: float, now: float) -> float | None:
        """Take what a viewer repeats; return what it says of the way, None where it says nothing."""
        sent_at = self._sent.get(last_report)
        if sent_at is None or not 0 <= (rtt_s := now - sent_at - delay_s) <= 10:
            return None
        self.rtt_s = rtt_s if self.rtt_s is None else 0.875 * self.rtt_s + 0.125 * rtt_s
        return rtt_s
