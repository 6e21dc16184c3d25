"""The same with real SRTP: what changes of rung, refusals and repetitions do to numbers must not break it."""

from __future__ import annotations

import struct
from random import Random
from typing import Any

import pytest
from aiortc import rtp
from pylibsrtp import Policy, Session

from webrtc.channel.viewer import CodecChoice
from webrtc.port import VideoFrame
from webrtc.rtp.packet import parse_rtp
from webrtc.rtp.python_fanout import SOL_UDP, UDP_SEGMENT, PythonFanOut
from webrtc.transport.srtp import PROFILES, Srtp

from .stage import VIDEO, FakeRoute, FakeRung, Receiver, Stage, rung

RTCP_TYPES = range(200, 207)


class Wire:
    """A socket whose other end decrypts."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.sessions: dict[tuple[Any, ...], Session] = {}
        self.refuses: Random | None = None

    def fileno(self) -> int:
        return -1

    def sendmsg(self, buffers: Any, ancillary: Any, flags: int, address: Any, /) -> int:
        if self.refuses is not None and self.refuses.random() < 0.1:
            raise BlockingIOError
        data = b"".join(bytes(buffer) for buffer in buffers)
        sizes = [
            struct.unpack("=H", value)[0] for *kind, value in ancillary if kind == [SOL_UDP, UDP_SEGMENT]
        ]
        size = sizes[0] if sizes else len(data)
        for start in range(0, len(data), size):
            self._receive(data[start : start + size], address)
        return len(data)

    def _receive(self, packet: bytes, address: tuple[Any, ...]) -> None:
        session = self.sessions[address]
        receiver = self.stage.receivers[address[0]]
        if packet[1] in RTCP_TYPES:
            receiver.rtcp.append(session.unprotect_rtcp(packet))
        else:
            receiver.receive(session.unprotect(packet))


class ProtectedStage(Stage):
    """A stage whose packets go through the fan-out and libsrtp."""

    def __init__(self, *rungs: FakeRung, profile: int) -> None:
        super().__init__(*rungs)
        self.wire = Wire(self)
        self._profile = PROFILES[profile]
        channel = self.channel.__class__("a-stream", PythonFanOut(self.wire), now=0.0, random=Random(1))  # noqa: S311
        self.channel = channel
        channel.declare([item.rung for item in rungs], 0.0)

    def connect(self, name: str) -> Receiver:
        key = bytes(range(self._profile.master_bytes))
        policy = Policy(key=key, ssrc_type=Policy.SSRC_ANY_INBOUND, srtp_profile=self._profile.policy)
        policy.window_size = 1024
        # A receiver takes nothing twice; this one does, in order to see that it is the same.
        route = FakeRoute((name, 1))
        self.wire.sessions[route.address] = ForgivingSession(policy)  # type: ignore[assignment]
        receiver = self.receivers[name] = Receiver(self)
        self.channel.connect(self.names[name], Srtp(self._profile, key, key), route, self.now)
        self.listen()
        return receiver


class ForgivingSession:
    """Decrypts packets that were sent twice."""

    def __init__(self, policy: Policy) -> None:
        self._session = Session(policy)
        self._seen: dict[bytes, bytes] = {}

    def unprotect(self, packet: bytes) -> bytes:
        if packet not in self._seen:
            self._seen[packet] = self._session.unprotect(packet)
        return self._seen[packet]

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        return self._session.unprotect_rtcp(packet)


@pytest.mark.parametrize("profile", [0, 2], ids=["AES-GCM", "AES-CM"])
def test_packets_can_be_decrypted_whatever_happened(profile: int) -> None:
    stage = ProtectedStage(
        FakeRung(
            rung("source", 5_000_000, can_force=False), 0, gop=30, size_bytes=12_000, keyframe_bytes=90_000
        ),
        FakeRung(rung("720p", 2_500_000), 1, lag_s=0.12, gop=30, size_bytes=8_000),
        profile=profile,
    )
    stage.run(0.5)
    for name, video in (("ann", VIDEO), ("ben", CodecChoice(96))):
        stage.join(name, video)
    for number in range(12):
        stage.wire.refuses = Random(number) if number % 2 else None  # noqa: S311
        for name, receiver in stage.receivers.items():
            stage.choose(name, ("source", "720p")[number % 2])
            stage.run(0.7)
            lost = receiver.arrivals[-30][1]
            stage.tell(name, rtp.RtcpRtpfbPacket(1, 1, stage.channel.ssrcs.video, [lost]))
    stage.wire.refuses = None
    stage.run(3.0)
    for name, receiver in stage.receivers.items():
        assert len(stage.changes(name)) > 4
        pictures = receiver.check(is_whole=False)
        assert pictures[-1].number >= 300 + int((stage.now - 0.15) * 30)
        assert receiver.rtcp
    assert stage.receivers["ann"].rtx


def test_numbers_wrap_under_protection() -> None:
    stage = ProtectedStage(FakeRung(rung("720p", 9_000_000), 1, size_bytes=1), profile=0)
    receiver = stage.join("ann")
    stage.run(0.5)
    nal = b"\x41" + bytes(900)
    data = (len(nal).to_bytes(4, "big") + nal) * 40
    pts = stage.rungs["720p"].next_number * 3000
    for number in range(1800):
        receiver.packets.clear()  # numbers come again after a wrap
        stage.channel.receive_video("720p", VideoFrame(pts + number, is_keyframe=False, data=data), stage.now)
    numbers = {parse_rtp(packet).sequence for _, _, packet in receiver.arrivals}
    assert len(numbers) == 1 << 16
