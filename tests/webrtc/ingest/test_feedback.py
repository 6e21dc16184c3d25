from __future__ import annotations

import contextlib

import pytest
from aiortc import rtp
from hypothesis import given
from hypothesis import strategies as st

from media.error import PeerError
from webrtc.ingest.feedback import (
    SenderReport,
    parse_reports,
    write_bandwidth,
    write_keyframe_request,
    write_missing,
    write_report,
)

MISSING = [
    ("one", [5], [5]),
    ("run", [5, 6, 7], [5, 6, 7]),
    ("just-in-reach", [5, 21], [5, 21]),
    ("out-of-reach", [5, 22], [5, 22]),
    ("wrap", [65_534, 65_535, 0, 3], [65_534, 65_535, 65_536, 65_539]),
    ("many", list(range(0, 200, 7)), list(range(0, 200, 7))),
]


@pytest.mark.parametrize(
    ("numbers", "expected"), [case[1:] for case in MISSING], ids=[case[0] for case in MISSING]
)
def test_missing(numbers: list[int], expected: list[int]) -> None:
    (packet,) = rtp.RtcpPacket.parse(write_missing(1, 2, numbers))
    assert packet == rtp.RtcpRtpfbPacket(rtp.RTCP_RTPFB_NACK, 1, 2, expected)


def test_a_compound_packet() -> None:
    block = rtp.RtcpReceiverInfo(2, 10, 3, 70_000, 5, 6, 7)
    data = write_report(1, [block], write_bandwidth(1, [2, 3], 10_000_000), write_keyframe_request(1, 2))
    report, names, bandwidth, keyframe = rtp.RtcpPacket.parse(data)
    assert report == rtp.RtcpRrPacket(1, [block])
    assert names == rtp.RtcpSdesPacket([rtp.RtcpSourceInfo(1, [(1, b"00000001")])])
    assert isinstance(bandwidth, rtp.RtcpPsfbPacket)
    bound_bps, ssrcs = rtp.unpack_remb_fci(bandwidth.fci)
    assert bound_bps == pytest.approx(10_000_000, rel=1e-4)
    assert ssrcs == [2, 3]
    assert keyframe == rtp.RtcpPsfbPacket(rtp.RTCP_PSFB_PLI, 1, 2)


def test_sender_reports_are_found() -> None:
    info = rtp.RtcpSenderInfo(0x1122_3344_5566_7788, 9000, 1, 2)
    data = bytes(rtp.RtcpSrPacket(5, info)) + bytes(rtp.RtcpByePacket([5]))
    assert parse_reports(data) == [SenderReport(5, 9000, 0x1122_3344_5566_7788)]


@given(
    st.one_of(
        st.binary(max_size=80),
        st.builds(
            lambda kind, body: b"\x81" + bytes([kind]) + b"\0\7" + body,
            st.integers(200, 207),
            st.binary(min_size=28, max_size=28),
        ),
    )
)
def test_garbage(data: bytes) -> None:
    with contextlib.suppress(PeerError):
        assert all(report.ntp >= 0 for report in parse_reports(data))
