from __future__ import annotations

import pytest
from aiortc.rtp import RtpPacket, unwrap_rtx
from aiortc.rtp import wrap_rtx as aiortc_wrap_rtx
from hypothesis import given
from hypothesis import strategies as st

from media.error import PeerError
from tests.webrtc.rtp.receiver import PLAIN, VARIANT
from webrtc.rtp.packet import abs_send_time, header_bytes, parse_rtp, rtx_packet, with_sequence, write_header
from webrtc.rtp.variant import Variant

PACKET = bytes.fromhex("80e0 fffe 00000384 deadbeef") + b"payload"
EXTENDED = bytes.fromhex("90 66 0001 ffffffff 01020304 bede0001 32028000") + b"payload"

CUTS = [
    ("nothing", b"", "shorter than its header"),
    ("eleven bytes", PACKET[:11], "shorter than its header"),
    ("version 1", b"\x40" + PACKET[1:], "not of version 2"),
    ("sources that are not there", b"\x8f" + PACKET[1:], "longer than the packet"),
    ("extension without length", EXTENDED[:14], "cut short"),
    ("extension past the end", EXTENDED[:14] + b"\xff\xff" + EXTENDED[16:], "longer than the packet"),
    ("padding of nothing", b"\xa0" + PACKET[1:] + b"\0", "longer than the packet"),
    ("padding longer than the packet", b"\xa0" + PACKET[1:] + b"\x09", "longer than the packet"),
]


def test_a_header_is_read() -> None:
    header = parse_rtp(PACKET)
    assert (header.is_marked, header.payload_type, header.sequence) == (True, 96, 0xFFFE)
    assert (header.timestamp, header.ssrc) == (900, 0xDEADBEEF)
    assert header.extension_profile is None
    assert PACKET[header.payload_start : header.payload_end] == b"payload"


def test_extension_sources_and_padding_are_stepped_over() -> None:
    packet = (
        bytes.fromhex("b2 66 0001 ffffffff 01020304 0000000a 0000000b 1000 0001 cafe0000") + b"payload\0\0\3"
    )
    header = parse_rtp(packet)
    assert (header.is_marked, header.payload_type) == (False, 102)
    assert (header.extension_profile, header.extension) == (0x1000, b"\xca\xfe\0\0")
    assert packet[header.payload_start : header.payload_end] == b"payload"


@pytest.mark.parametrize(("packet", "reason"), [case[1:] for case in CUTS], ids=[case[0] for case in CUTS])
def test_no_rtp_packet(packet: bytes, reason: str) -> None:
    with pytest.raises(PeerError, match=reason):
        parse_rtp(packet)


@given(st.binary(max_size=80), st.sampled_from([b"", b"\x80", b"\x90", b"\xb0", b"\xa3"]))
def test_any_bytes(data: bytes, start: bytes) -> None:
    packet = start + data
    try:
        header = parse_rtp(packet)
    except PeerError:
        return
    assert 12 <= header.payload_start <= header.payload_end <= len(packet)


@pytest.mark.parametrize("variant", [PLAIN, VARIANT], ids=["plain", "send time"])
def test_a_header_is_written_as_others_write_it(variant: Variant) -> None:
    packet = write_header(variant, 0x1FFFF, 1 << 32 | 7, 0xDEADBEEF, is_marked=True, sent_at=64.5) + b"abc"
    parsed = RtpPacket.parse(packet)
    assert (parsed.marker, parsed.payload_type, parsed.sequence_number) == (1, variant.payload_type, 0xFFFF)
    assert (parsed.timestamp, parsed.ssrc, parsed.payload) == (7, 0xDEADBEEF, b"abc")
    assert len(packet) == header_bytes(variant) + 3


@pytest.mark.parametrize(
    ("now", "wire"),
    [(0.0, "000000"), (1.0, "040000"), (63.999999, "ffffff"), (64.0, "000000"), (1e6 + 0.5, "020000")],
)
def test_abs_send_time(now: float, wire: str) -> None:
    assert abs_send_time(now).hex() == wire


def test_a_packet_is_numbered_and_stamped_anew() -> None:
    changed = with_sequence(EXTENDED, 0x1ABCD, VARIANT, 1.0)
    assert changed.hex(
        " "
    ) == "90 66 ab cd ff ff ff ff 01 02 03 04 be de 00 01 32 04 00 00 " + b"payload".hex(" ")
    plain = with_sequence(PACKET, 5, PLAIN, 1.0)
    assert plain == PACKET[:2] + b"\0\5" + PACKET[4:]


@pytest.mark.parametrize("packet", [PACKET, EXTENDED], ids=["plain", "extended"])
def test_rtx_is_as_others_make_it(packet: bytes) -> None:
    wrapped = rtx_packet(packet, 97, 0xCAFE, 0x10007)
    original = RtpPacket.parse(packet)
    expected = aiortc_wrap_rtx(original, payload_type=97, sequence_number=7, ssrc=0xCAFE)
    assert RtpPacket.parse(wrapped).payload == expected.payload
    parsed = parse_rtp(wrapped)
    assert (parsed.payload_type, parsed.sequence, parsed.ssrc) == (97, 7, 0xCAFE)
    assert (parsed.is_marked, parsed.timestamp) == (bool(original.marker), original.timestamp)
    back = unwrap_rtx(RtpPacket.parse(wrapped), original.payload_type, original.ssrc)
    assert (back.sequence_number, back.payload) == (original.sequence_number, original.payload)
    assert parsed.extension == parse_rtp(packet).extension


def test_rtx_leaves_padding_out() -> None:
    padded = b"\xa0" + PACKET[1:] + b"\0\2"
    assert rtx_packet(padded, 97, 0xCAFE, 7) == rtx_packet(PACKET, 97, 0xCAFE, 7)
