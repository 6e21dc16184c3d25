"""RTCP between a publisher and us: its sender reports, and what it is told (RFC 3550, 4585, REMB)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from aiortc import rtp

from media.error import PeerError

_CNAME = 1
_ITEM = struct.Struct("!HH")
_MASK_BITS = 16


class SenderReport(NamedTuple):
    """Which moment of the sender's wall clock a timestamp stands for."""

    ssrc: int
    timestamp: int
    """Of RTP, 32 bits."""
    ntp: int
    """32.32 bits; 0 where the sender has no wall clock."""


def parse_reports(data: bytes) -> list[SenderReport]:
    """Find the sender reports in a decrypted compound packet.

    Raises:
        PeerError: it is malformed.
    """
    try:
        packets = rtp.RtcpPacket.parse(data)
    except (ValueError, IndexError, struct.error) as error:
        raise PeerError(f"malformed RTCP: {error}") from error
    return [
        SenderReport(packet.ssrc, packet.sender_info.rtp_timestamp, packet.sender_info.ntp_timestamp)
        for packet in packets
        if isinstance(packet, rtp.RtcpSrPacket)
    ]


def write_report(ssrc: int, blocks: Sequence[rtp.RtcpReceiverInfo], *items: bytes) -> bytes:
    """Write a compound packet: a receiver report, a name, and other items (6.1)."""
    name = rtp.RtcpSourceInfo(ssrc, [(_CNAME, f"{ssrc:08x}".encode())])
    return b"".join((bytes(rtp.RtcpRrPacket(ssrc, list(blocks))), bytes(rtp.RtcpSdesPacket([name])), *items))


def write_bandwidth(ssrc: int, media_ssrcs: Sequence[int], bound_bps: int) -> bytes:
    """Write how much these sources may send together (REMB)."""
    fci = rtp.pack_remb_fci(bound_bps, list(media_ssrcs))
    return bytes(rtp.RtcpPsfbPacket(rtp.RTCP_PSFB_APP, ssrc, 0, fci))


def write_keyframe_request(ssrc: int, media_ssrc: int) -> bytes:
    """Write that a picture was lost (PLI; RFC 4585, 6.3.1)."""
    return bytes(rtp.RtcpPsfbPacket(rtp.RTCP_PSFB_PLI, ssrc, media_ssrc))


def write_missing(ssrc: int, media_ssrc: int, numbers: Sequence[int]) -> bytes:
    """Write which packets to send again (generic NACK; RFC 4585, 6.2.1).

    aiortc's own writing fails where sequence numbers wrap.

    Args:
        ssrc: ours.
        media_ssrc: of the source.
        numbers: sequence numbers of 16 bits in their order, at least one.
    """
    items: list[tuple[int, int]] = []
    for number in numbers:
        first, mask = items[-1] if items else (number, 0)
        step = (number - first - 1) & 0xFFFF
        if items and step < _MASK_BITS:
            items[-1] = first, mask | 1 << step
        else:
            items.append((number, 0))
    body = struct.pack("!II", ssrc, media_ssrc) + b"".join(_ITEM.pack(*item) for item in items)
    return rtp.pack_rtcp_packet(rtp.RTCP_RTPFB, rtp.RTCP_RTPFB_NACK, body)
