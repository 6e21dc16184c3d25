"""Whatever viewers do and paths refuse: no number stands for two packets, time never goes back, pictures decode."""

from __future__ import annotations

from aiortc import rtp
from hypothesis import given, settings
from hypothesis import strategies as st

from webrtc.channel.event import Wanted

from .stage import AUDIO, VIDEO, FakeRung, Stage, rung

_NAMES = st.sampled_from(["ann", "ben", "cem"])
_ACTIONS = st.one_of(
    st.tuples(st.just("run"), st.sampled_from([1, 3, 10, 50, 150])),
    st.tuples(st.just("run"), st.sampled_from([2, 40, 200])),
    st.tuples(st.just("join"), _NAMES),
    st.tuples(st.just("leave"), _NAMES),
    st.tuples(st.just("choose"), _NAMES, st.sampled_from(["source", "720p", "480p", "360p", None])),
    st.tuples(st.just("refuse"), _NAMES, st.integers(2, 6)),
    st.tuples(st.just("lose picture"), _NAMES),
    st.tuples(st.just("nack"), _NAMES, st.integers(0, 400)),
    st.tuples(
        st.just("bandwidth"), _NAMES, st.sampled_from([100_000, 900_000, 1_500_000, 4_000_000, 20_000_000])
    ),
    st.tuples(st.just("stall"), st.sampled_from(["source", "720p", "480p", "360p"])),
)


def make_stage() -> Stage:
    return Stage(
        FakeRung(rung("source", 5_000_000, can_force=False), 0, size_bytes=12_000, keyframe_bytes=90_000),
        FakeRung(rung("720p", 2_500_000), 1, lag_s=0.12, size_bytes=8_000, keyframe_bytes=50_000),
        FakeRung(rung("480p", 1_200_000), 2, lag_s=0.15, size_bytes=3_000),
        FakeRung(rung("360p", 700_000, is_made=False), 3, lag_s=0.15, size_bytes=1_500, keyframe_bytes=9_000),
        has_audio=True,
    )


class Play:
    """Carries out actions, and checks every viewer at his end."""

    def __init__(self) -> None:
        self.stage = make_stage()
        self._dice = 0

    def act(self, name: str, *values: object) -> None:
        getattr(self, name.replace(" ", "_"))(*values)

    def run(self, steps: int) -> None:
        self.stage.run(steps * 0.01)

    def join(self, name: str) -> None:
        if name not in self.stage.names:
            self.stage.join(name, VIDEO, AUDIO)

    def leave(self, name: str) -> None:
        if viewer := self.stage.names.pop(name, None):
            self.stage.channel.remove(viewer, self.stage.now)
            self.stage.listen()
            self.stage.receivers.pop(name).check(is_whole=not viewer.counters.refused)

    def choose(self, name: str, rung_name: str | None) -> None:
        if name in self.stage.names:
            self.stage.choose(name, rung_name)

    def refuse(self, name: str, every: int) -> None:
        if name in self.stage.names:
            self.stage.receivers[name].refuses = lambda _: self._roll(every)

    def _roll(self, every: int) -> bool:
        self._dice += 1
        return self._dice % every == 0

    def lose_picture(self, name: str) -> None:
        self._tell(name, rtp.RtcpPsfbPacket(1, 1, self.stage.channel.ssrcs.video))

    def nack(self, name: str, back: int) -> None:
        if name in self.stage.names and (arrivals := self.stage.receivers[name].arrivals):
            number = arrivals[max(0, len(arrivals) - 1 - back)][1]
            self._tell(name, rtp.RtcpRtpfbPacket(1, 1, self.stage.channel.ssrcs.video, [number]))

    def bandwidth(self, name: str, bitrate_bps: int) -> None:
        fci = rtp.pack_remb_fci(bitrate_bps, [self.stage.channel.ssrcs.video])
        self._tell(name, rtp.RtcpPsfbPacket(rtp.RTCP_PSFB_APP, 1, 0, fci))

    def stall(self, rung_name: str) -> None:
        self.stage.rungs[rung_name].is_stalled ^= True

    def _tell(self, name: str, packet: object) -> None:
        if name in self.stage.names:
            self.stage.tell(name, packet)

    def finish(self) -> None:
        """Let everything be well again, then nothing may be left of what was not."""
        for receiver in self.stage.receivers.values():
            receiver.refuses = lambda _: False
        for item in self.stage.rungs.values():
            item.is_stalled = False
        self.stage.run(4.0)
        newest = max(item.next_number for item in self.stage.rungs.values())
        for name, viewer in self.stage.names.items():
            # Who changes his rung while a frame is refused misses the rest of that frame, which nothing refers to.
            pictures = self.stage.receivers[name].check(is_whole=not viewer.counters.refused)
            assert newest - pictures[-1].number < 15, "everybody is at the live edge"
        wanted = [event for event in self.stage.events if isinstance(event, Wanted)]
        assert not wanted or sum(wanted[-1].rungs.values()) >= len(self.stage.names)


@settings(max_examples=30, deadline=None)
@given(st.lists(_ACTIONS, min_size=20, max_size=50))
def test_viewers_always_get_what_can_be_shown(actions: list[tuple[object, ...]]) -> None:
    play = Play()
    play.run(20)
    play.join("ann")
    play.run(100)
    play.join("ben")
    for name, *values in actions:
        play.act(str(name), *values)
    play.finish()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_no_feedback_breaks_anything(data: bytes) -> None:
    stage = make_stage()
    stage.join("ann", VIDEO, AUDIO)
    stage.tell("ann", data)
    stage.tell("ann", bytes([0x81, 205, 0, len(data) // 4 % 256]) + data)
