"""RTCP as browsers send it, and as nobody should."""

from __future__ import annotations

from contextlib import suppress

import pytest
from aiortc import rtp
from hypothesis import given
from hypothesis import strategies as st

from media.error import PeerError
from webrtc.channel.feedback import MAX_LOST, Bandwidth, Feedback, Lost, PictureLost, Report, parse_feedback
from webrtc.channel.report import SentStream, write_bye, write_report

BLOCK = rtp.RtcpReceiverInfo(7, 128, 1000, 70_000, 5, 0x12345678, 65536 * 3 // 2)
CASES: list[tuple[str, bytes, list[Feedback]]] = [
    ("RR", bytes(rtp.RtcpRrPacket(1, [BLOCK])), [Report(7, 70_000, 1000, 0x12345678, 1.5)]),
    ("RR about nothing", bytes(rtp.RtcpRrPacket(1)), []),
    ("NACK", bytes(rtp.RtcpRtpfbPacket(1, 1, 7, [5, 6, 21, 400])), [Lost(7, (5, 6, 21, 400))]),
    ("NACK that wraps", bytes.fromhex("81cd0003 00000001 00000007 ffff0001"), [Lost(7, (0xFFFF, 0))]),
    ("PLI", bytes(rtp.RtcpPsfbPacket(1, 1, 7)), [PictureLost(7)]),
    ("FIR", bytes.fromhex("84ce0004 00000001 00000000 00000007 01000000"), [PictureLost(7)]),
    ("REMB", bytes(rtp.RtcpPsfbPacket(15, 1, 0, rtp.pack_remb_fci(2_500_000, [7]))), [Bandwidth(2_500_000)]),
    ("AFB of another kind", bytes(rtp.RtcpPsfbPacket(15, 1, 0, b"WHAT1234")), []),
    ("transport-wide feedback", bytes.fromhex("8fcd0005 00000001 00000007 00010001 00000000 20010000"), []),
    ("XR", bytes.fromhex("80cf0004 00000001 04000002 00000000 00000000"), []),
    ("compound", bytes(rtp.RtcpRrPacket(1)) + bytes(rtp.RtcpPsfbPacket(1, 1, 7)), [PictureLost(7)]),
    ("BYE", bytes(rtp.RtcpByePacket([7])), []),
]


@pytest.mark.parametrize(("data", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_feedback(data: bytes, expected: list[Feedback]) -> None:
    assert parse_feedback(data) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"\x80",
        bytes.fromhex("81c90001 00000001"),
        bytes.fromhex("80c9ffff"),
        bytes.fromhex("00c90001 00000001"),
    ],
    ids=["short", "RR without its block", "longer than it is", "version 0"],
)
def test_malformed(data: bytes) -> None:
    with pytest.raises(PeerError):
        parse_feedback(data)


def test_lost_packets_are_bounded() -> None:
    data = rtp.pack_rtcp_packet(205, 1, bytes(8) + bytes.fromhex("0001ffff") * 340)
    [lost] = parse_feedback(data)
    assert isinstance(lost, Lost)
    assert len(lost.sequences) == MAX_LOST


@given(st.binary(max_size=300))
def test_anything_is_feedback_or_a_peers_error(data: bytes) -> None:
    for head in (b"", bytes([0x81, 201]), bytes([0x81, 205]), bytes([0x8F, 206])):
        with suppress(PeerError):
            parse_feedback(head + data)


def test_reports_are_read_by_others() -> None:
    streams = [SentStream(5, 1 << 33 | 77, 10, 2000), SentStream(6, 88, 20, 4000)]
    video, audio, names = rtp.RtcpPacket.parse(write_report(streams, "name", 1 << 63))
    assert video == rtp.RtcpSrPacket(5, rtp.RtcpSenderInfo(1 << 63, 77, 10, 2000))
    assert audio == rtp.RtcpSrPacket(6, rtp.RtcpSenderInfo(1 << 63, 88, 20, 4000))
    assert names == rtp.RtcpSdesPacket([rtp.RtcpSourceInfo(ssrc, [(1, b"name")]) for ssrc in (5, 6)])


def test_names_end_with_a_zero_and_fill_words() -> None:
    for cname in ("", "a", "ab", "abc", "abcd"):
        data = write_report([SentStream(5, 1, 1, 1)], cname, 0)[28:]
        assert len(data) == 4 * (int.from_bytes(data[2:4], "big") + 1)
        item = bytes([1, len(cname)]) + cname.encode() + b"\0"
        assert data[8:] == item + bytes(-len(item) % 4)


def test_end_is_read_by_others() -> None:
    report, names, bye = rtp.RtcpPacket.parse(write_bye([5, 6], "name"))
    assert report == rtp.RtcpRrPacket(5)
    assert isinstance(names, rtp.RtcpSdesPacket)
    assert bye == rtp.RtcpByePacket([5, 6])
