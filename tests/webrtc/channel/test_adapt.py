"""A path that gets narrow and wide again, with a receiver that says what it sees of it: the whole loop."""

from __future__ import annotations

from aiortc import rtp

from webrtc.channel.report import middle
from webrtc.rtp.packet import parse_rtp

from .stage import FakeRung, Receiver, Stage, rung
from .test_change import longest_pause
from .test_loss import nack

MAX_QUEUE_S = 0.5


class Link:
    """A path with a queue, and the receiver behind it: REMB and a report each second, NACKs at once."""

    def __init__(self, stage: Stage, name: str, receiver: Receiver) -> None:
        self.capacity_bps = 12_000_000
        self.loss_every = 0
        self._stage = stage
        self._name = name
        self._receiver = receiver
        self._queue_bytes = 0.0
        self._at = stage.now
        self._packets = 0
        self._lost = 0
        self._received_bytes = 0
        self._seen: set[int] = set()
        self._looked_at = 0
        receiver.loses = self.loses

    @property
    def queue_s(self) -> float:
        return self._queue_bytes * 8 / self.capacity_bps

    def loses(self, packet: bytes) -> bool:
        now = self._stage.now
        self._queue_bytes = max(0.0, self._queue_bytes - (now - self._at) * self.capacity_bps / 8)
        self._at = now
        is_media = parse_rtp(packet).ssrc == self._stage.channel.ssrcs.video
        self._packets += is_media
        is_chosen = bool(self.loss_every) and self._packets % self.loss_every == 0 and is_media
        if is_chosen or self.queue_s > MAX_QUEUE_S:
            self._lost += is_media
            return True
        self._queue_bytes += len(packet)
        self._received_bytes += len(packet)
        return False

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            for _ in range(10):
                self._stage.run(0.1)
                self._ask()
            self._report()

    def _ask(self) -> None:
        ssrc = self._stage.channel.ssrcs.video
        for _, number, packet in self._receiver.arrivals[self._looked_at :]:
            if parse_rtp(packet).ssrc == ssrc:
                newest = max(self._seen, default=number)
                self._seen.add(newest + ((number - newest + 0x8000) & 0xFFFF) - 0x8000)
        self._looked_at = len(self._receiver.arrivals)
        lost = [
            number & 0xFFFF for number in range(min(self._seen), max(self._seen)) if number not in self._seen
        ]
        self._seen = {number for number in self._seen if number > max(self._seen) - 500}
        if lost:
            self._stage.tell(self._name, nack(self._stage, *lost))

    def _report(self) -> None:
        ssrc = self._stage.channel.ssrcs.video
        report = rtp.RtcpPacket.parse(self._receiver.rtcp[-1])[0]
        assert isinstance(report, rtp.RtcpSrPacket)
        rtt_s = 0.04 + self.queue_s
        delay_s = max(0.0, self._stage.now - self._receiver.rtcp_at - rtt_s)
        block = rtp.RtcpReceiverInfo(
            ssrc, 0, self._lost, 10_000 + self._packets, 0,
            middle(report.sender_info.ntp_timestamp), int(delay_s * 65536),
        )  # fmt: skip
        received_bps = 8 * self._received_bytes
        self._received_bytes = 0
        is_over = self.queue_s > 0.15
        bitrate_bps = int(0.85 * min(received_bps, self.capacity_bps) if is_over else 1.5 * received_bps)
        remb = rtp.RtcpPsfbPacket(rtp.RTCP_PSFB_APP, 1, 0, rtp.pack_remb_fci(bitrate_bps, [ssrc]))
        self._stage.tell(self._name, bytes(rtp.RtcpRrPacket(1, [block])) + bytes(remb))


def make_link() -> tuple[Stage, Link, Receiver]:
    stage = Stage(
        FakeRung(rung("source", 5_000_000, can_force=False), 0, size_bytes=19_500, keyframe_bytes=80_000),
        FakeRung(rung("720p", 2_500_000), 1, lag_s=0.1, size_bytes=9_700, keyframe_bytes=50_000),
        FakeRung(
            rung("480p", 1_200_000, is_made=False), 2, lag_s=0.12, size_bytes=4_600, keyframe_bytes=28_000
        ),
    )
    stage.run(0.5)
    receiver = stage.join("ann")
    return stage, Link(stage, "ann", receiver), receiver


def test_rung_goes_up_down_and_up_again() -> None:
    stage, link, receiver = make_link()
    link.run(12)
    assert stage.changes("ann")[-1] == "source"
    link.capacity_bps = 1_700_000
    link.run(6)
    assert stage.changes("ann")[-1] == "480p"
    link.capacity_bps = 12_000_000
    link.run(40)
    assert stage.changes("ann")[-1] == "source"
    receiver.check(is_whole=False, decodes=False)


def test_one_percent_of_loss_is_not_seen() -> None:
    stage, link, receiver = make_link()
    link.loss_every = 97
    link.run(15)
    assert stage.changes("ann") == ["720p", "source"]
    link.loss_every = 0
    link.run(1)
    assert longest_pause(receiver.check()) < 0.3
    assert not stage.keyframes_wanted("720p")


def test_five_percent_of_loss_keeps_the_rung() -> None:
    stage, link, receiver = make_link()
    link.loss_every = 19
    link.run(25)
    link.loss_every = 0
    link.run(1)
    assert "480p" not in stage.changes("ann")
    receiver.check()


def test_blackout_is_over_when_it_is_over() -> None:
    stage, link, receiver = make_link()
    link.run(10)
    receiver.loses = lambda _: True
    stage.run(0.5)
    receiver.loses = link.loses
    back_at = stage.now
    link.run(10)
    after = [picture.at for picture in receiver.pictures() if picture.at > back_at]
    assert after[0] - back_at < 0.5
