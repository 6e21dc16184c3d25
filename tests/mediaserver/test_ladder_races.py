"""Rungs on demand when several things happen at once: whoever waits gets an answer, no segment has two makers."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from hls.view import PartAddress
from mediaserver.live.demand import LINGER_S
from mediaserver.live.ladder_rung import Phase

from .scene import VIDEO, MakeScene, Scene, Source, sized
from .test_ladder import SECOND, Clock, Kitchen, kitchen, opened, phase, segments

__all__ = ["kitchen"]

PATIENCE_S = 3.0
"""Far less than a request for a promise may wait."""


def hint(scene: Scene, name: str) -> PartAddress:
    address = scene.view(name).hint
    assert address is not None
    return address


def newest_size(scene: Scene, name: str) -> tuple[int, int]:
    """Say what the newest segment's initialization segment is of."""
    generation = scene.view(name).segments[-1].generation
    track = scene.broadcast.rungs._declared.writers[name].track_of(generation)
    assert track is not None
    return track.width, track.height


async def ask(scene: Scene, name: str, address: PartAddress) -> asyncio.Task[bytes | None]:
    """Ask for a part, and let the request come as far as it gets."""
    task = asyncio.create_task(scene.output.get(name, address.generation, address.msn, address.part))
    await asyncio.sleep(0.01)
    return task


async def test_who_waits_for_a_rung_without_a_bridge_is_served_when_the_segment_has_passed(
    make_scene: MakeScene, kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediaserver.live.bridges.MAX_BRIDGES", 0)
    scene = await opened(make_scene, kitchen)
    scene.broadcast.rungs._ladder.on_request("240p", 2)
    waiting = await ask(scene, "144p", hint(scene, "144p"))
    assert phase(scene, "144p") is Phase.WAITING
    scene.publish(scene.source, 3 * SECOND)
    assert phase(scene, "144p") is Phase.AWAKE
    assert b"<144p~" in (await asyncio.wait_for(waiting, PATIENCE_S) or b"")


async def test_who_waits_when_the_source_goes_is_served(
    make_scene: MakeScene, kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediaserver.live.bridges.MAX_BRIDGES", 0)
    scene = await opened(make_scene, kitchen)
    scene.broadcast.rungs._ladder.on_request("240p", 2)
    scene.publish(scene.source, SECOND)
    first = PartAddress(hint(scene, "144p").generation, hint(scene, "144p").msn, 0)
    waiting = await ask(scene, "144p", first)
    scene.broadcast.end_source()
    assert b"<144p~" in (await asyncio.wait_for(waiting, PATIENCE_S) or b"")


async def test_a_rung_for_which_there_is_no_room_releases_who_waits(
    make_scene: MakeScene, kitchen: Kitchen
) -> None:
    scene = await opened(make_scene, kitchen)
    scene.publish(scene.source, SECOND)
    scene.broadcast.rungs._ladder._admit = lambda _: False
    address = hint(scene, "240p")
    waiting = await ask(scene, "240p", address)
    promised = await ask(scene, "240p", replace(address, part=0))
    assert phase(scene, "240p") is Phase.SHED
    assert await asyncio.wait_for(waiting, PATIENCE_S) is None
    assert await asyncio.wait_for(promised, PATIENCE_S) is None
    scene.publish(scene.source, 3 * SECOND)
    # What was a gap stays one.
    gaps = Counter(scene.gaps("240p"))
    segment = next(one for one in scene.view("240p").segments if one.msn == address.msn)
    await scene.output.get("240p", segment.generation, segment.msn, None)
    assert not gaps - Counter(scene.gaps("240p"))


async def test_a_rung_that_waits_and_is_shed_releases_who_waits(
    make_scene: MakeScene, kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediaserver.live.bridges.MAX_BRIDGES", 0)
    scene = await opened(make_scene, kitchen)
    ladder = scene.broadcast.rungs._ladder
    ladder.on_request("240p", 2)
    scene.publish(scene.source, SECOND)
    waiting = await ask(scene, "144p", replace(hint(scene, "144p"), part=0))
    ladder.shed("144p")
    assert await asyncio.wait_for(waiting, PATIENCE_S) is None


async def test_a_rung_that_was_copied_meanwhile_has_its_own_init_again(
    make_scene: MakeScene, kitchen: Kitchen
) -> None:
    scene = await opened(make_scene, kitchen)
    scene.connect(Source(origin=77, video=sized(420, 240)), 5 * SECOND)
    assert newest_size(scene, "240p") == (420, 240)
    scene.connect(Source(origin=99), 5 * SECOND)
    await asyncio.sleep(0.01)
    assert phase(scene, "240p") is Phase.DORMANT
    assert newest_size(scene, "240p") == (426, 240)
    assert segments(scene, "240p") == segments(scene, "360p")
    scene.assert_aligned()


async def test_what_encoders_still_deliver_of_the_run_before_is_not_made_twice(
    make_scene: MakeScene, kitchen: Kitchen
) -> None:
    scene = await opened(make_scene, kitchen)
    scene.publish(scene.source, SECOND)
    scene.encoder.is_slow = True
    address = hint(scene, "240p")
    scene.broadcast.rungs._ladder.on_request("240p", address.msn)
    scene.encoder.is_slow = True
    scene.connect(Source(origin=77), SECOND)
    waiting = await ask(scene, "240p", replace(address, part=0))
    await asyncio.sleep(0.01)
    assert kitchen.jobs == []
    scene.encoder.is_slow = False
    scene.encoder.work()
    assert b"<240p@" in (await asyncio.wait_for(waiting, PATIENCE_S) or b"")


async def test_a_rung_on_a_bridge_that_is_shed_stops(make_scene: MakeScene, kitchen: Kitchen) -> None:
    scene = await opened(make_scene, kitchen)
    ladder = scene.broadcast.rungs._ladder
    ladder.on_request("240p", 2)
    ladder.on_request("144p", 2)
    ladder.shed("240p", at_once=True)
    ladder.shed("144p")
    scene.publish(scene.source, 5 * SECOND)
    assert phase(scene, "144p") is Phase.SHED
    assert segments(scene, "144p") == segments(scene, "360p")
    assert len(await scene.frames("144p", 2)) == 50


async def test_rungs_go_to_sleep_when_encoders_have_failed(make_scene: MakeScene, kitchen: Kitchen) -> None:
    clock = Clock()
    scene = await opened(make_scene, kitchen, clock=clock)
    scene.broadcast.rungs._ladder.on_request("240p", 2)
    scene.publish(scene.source, 2 * SECOND)
    scene.encoder.is_slow = True
    scene.broadcast.rungs._encoding.on_failed("worker after worker died")
    clock.now += LINGER_S + 0.1
    scene.publish(scene.source, 6 * SECOND)
    assert phase(scene, "240p") is Phase.DORMANT
    assert segments(scene, "240p") == segments(scene, "360p")


async def test_a_rung_that_stops_when_encoders_fail_goes_to_sleep(
    make_scene: MakeScene, kitchen: Kitchen
) -> None:
    clock = Clock()
    scene = await opened(make_scene, kitchen, clock=clock)
    scene.broadcast.rungs._ladder.on_request("240p", 2)
    scene.publish(scene.source, SECOND)
    scene.encoder.is_slow = True
    clock.now += LINGER_S + 0.1
    scene.publish(scene.source, 2 * SECOND)
    assert phase(scene, "240p") is Phase.STOPPING
    scene.broadcast.rungs._encoding.on_failed("worker after worker died")
    assert phase(scene, "240p") is Phase.DORMANT
    scene.publish(scene.source, 4 * SECOND)
    assert segments(scene, "240p") == segments(scene, "360p")


async def test_each_frame_of_a_rung_that_wakes_while_it_stops_comes_from_one_encoder(
    make_scene: MakeScene, kitchen: Kitchen
) -> None:
    clock = Clock()
    scene = await opened(make_scene, kitchen, clock=clock)
    ladder = scene.broadcast.rungs._ladder
    ladder.on_request("240p", 2)
    scene.publish(scene.source, SECOND // 2)
    clock.now += LINGER_S + 0.1
    scene.encoder.is_slow = True
    scene.publish(scene.source, SECOND)
    assert phase(scene, "240p") is Phase.STOPPING
    ladder.on_request("240p", 3)
    scene.encoder.is_slow = False
    scene.publish(scene.source, 5 * SECOND)
    for msn in (2, 3, 4):
        frames = await scene.frames("240p", msn)
        assert len(frames) == len(set(frames)) == 50, msn


async def test_who_asks_while_a_rung_stops_for_long_is_served(
    make_scene: MakeScene, kitchen: Kitchen
) -> None:
    clock = Clock()
    scene = await opened(make_scene, kitchen, clock=clock)
    scene.broadcast.rungs._ladder.on_request("240p", 2)
    scene.publish(scene.source, SECOND // 2)
    address = hint(scene, "240p")
    clock.now += LINGER_S + 0.1
    scene.encoder.is_slow = True
    scene.publish(scene.source, 2 * SECOND)
    assert phase(scene, "240p") is Phase.STOPPING
    scene.broadcast.rungs._ladder.on_request("240p", address.msn + 1)
    scene.publish(scene.source, 2 * SECOND)
    scene.encoder.is_slow = False
    scene.publish(scene.source, 3 * SECOND)
    assert phase(scene, "240p") is Phase.AWAKE
    await asyncio.sleep(0.01)
    assert [request.start for request, _, _ in kitchen.jobs] == [
        scene.broadcast.output.timeline.segments[3].start
    ]
    assert scene.gaps("240p") == []


async def test_what_all_others_are_made_from_is_made_though_it_was_shed(
    make_scene: MakeScene, kitchen: Kitchen
) -> None:
    scene = make_scene(renderer=kitchen)
    hevc = replace(VIDEO, codec="hevc", codec_string="hvc1.1.6.L93.B0")
    scene.connect(Source(video=hevc), 2 * SECOND)
    await asyncio.sleep(0.01)
    ladder = scene.broadcast.rungs._ladder
    ladder.on_request("360p", 0)
    ladder.shed("360p")
    scene.publish(Source(video=hevc, number=2 * SECOND), 3 * SECOND)
    assert phase(scene, "360p") is Phase.SHED
    scene.connect(Source(origin=77, video=replace(VIDEO, bit_depth=10)), 3 * SECOND)
    assert not scene.is_copying()
    assert phase(scene, "360p") is Phase.AWAKE


async def test_what_the_governor_is_told_fits_together_while_another_source_begins(
    make_scene: MakeScene, kitchen: Kitchen
) -> None:
    scene = make_scene(renderer=kitchen)
    scene.source = Source(video=sized(1600, 900))
    scene.connect(scene.source, 2)
    await asyncio.sleep(0.01)
    scene.publish(scene.source, SECOND)
    ladder = scene.broadcast.rungs._ladder
    ladder.on_request("720p", 0)
    scene.publish(scene.source, 3 * SECOND)
    ladder.shed("720p")
    scene.encoder.is_slow = True
    scene.connect(Source(origin=77, video=sized(3840, 2160)), 3)
    load = scene.broadcast.rungs.burden.load()
    assert load is not None
    for rung in load.rungs:
        assert rung.preset in rung.presets


async def test_what_passed_before_a_rung_woke_is_made_while_it_stops(
    make_scene: MakeScene, kitchen: Kitchen
) -> None:
    clock = Clock()
    scene = await opened(make_scene, kitchen, clock=clock)
    ladder = scene.broadcast.rungs._ladder
    ladder.on_request("240p", 2)
    scene.publish(scene.source, SECOND // 2)
    clock.now += LINGER_S + 0.1
    scene.encoder.is_slow = True
    scene.publish(scene.source, 2 * SECOND)
    assert phase(scene, "240p") is Phase.STOPPING
    first = scene.view("240p").segments[0]
    waiting = scene.output.get("240p", first.generation, first.msn, None)
    assert b"<240p~" in (await asyncio.wait_for(waiting, PATIENCE_S) or b"")
