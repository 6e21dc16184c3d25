"""StandIn: a source's own quality for browsers, while its pictures are reordered."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from media.packet import VideoTrack
from mediaserver.live.demand import LINGER_S
from mediaserver.live.ladder import SHED_LINGER_S
from mediaserver.live.stand_in import StandIn
from tests.transcode.source import video

from .relay_sink import Diary
from .scene import FRAME, VIDEO, Encoder, MakeScene, Scene, Source
from .test_ladder import SECOND, Clock, Kitchen, kitchen

__all__ = ["kitchen"]

REORDERING = video(2, b_frames=2)[0].track
assert isinstance(REORDERING, VideoTrack)


class House:
    """A broadcast of a source with B-frames that somebody watches."""

    def __init__(self, make_scene: MakeScene, kitchen: Kitchen) -> None:
        assert isinstance(REORDERING, VideoTrack)
        self.scene: Scene = make_scene(renderer=kitchen)
        self.clock = Clock()
        self.stand_in: StandIn = self.scene.broadcast.rungs.relay.stand_in
        self.stand_in._clock = self.clock
        self.source = Source(video=replace(VIDEO, config=REORDERING.config), b_frames=2)
        self.diary = Diary()

    async def open(self, frames: int = 60) -> None:
        self.scene.connect(self.source, frames)
        self.scene.broadcast.rungs.relay.attach(self.diary)
        await asyncio.sleep(0)

    def want(self, *names: str) -> None:
        self.scene.broadcast.rungs.relay.want(dict.fromkeys(names, 1), audio=False)

    async def publish(self, frames: int) -> None:
        self.scene.publish(self.source, frames)
        await asyncio.sleep(0)

    def is_made(self) -> bool:
        return self.stand_in.is_made


@pytest.fixture
def a_house(make_scene: MakeScene, kitchen: Kitchen) -> House:
    return House(make_scene, kitchen)


async def test_it_is_offered_under_the_name_of_the_copy(a_house: House) -> None:
    await a_house.open()
    rung = a_house.diary.rung("360p")
    assert (rung.width, rung.height, rung.is_made, rung.can_force) == (640, 360, False, True)
    assert len(Encoder.made) == 1, "nobody has asked"


async def test_it_is_made_from_the_next_picture_on(a_house: House) -> None:
    await a_house.open()
    a_house.want("360p")
    await a_house.publish(60)
    assert a_house.diary.rung("360p").is_made
    begin = a_house.diary.pts("360p")[0]
    assert 60 * FRAME <= begin <= 62 * FRAME
    assert a_house.diary.keyframes("360p") == [begin, 100 * FRAME]
    assert a_house.scene.encoder.rungs == {}
    assert await a_house.scene.frames("360p", 0) == [f"copy@{pts}{'' if pts else '!'}" for pts in HLS_ORDER]


HLS_ORDER = [n * FRAME for n in (0, *(3 * group + at for group in range(16) for at in (3, 1, 2)), 51)][:50]


async def test_a_keyframe_is_made_when_one_is_asked_for(a_house: House) -> None:
    await a_house.open()
    a_house.want("360p")
    await a_house.publish(10)
    a_house.scene.broadcast.rungs.relay.force_keyframe("360p", 70 * FRAME)
    await a_house.publish(10)
    assert a_house.diary.keyframes("360p")[1:] == [71 * FRAME]


async def test_it_goes_on_for_a_while_when_the_last_viewer_has_gone(a_house: House) -> None:
    await a_house.open()
    a_house.want("360p")
    await a_house.publish(10)
    a_house.want()
    a_house.diary.frames.clear()
    a_house.clock.now += LINGER_S
    await a_house.publish(10)
    assert a_house.is_made()
    assert a_house.diary.frames == []
    a_house.clock.now += 1
    await a_house.publish(10)
    assert not a_house.is_made()
    assert Encoder.made[-1].is_closed
    assert not a_house.diary.rung("360p").is_made


async def test_the_copy_takes_over_when_nothing_is_reordered_any_more(a_house: House) -> None:
    await a_house.open(50)
    a_house.want("360p")
    await a_house.publish(50)
    a_house.source.b_frames = 0
    await a_house.publish(12 * SECOND)
    assert not a_house.is_made()
    assert not a_house.diary.rung("360p").can_force
    pts = a_house.diary.pts("360p")
    assert pts == sorted(set(pts))
    assert a_house.diary.text("360p")[-1].startswith("copy@")
    a_house.source.b_frames = 2
    await a_house.publish(5)
    await a_house.publish(55)
    assert a_house.is_made()
    pts = a_house.diary.pts("360p")
    assert pts == sorted(set(pts))
    assert a_house.diary.text("360p")[-1].startswith("360p@")


async def test_it_ends_with_the_run_and_begins_again_with_the_next(a_house: House) -> None:
    await a_house.open()
    a_house.want("360p")
    await a_house.publish(10)
    a_house.scene.broadcast.end_source()
    assert not a_house.is_made()
    a_house.scene.connect(Source(video=a_house.source.video, b_frames=2), 20)
    await asyncio.sleep(0)
    assert a_house.is_made()
    await a_house.scene.broadcast.finish()
    assert not a_house.is_made()
    assert all(encoder.is_closed for encoder in Encoder.made)


async def test_without_room_it_is_not_made_and_not_offered(a_house: House) -> None:
    asked: list[tuple[str, float, float]] = []

    def refuse(name: str, cost: float, base: float) -> bool:
        asked.append((name, cost, base))
        return False

    a_house.stand_in._admit = refuse
    await a_house.open()
    a_house.want("360p")
    await a_house.publish(2)
    assert [name for name, _, _ in asked] == ["360p"]
    assert a_house.diary.names == ["240p", "144p"]
    a_house.clock.now += SHED_LINGER_S + 1
    await a_house.publish(50)
    assert len(asked) == 2, "it is offered again, and somebody is still there"


async def test_the_governor_sees_and_steers_it(a_house: House) -> None:
    await a_house.open()
    assert a_house.stand_in.load() is None
    a_house.want("360p")
    load = a_house.stand_in.load()
    assert load is not None
    assert (load.id, load.has_copy, [rung.name for rung in load.rungs]) == ("scene/webrtc", True, ["360p"])
    assert load.rungs[0].presets[-1] == load.rungs[0].preset
    a_house.stand_in.set_preset("360p", "ultrafast")
    changed = a_house.stand_in.load()
    assert changed is not None
    assert changed.rungs[0].preset == "ultrafast"
    a_house.stand_in.shed("360p", at_once=False)
    await a_house.publish(1)
    assert not a_house.is_made()
    assert a_house.diary.names == ["240p", "144p"]
    shed = a_house.stand_in.load()
    assert shed is not None
    assert shed.rungs[0].is_shed
    a_house.stand_in.restore("360p")
    await a_house.publish(1)
    assert a_house.is_made()
    assert a_house.diary.names == ["360p", "240p", "144p"]


async def test_a_source_that_breaks_it_is_left_alone(a_house: House) -> None:
    await a_house.open()
    a_house.want("360p")
    a_house.stand_in.on_failed("workers crashed")
    await a_house.publish(60)
    assert not a_house.is_made()
    assert a_house.diary.names == ["240p", "144p"]


async def test_who_detaches_ends_it(a_house: House) -> None:
    await a_house.open()
    a_house.want("360p")
    a_house.scene.broadcast.rungs.relay.detach()
    assert not a_house.is_made()
    assert a_house.stand_in.load() is None
