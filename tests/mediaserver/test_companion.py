"""Streamers who send several renditions: theirs fill rungs as they are, in step with the main one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import pytest

from hls.config import HlsConfig
from hls.rendition import Rendition
from hls.timeline import Timeline
from hls.writer import Sample, VideoWriter
from media.packet import Packet, VideoTrack
from mediaserver.live.companion import MAX_HELD_BYTES, CompanionRun
from mediaserver.live.copied_run import CopiedRun

from .scene import FRAME, MS, NOW, MakeScene, Scene, Source, sized


@dataclass
class Renditions:
    """A source that sends the same pictures in several sizes; the main one has track id 0."""

    main: Source = field(default_factory=lambda: Source(video=sized(1280, 720)))
    others: Mapping[int, VideoTrack] = field(default_factory=lambda: {1: sized(640, 360), 2: sized(256, 144)})
    shift_ms: int = 0
    """How much later the others' timestamps are."""
    others_first: bool = False

    def run(self, frames: int) -> Iterator[Packet]:
        for packet in self.main.run(frames):
            copies = list(self._copies(packet)) if packet.is_video else []
            yield from [*copies, packet] if self.others_first else [packet, *copies]

    def _copies(self, packet: Packet) -> Iterator[Packet]:
        shift = self.shift_ms * MS
        for number, track in self.others.items():
            yield replace(
                packet, track=track, track_id=number, dts=packet.dts + shift, pts=packet.pts + shift
            )


def send(scene: Scene, source: Renditions, frames: int) -> None:
    for packet in source.run(frames):
        scene.broadcast.receive(packet)


def connect(scene: Scene, source: Renditions, frames: int) -> None:
    scene.broadcast.begin_source(tracks=1 + len(source.others))
    send(scene, source, frames)


@pytest.mark.parametrize("others_first", [False, True], ids=["main first", "others first"])
@pytest.mark.parametrize("shift_ms", [0, 1, -1])
@pytest.mark.parametrize("b_frames", [0, 2])
async def test_own_renditions_fill_their_rungs(
    make_scene: MakeScene, others_first: bool, shift_ms: int, b_frames: int
) -> None:
    main = Source(video=sized(1280, 720), b_frames=b_frames)
    source = Renditions(main, shift_ms=shift_ms, others_first=others_first)
    scene = make_scene()
    connect(scene, source, 200)
    kinds = {state.name: state.kind for state in scene.broadcast.rungs.states}
    assert kinds == {
        "720p": "copied", "480p": "encoded", "360p": "copied", "240p": "encoded", "144p": "copied",
    }  # fmt: skip
    await scene.broadcast.finish()
    assert set(scene.encoder.rungs) == {"480p", "240p"}
    for name, number in (("360p", 1), ("144p", 2)):
        frames = await scene.frames(name)
        assert len(frames) == 200, name
        assert all(frame.startswith(f"own{number}@") for frame in frames)
        assert scene.gaps(name) == []
        for segment in scene.view(name).segments:
            first = (await scene.frames(name, segment.msn))[0]
            assert first.endswith("!"), "every segment begins with a keyframe"
    scene.assert_aligned()


async def test_main_rendition_is_the_largest_whatever_its_number(make_scene: MakeScene) -> None:
    scene = make_scene()
    main = Source(video=sized(320, 240))
    connect(scene, Renditions(main, {1: sized(1280, 720)}), 100)
    await scene.broadcast.finish()
    assert scene.broadcast.video == sized(1280, 720)
    assert all(frame.startswith("own0@") for frame in await scene.frames("240p"))
    assert all(frame.startswith("copy@") for frame in await scene.frames("720p"))


async def test_rendition_that_comes_late_fills_its_rung_from_the_next_keyframe_on(
    make_scene: MakeScene,
) -> None:
    scene = make_scene()
    source = Renditions(others={})
    connect(scene, source, 60)
    source.others = {1: sized(640, 360)}
    send(scene, source, 140)
    await scene.broadcast.finish()
    frames = await scene.frames("360p")
    assert frames[0].startswith("360p@")
    assert frames[-1].startswith("own1@")
    assert len(scene.discontinuities("360p")) == 1
    assert scene.gaps("360p") == []
    scene.assert_aligned()


async def test_rendition_whose_keyframes_lie_elsewhere_is_left_out_and_said(make_scene: MakeScene) -> None:
    scene = make_scene()
    source = Renditions(others={1: sized(640, 360)})
    scene.broadcast.begin_source(tracks=2)
    for packet in source.run(200):
        if packet.track_id and packet.is_video:
            number = round((packet.dts - source.main.origin) / FRAME)
            scene.broadcast.receive(replace(packet, is_keyframe=number == 0 or number % 50 == 25))
        else:
            scene.broadcast.receive(packet)
    assert scene.broadcast.warnings == [
        "360p: your own rendition has no keyframes where the main one has, so it is left out."
    ]
    await scene.broadcast.finish()
    assert len(await scene.frames("360p")) == 50
    assert {msn for msn, _ in scene.gaps("360p")} == {1, 2, 3}
    assert scene.gaps("720p") == []
    scene.assert_aligned()


async def test_rendition_that_stops_becomes_gaps_and_holds_nobody_up(make_scene: MakeScene) -> None:
    scene = make_scene()
    source = Renditions(others={1: sized(640, 360)})
    connect(scene, source, 100)
    source.others = {}
    send(scene, source, 200)
    last = scene.view("720p").segments[-1].msn
    assert last - scene.view("360p").segments[-1].msn <= 1
    await scene.broadcast.finish()
    assert len(await scene.frames("360p")) == 100
    assert scene.gaps("720p") == []
    scene.assert_aligned()


async def test_rendition_that_was_waited_for_in_vain_breaks_no_more_runs(make_scene: MakeScene) -> None:
    scene = make_scene()
    source = Renditions(others={1: sized(640, 360)})
    scene.broadcast.begin_source()
    for packet in source.run(500):
        if packet.track_id and packet.is_video:
            number = round((packet.dts - source.main.origin) / FRAME)
            scene.broadcast.receive(replace(packet, is_keyframe=number % 50 == 25))
        else:
            scene.broadcast.receive(packet)
    assert scene.broadcast.warnings == [
        "Video track 1: your own rendition has no keyframes where the main one has, so it is left out."
    ]
    await scene.broadcast.finish()
    assert len(scene.discontinuities("720p")) == 1
    assert scene.gaps("720p") == scene.gaps("360p") == []
    scene.assert_aligned()


async def test_rendition_that_was_away_fills_its_rung_again(make_scene: MakeScene) -> None:
    scene = make_scene()
    others = {1: sized(640, 360)}
    source = Renditions(others=others)
    connect(scene, source, 100)
    source.others = {}
    send(scene, source, 100)
    source.others = others
    send(scene, source, 200)
    await scene.broadcast.finish()
    assert (await scene.frames("360p"))[-1].startswith("own1@")
    assert len(await scene.frames("360p")) >= 250
    assert len(scene.discontinuities("720p")) == 1
    scene.assert_aligned()


def test_rendition_ahead_of_the_main_one_is_held_within_a_bound() -> None:
    timeline = Timeline(HlsConfig())
    timeline.begin(0, NOW)
    writer = VideoWriter(timeline, Rendition("360p", 0, lambda _: None))
    run = CompanionRun(CopiedRun(writer, sized(640, 360), 0))
    data = bytes(MAX_HELD_BYTES // 4)
    for number in range(10):
        run.receive(Sample(FRAME * number, FRAME * number, data, number == 0))
    run.copied.take_rung(0)
    run.end(FRAME * 10)
    assert len(writer._samples) == 4


async def test_rendition_with_a_changed_size_begins_anew(make_scene: MakeScene) -> None:
    scene = make_scene()
    source = Renditions(others={1: sized(640, 360)})
    connect(scene, source, 75)
    source.others = {1: sized(854, 480)}
    send(scene, source, 125)
    await scene.broadcast.finish()
    assert (await scene.frames("480p"))[-1].startswith("own1@")
    assert (await scene.frames("360p"))[-1].startswith("360p@")
    assert len(scene.discontinuities("720p")) == 1
    scene.assert_aligned()
