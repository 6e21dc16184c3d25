"""A sender, a receiver, and a network between them that loses packets; time goes by in steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from aiortc import rtp

from media.packet import Packet
from webrtc.ingest.receiver import Receiver
from webrtc.sdp.description import PeerDescription

from .sender import OFFER, OUR_SSRC, VIDEO_SSRC, Picture, Sender, decode, take

DELAY_S = 0.02


class Asked(NamedTuple):
    """What a compound packet asks for."""

    reports: list[rtp.RtcpReceiverInfo]
    numbers: list[int]
    keyframes: int
    bound_bps: int | None


def read(packets: Iterable[bytes]) -> Asked:
    found = Asked([], [], 0, None)
    for data in packets:
        for item in rtp.RtcpPacket.parse(data):
            if isinstance(item, rtp.RtcpRrPacket):
                assert item.ssrc == OUR_SSRC
                found.reports.extend(item.reports)
            elif isinstance(item, rtp.RtcpRtpfbPacket):
                found.numbers.extend(number & 0xFFFF for number in item.lost)
            elif isinstance(item, rtp.RtcpPsfbPacket) and item.fmt == rtp.RTCP_PSFB_PLI:
                assert item.media_ssrc == VIDEO_SSRC
                found = found._replace(keyframes=found.keyframes + 1)
            elif isinstance(item, rtp.RtcpPsfbPacket):
                found = found._replace(bound_bps=rtp.unpack_remb_fci(item.fci)[0])
    return found


class Show:
    """A sender and a receiver, and a network that loses packets.

    Args:
        lose: tells which packets do not get through, counted from 0; repeated ones count on.
        is_repairing: whether the sender answers requests.
    """

    def __init__(
        self,
        lose: Callable[[int], bool] = lambda _: False,
        *,
        is_repairing: bool = True,
        offer: PeerDescription = OFFER,
    ) -> None:
        self.receiver = Receiver(offer, OUR_SSRC, 0.0)
        self.sender = Sender()
        self.lose = lose
        self.is_repairing = is_repairing
        self.now = 100.0
        self.count = 0
        self.packets: list[Packet] = []
        self.keyframes_asked = 0
        self._repeated = 0
        self._under_way: list[tuple[float, bytes]] = []

    def play(self, shown: Sequence[Picture]) -> list[Packet]:
        start = self.now
        for picture in shown:
            self.run_to(start + picture.pts / 90_000)
            for data in self.sender.packets(picture.payloads, picture.pts, self.now):
                self.send(data)
        self.run_to(self.now + 1.0)
        return self.packets

    def send(self, data: bytes) -> None:
        if not self.lose(self.count):
            self._under_way.append((self.now + DELAY_S, data))
        self.count += 1

    def run_to(self, end: float) -> None:
        """Let time go by, in steps of 5 ms."""
        while self.now < end:
            while self._under_way and self._under_way[0][0] <= self.now:
                self.receiver.receive_rtp(self._under_way.pop(0)[1], self.now)
                self._look()
            due = self.receiver.get_timer()
            if due is not None and due <= self.now:
                self.receiver.handle_timer(self.now)
                self._look()
            self.now += 0.005

    def _look(self) -> None:
        self.packets += take(self.receiver)
        asked = read(self.receiver.take_rtcp())
        self.keyframes_asked += asked.keyframes
        for number in asked.numbers if self.is_repairing else ():
            self.send(self.sender.repeat(number, self._repeated))
            self._repeated += 1


def assert_sound(packets: Sequence[Packet], shown: Sequence[Picture]) -> None:
    """Assert that what came is a part of what was sent: on time, decodable, and the same to the last pixel."""
    assert packets[0].is_keyframe
    expected = dict(zip((picture.pts for picture in shown), _reference(tuple(shown)), strict=True))
    # The first one to come is not the first that was sent, perhaps: which one it is, its picture says.
    decoded = decode(packets)
    assert len(decoded) == len(packets)
    first = next(pts for pts, picture in expected.items() if picture == decoded[0])
    for packet, picture in zip(packets, decoded, strict=True):
        assert packet.dts == packet.pts
        assert expected[packet.pts - packets[0].pts + first] == picture
    assert all(before.pts < after.pts for before, after in pairwise(packets))


def _reference(shown: tuple[Picture, ...]) -> list[object]:
    return [*decode(Show().play(shown))]
