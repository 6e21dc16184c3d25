"""H.264 access units as payloads of RTP packets (RFC 6184, packetization mode 1)."""

from __future__ import annotations

from media.h264 import nal_type, split_length_prefixed

MAX_PAYLOAD = 1160
"""With header, extension, SRTP and what a retransmission adds 1,198 bytes, and with UDP and IPv6 around it 1,246: that
gets through every path which QUIC gets through (RFC 9000, 14), most tunnels too."""

STAP_A = 24
FU_A = 28
_FU_BYTES = 2
_LENGTH_BYTES = 2
_START, _END = 0x80, 0x40
_REFERENCE = 0x60
"""nal_ref_idc: how much others depend on it."""

_DROPPED = frozenset({0, 6, 9, 10, 11, 12, *range(STAP_A, 32)})
"""SEI, delimiters, ends of sequence and stream, filler: no decoder needs them. The others are none of H.264's, and
would be read as packets of several."""


def packetise_h264(access_unit: bytes, max_payload: int = MAX_PAYLOAD) -> list[bytes]:
    """Turn an access unit of NAL units behind lengths of four bytes into payloads of at most `max_payload` bytes.

    What is too long is cut into pieces of one size, only the last of which may be shorter: the kernel sends such a run
    in one call. Neighbours that fit into a packet together share one.

    Raises:
        PeerError: a length reaches past the end, or there are too many.
    """
    payloads: list[bytes] = []
    small: list[bytes] = []
    small_bytes = 1
    for nal in split_length_prefixed(access_unit):
        if nal_type(nal) in _DROPPED:
            continue
        if small and small_bytes + _LENGTH_BYTES + len(nal) > max_payload:
            payloads.append(_join(small))
            small, small_bytes = [], 1
        if len(nal) > max_payload:
            payloads += _cut(nal, max_payload)
        else:
            small.append(nal)
            small_bytes += _LENGTH_BYTES + len(nal)
    if small:
        payloads.append(_join(small))
    return payloads


def _join(nals: list[bytes]) -> bytes:
    """Make one payload of NAL units that fit into it (5.6, 5.7.1)."""
    if len(nals) == 1:
        return nals[0]
    importance = max(nal[0] & _REFERENCE for nal in nals)
    # The bit says that one of them is broken, where one says so.
    is_forbidden = max(nal[0] & 0x80 for nal in nals)
    parts = [bytes([is_forbidden | importance | STAP_A])]
    for nal in nals:
        parts += (len(nal).to_bytes(_LENGTH_BYTES, "big"), nal)
    return b"".join(parts)


def _cut(nal: bytes, max_payload: int) -> list[bytes]:
    """Make fragments of a NAL unit (5.8): its first byte is in the two bytes in front of each."""
    size = len(nal) - 1
    count = -(-size // (max_payload - _FU_BYTES))
    piece = -(-size // count)
    indicator, kind = nal[0] & 0xE0 | FU_A, nal_type(nal)
    heads = [bytes((indicator, kind))] * count
    heads[0] = bytes((indicator, _START | kind))
    heads[-1] = bytes((indicator, _END | kind))
    return [
        head + nal[start : start + piece]
        for head, start in zip(heads, range(1, len(nal), piece), strict=True)
    ]
