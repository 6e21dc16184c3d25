"""RTP packets (RFC 3550, 5.1): reading any, writing ours."""

from __future__ import annotations

import struct
from typing import NamedTuple

from media.error import PeerError
from webrtc.rtp.variant import Variant

HEADER_BYTES = 12
EXTENSION_BYTES = 8
"""Of the extension that we write: profile and length, then abs-send-time with the byte in front of it."""
ONE_BYTE_PROFILE = 0xBEDE
"""Extensions behind one byte each, of number and length (RFC 8285, 4.2)."""

_HEADER = struct.Struct("!BBHII")
_EXTENSION = struct.Struct("!HH")
_SEQUENCE = struct.Struct("!H")

_VERSION_2 = 0x80
_HAS_PADDING = 0x20
_HAS_EXTENSION = 0x10
_MARKER = 0x80
_SEND_TIME_BYTES = 3
_SEND_TIME_AT = HEADER_BYTES + EXTENSION_BYTES - _SEND_TIME_BYTES


class RtpHeader(NamedTuple):
    """What stands around the payload of a packet."""

    is_marked: bool
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    extension_profile: int | None
    """None: there are no header extensions."""
    extension: bytes
    payload_start: int
    payload_end: int
    """Padding is behind it."""


def parse_rtp(packet: bytes) -> RtpHeader:
    """Read a packet's header.

    Raises:
        PeerError: it is no RTP packet.
    """
    if len(packet) < HEADER_BYTES:
        raise PeerError("RTP packet is shorter than its header")
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(packet)
    if first & 0xC0 != _VERSION_2:
        raise PeerError("RTP packet is not of version 2")
    start = HEADER_BYTES + 4 * (first & 0x0F)
    profile, extension = None, b""
    if first & _HAS_EXTENSION:
        if len(packet) < start + _EXTENSION.size:
            raise PeerError("RTP header extension is cut short")
        profile, words = _EXTENSION.unpack_from(packet, start)
        start += _EXTENSION.size
        extension = packet[start : start + 4 * words]
        start += 4 * words
    end = len(packet) - (packet[-1] if first & _HAS_PADDING else 0)
    # Padding counts itself, so that a length of zero cannot be.
    if start > end or (first & _HAS_PADDING and end == len(packet)):
        raise PeerError("RTP header and padding are longer than the packet")
    payload_type = second & 0x7F
    return RtpHeader(
        second >= _MARKER, payload_type, sequence, timestamp, ssrc, profile, extension, start, end
    )


def write_header(
    variant: Variant, sequence: int, timestamp: int, ssrc: int, *, is_marked: bool, sent_at: float
) -> bytes:
    """Write a header; `sequence` and `timestamp` are taken modulo their size."""
    number = variant.abs_send_time_id
    head = _HEADER.pack(
        _VERSION_2 | (_HAS_EXTENSION if number else 0),
        variant.payload_type | (_MARKER if is_marked else 0),
        sequence & 0xFFFF,
        timestamp & 0xFFFFFFFF,
        ssrc,
    )
    if not number:
        return head
    element = bytes([number << 4 | _SEND_TIME_BYTES - 1])
    return b"".join((head, _EXTENSION.pack(ONE_BYTE_PROFILE, 1), element, abs_send_time(sent_at)))


def header_bytes(variant: Variant) -> int:
    """Return how long `write_header` makes it."""
    return HEADER_BYTES + EXTENSION_BYTES if variant.abs_send_time_id else HEADER_BYTES


def abs_send_time(now: float) -> bytes:
    """Write seconds as 6.18 bits of fixed point, modulo 64 s.

    The extension speaks of NTP time, but whoever receives it only ever looks at differences: any steady clock will do.
    """
    return (int(now * (1 << 18)) & 0xFFFFFF).to_bytes(_SEND_TIME_BYTES, "big")


def with_sequence(packet: bytes, sequence: int, variant: Variant, sent_at: float) -> bytes:
    """Return one of our packets with another sequence number, to be sent at another time."""
    changed = bytearray(packet)
    _SEQUENCE.pack_into(changed, 2, sequence & 0xFFFF)
    if variant.abs_send_time_id:
        changed[_SEND_TIME_AT : _SEND_TIME_AT + _SEND_TIME_BYTES] = abs_send_time(sent_at)
    return bytes(changed)


def rtx_packet(packet: bytes, payload_type: int, ssrc: int, sequence: int) -> bytes:
    """Wrap a packet for its retransmission (RFC 4588, 4): the sequence number that it had stands before its payload.

    Raises:
        PeerError: `packet` is none.
    """
    header = parse_rtp(packet)
    marker = _MARKER if header.is_marked else 0
    head = _HEADER.pack(
        packet[0] & ~_HAS_PADDING, marker | payload_type, sequence & 0xFFFF, header.timestamp, ssrc
    )
    between = packet[HEADER_BYTES : header.payload_start]
    payload = packet[header.payload_start : header.payload_end]
    return b"".join((head, between, _SEQUENCE.pack(header.sequence), payload))
