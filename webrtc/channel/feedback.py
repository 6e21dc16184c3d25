"""What viewers say of what they get: RTCP (RFC 3550, 4585, 5104, draft-alvestrand-rmcat-remb), taken apart."""

from __future__ import annotations

import struct
from typing import NamedTuple

from aiortc import rtp

from media.error import PeerError

MAX_LOST = 1024
"""Sequence numbers of one datagram that are looked at: what Chromium remembers as missing is at most 1,000."""


class Report(NamedTuple):
    """How a stream arrives (RFC 3550, 6.4.1)."""

    ssrc: int
    highest: int
    """Sequence number, with the count of its wraps above the lower 16 bits."""
    lost: int
    """Packets since the start; less than nothing where more came twice than were lost."""
    last_report: int
    """The middle of the NTP timestamp of the last sender report that arrived; 0 when none did."""
    delay_s: float
    """Since that arrived."""


class Lost(NamedTuple):
    """Packets that did not arrive (generic NACK, RFC 4585, 6.2.1)."""

    ssrc: int
    sequences: tuple[int, ...]


class PictureLost(NamedTuple):
    """Only a keyframe helps (PLI, RFC 4585, 6.3.1; FIR, RFC 5104, 4.3.1)."""

    ssrc: int


class Bandwidth(NamedTuple):
    """What the receiver thinks that the path carries (REMB)."""

    bitrate_bps: int


Feedback = Report | Lost | PictureLost | Bandwidth


def parse_feedback(data: bytes) -> list[Feedback]:
    """Parse a decrypted compound packet; what is not understood is left out.

    Raises:
        PeerError: it is malformed.
    """
    try:
        packets = rtp.RtcpPacket.parse(data)
        return [item for packet in packets for item in _parse_packet(packet)]
    except (ValueError, IndexError, struct.error) as error:
        raise PeerError(f"malformed RTCP: {error}") from error


def _parse_packet(packet: rtp.AnyRtcpPacket) -> list[Feedback]:
    if isinstance(packet, rtp.RtcpRrPacket | rtp.RtcpSrPacket):
        return [
            Report(report.ssrc, report.highest_sequence, report.packets_lost, report.lsr, report.dlsr / 65536)
            for report in packet.reports
        ]
    if isinstance(packet, rtp.RtcpRtpfbPacket):
        if packet.fmt != rtp.RTCP_RTPFB_NACK:
            return []
        return [Lost(packet.media_ssrc, tuple(number & 0xFFFF for number in packet.lost[:MAX_LOST]))]
    if isinstance(packet, rtp.RtcpPsfbPacket):
        return _parse_payload_feedback(packet)
    return []


def _parse_payload_feedback(packet: rtp.RtcpPsfbPacket) -> list[Feedback]:
    if packet.fmt == rtp.RTCP_PSFB_PLI:
        return [PictureLost(packet.media_ssrc)]
    if packet.fmt == rtp.RTCP_PSFB_FIR:
        # The streams that are meant stand behind the head, eight bytes each.
        entries = range(0, len(packet.fci) - 7, 8)
        return [PictureLost(int.from_bytes(packet.fci[at : at + 4], "big")) for at in entries]
    if packet.fmt == rtp.RTCP_PSFB_APP and packet.fci[:4] == b"REMB":
        bitrate_bps, _ = rtp.unpack_remb_fci(packet.fci)
        return [Bandwidth(bitrate_bps)]
    return []
