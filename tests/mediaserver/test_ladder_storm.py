"""Whatever happens to the rungs of a broadcast, in whatever order: what players find in the end is whole."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from media.packet import CLOCK_HZ, VideoTrack
from mediaserver.live.demand import LINGER_S
from mediaserver.live.ladder import Ladder

from .scene import VIDEO, Encoder, MakeScene, Scene, Source, sized
from .test_ladder import Clock, Kitchen, kitchen, segments
from .test_slate_run import slate_of

__all__ = ["kitchen"]

PATIENCE_S = 5.0
DIGITS = b"0123456789"
"""Pictures of a slate are numbered."""
FRAME_NAME = re.compile(rb"<(\w+)([@~])(-?\d+)(!?)>")


class Storm:
    """One broadcast, and everything that may happen to it."""

    def __init__(self, scene: Scene, kitchen: Kitchen, seed: int) -> None:
        self.scene = scene
        self.kitchen = kitchen
        self.clock = self.ladder._clock = Clock()
        self.random = random.Random(seed)  # noqa: S311 - a storm that can be had again
        self.waiting: list[asyncio.Task[bytes | None]] = []
        self._origin = 5_000
        self._elapsed = 0  # of a slate
        self.videos: tuple[VideoTrack, ...] = (VIDEO, VIDEO, VIDEO, sized(426, 240), sized(1280, 720))
        self.gops: tuple[int, ...] = (49,)
        self.others: list[Callable[[], None]] = []
        """What may happen besides."""

    async def rage(self, steps: int) -> None:
        self.connect()
        events: list[Callable[[], None]] = [
            *[self.publish] * 8,
            *[self.request_hint] * 3,
            *[self.request_segment] * 2,
            self.wait_long,
            self.shed,
            self.restore,
            self.set_preset,
            self.connect,
            self.end_source,
            self.slow_down,
            *[self.speed_up] * 2,
            self.close_kitchen,
            *[self.open_kitchen] * 2,
            self.change_room,
            *self.others,
        ]
        for _ in range(steps):
            self.random.choice(events)()
            self.clock.now += self.random.choice((0.0, 0.1, 1.0))
            for _ in range(self.random.choice((1, 1, 3, 10))):
                await asyncio.sleep(0)

    async def settle(self) -> None:
        self.speed_up()
        self.open_kitchen()
        self.publish()
        await self.scene.broadcast.finish()

    @property
    def names(self) -> list[str]:
        return [name for name in self.scene.broadcast.rungs.names if self.scene.output.view(name) is not None]

    def publish(self) -> None:
        if self.scene.broadcast.has_media or self.scene.broadcast._intake is not None:
            self.scene.publish(self.scene.source, self.random.choice((3, 13, 25, 60)))

    def connect(self) -> None:
        self._origin += 777
        video, gop = self.random.choice(self.videos), self.random.choice(self.gops)
        b_frames = self.random.choice((0, 0, 2))
        self.scene.source = Source(origin=self._origin, video=video, gop=gop, b_frames=b_frames)
        self.scene.broadcast.begin_source(may_copy=self.random.random() < 0.8)
        self.scene.publish(self.scene.source, 3)

    def end_source(self) -> None:
        self.scene.broadcast.end_source()

    def request_hint(self) -> None:
        if self.names and (hint := self.scene.view(name := self.random.choice(self.names)).hint) is not None:
            self._ask(name, hint.generation, hint.msn, self.random.choice((0, hint.part)))

    def request_segment(self) -> None:
        if not self.names:
            return
        name = self.random.choice(self.names)
        segments = self.scene.view(name).segments
        if segments:
            segment = self.random.choice((segments[-1], self.random.choice(segments)))
            self._ask(name, segment.generation, segment.msn, None)

    def _ask(self, name: str, generation: int, msn: int, part: int | None) -> None:
        request = self.scene.output.get(name, generation, msn, part)
        self.waiting.append(asyncio.create_task(request))

    def begin_slate(self) -> None:
        broadcast = self.scene.broadcast
        is_silent = not (broadcast.has_media or broadcast.is_on_slate or broadcast._intake)
        if is_silent and broadcast.slate_request() is not None:
            self._elapsed = 0
            broadcast.begin_slate(slate_of(self.scene))

    def show_slate(self) -> None:
        if self.scene.broadcast.is_on_slate:
            self._elapsed += self.random.choice((CLOCK_HZ // 10, CLOCK_HZ, 2 * CLOCK_HZ))
            self.scene.broadcast.show_slate(self._elapsed)

    def wait_long(self) -> None:
        self.clock.now += self.random.choice((LINGER_S + 1, 4 * LINGER_S + 1))

    def shed(self) -> None:
        asked = [rung for rung in self.ladder.asked() if rung.spec.name != self.ladder.demand.pinned]
        if asked:
            self.ladder.shed(self.random.choice(asked).spec.name, at_once=self.random.choice((True, False)))

    def restore(self) -> None:
        shed = [rung.spec.name for rung in self.ladder.asked() if rung.is_shed]
        if shed:
            self.ladder.restore(self.random.choice(shed))

    def set_preset(self) -> None:
        if asked := self.ladder.asked():
            preset = self.random.choice(("ultrafast", "superfast"))
            self.ladder.set_preset(self.random.choice(asked).spec.name, preset)

    def slow_down(self) -> None:
        self.random.choice(Encoder.made).is_slow = True

    def speed_up(self) -> None:
        for encoder in Encoder.made:
            encoder.is_slow = False
            encoder.work()

    def close_kitchen(self) -> None:
        self.kitchen.is_open.clear()

    def open_kitchen(self) -> None:
        self.kitchen.is_open.set()

    def change_room(self) -> None:
        has_room = self.random.random() < 0.7
        self.ladder._admit = lambda _: has_room

    @property
    def ladder(self) -> Ladder:
        return self.scene.broadcast.rungs._ladder


async def assert_whole(scene: Scene, name: str) -> None:
    """Each segment is there, or a gap, and has been made by one encoder from its begin on."""
    for segment in scene.view(name).segments:
        assert segment.is_complete
        request = scene.output.get(name, segment.generation, segment.msn, None)
        data = await asyncio.wait_for(request, PATIENCE_S)
        frames = FRAME_NAME.findall(data or b"")
        makers = {(maker.rstrip(DIGITS), how) for maker, how, _, _ in frames}
        assert len(makers) <= 1, f"{name}/{segment.msn} has two makers"
        if frames and frames[0][0] != b"copy" and not frames[0][0].startswith(b"slate"):
            _, how, first, mark = frames[0]
            times = [int(pts) for _, _, pts, _ in frames]
            assert times == sorted(set(times))
            assert how == b"~" or mark or segment.parts[0].is_gap, f"{name}/{segment.msn} has no IDR"
            if not segment.parts[0].is_gap:
                item = scene.output.timeline.segment(segment.msn)
                assert item is not None
                assert int(first) == item.start


SEEDS = (*range(20), 58, 72, 277, 489, 499, 604, 712)
"""The last ones have found faults."""


@pytest.mark.parametrize("seed", SEEDS)
async def test_what_players_find_is_whole(make_scene: MakeScene, kitchen: Kitchen, seed: int) -> None:
    await weather(Storm(make_scene(renderer=kitchen, quality="720p"), kitchen, seed))


@pytest.mark.parametrize("is_on_demand", [True, False])
@pytest.mark.parametrize("seed", range(8))
async def test_whatever_sources_do(
    make_scene: MakeScene, kitchen: Kitchen, seed: int, is_on_demand: bool
) -> None:
    """Slates, rare keyframes, sources that are not copied or only into a twin."""
    scene = make_scene(renderer=kitchen if is_on_demand else None, quality="720p")
    storm = Storm(scene, kitchen, seed)
    hevc = replace(VIDEO, codec="hevc", codec_string="hvc1.1.6.L93.B0")
    storm.videos = (*storm.videos, hevc, hevc, replace(VIDEO, bit_depth=10))
    storm.gops = (49, 49, 49, 250)
    storm.others = [storm.begin_slate, storm.show_slate, storm.show_slate]
    await weather(storm)


async def weather(storm: Storm) -> None:
    scene = storm.scene
    await storm.rage(60)
    await storm.settle()
    # Where nobody waits any more, nobody waited in vain: each of them would have got an error.
    await asyncio.wait_for(asyncio.gather(*storm.waiting), PATIENCE_S)
    for name in storm.names:
        await assert_whole(scene, name)
    shapes = [{msn: durations for msn, durations, _ in segments(scene, name)} for name in storm.names]
    for msn in set.intersection(*(set(shape) for shape in shapes)):
        assert len({shape[msn] for shape in shapes}) == 1, f"the parts of {msn} differ"
