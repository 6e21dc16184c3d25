"""Rungs on demand: who wakes them, where they begin and stop, what players find meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import replace

import pytest

from hls.variant import VariantState
from media.error import CapacityError, TranscodeError
from media.packet import CLOCK_HZ, VideoTrack
from mediaserver.live.demand import LINGER_S
from mediaserver.live.ladder_rung import Phase
from transcode.render import Priority, Rendered, RenderedFrame, RenderRequest
from transcode.rung import RungSpec

from .scene import VIDEO, Encoder, MakeScene, Scene, Source

SECOND = 25
"""Frames."""


class Kitchen:
    """Stands in for `Renderer`: takes a job when told to, and names its frames `<RUNG~PTS>`."""

    def __init__(self) -> None:
        self.jobs: list[tuple[RenderRequest, Priority, int]] = []
        self.error: Exception | None = None
        self.is_open = asyncio.Event()
        self.is_open.set()

    async def tracks(self, specs: Collection[RungSpec]) -> Mapping[str, VideoTrack]:
        await self.is_open.wait()
        return {
            spec.name: replace(
                VIDEO, width=spec.width, height=spec.height, codec_string=f"avc1.{spec.height:06x}"
            )
            for spec in specs
        }

    async def render(self, request: RenderRequest, *, priority: Priority, order: int = 0) -> Rendered:
        self.jobs.append((request, priority, order))
        await self.is_open.wait()
        if self.error is not None:
            raise self.error
        track = (await self.tracks([request.spec]))[request.spec.name]
        frames = tuple(
            RenderedFrame(
                packet.pts, f"<{request.spec.name}~{packet.pts}>".encode(), packet.pts == request.start
            )
            for packet in sorted(request.packets, key=lambda packet: packet.pts)
            if request.start <= packet.pts < request.end
        )
        return Rendered(track, frames)


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def kitchen() -> Kitchen:
    return Kitchen()


async def opened(
    make_scene: MakeScene,
    kitchen: Kitchen,
    frames: int = 5 * SECOND,
    gop: int = 50,
    clock: Clock | None = None,
) -> Scene:
    """Open a broadcast that nobody watches, the tracks of its rungs known."""
    scene = make_scene(renderer=kitchen)
    if clock is not None:
        scene.broadcast.rungs._ladder._clock = clock
    scene.source = Source(gop=gop)
    scene.connect(scene.source, 2)
    await asyncio.sleep(0.01)
    scene.publish(scene.source, frames - 2)
    return scene


def segments(scene: Scene, name: str) -> list[tuple[int, tuple[float, ...], bool]]:
    return [
        (segment.msn, tuple(part.duration_s for part in segment.parts), segment.is_complete)
        for segment in scene.view(name).segments
    ]


def phase(scene: Scene, name: str) -> Phase | None:
    return scene.broadcast.rungs._ladder.phase(name)


async def test_a_dormant_rung_lists_what_the_timeline_has(make_scene: MakeScene, kitchen: Kitchen) -> None:
    scene = await opened(make_scene, kitchen)
    assert scene.encoder.diary == []
    assert segments(scene, "240p") == segments(scene, "360p") != []
    assert scene.view("240p").hint is not None
    for segment in scene.view("240p").segments:
        assert [part.is_independent for part in segment.parts] == [i == 0 for i in range(len(segment.parts))]
        assert not segment.is_gap
        assert scene.output.init("240p", segment.generation)
    assert kitchen.jobs == []
    states = {state.name: state.kind for state in scene.broadcast.rungs.states}
    assert states == {"360p": "copied", "240p": "dormant", "144p": "dormant"}


async def test_newcomers_are_led_to_a_rung_that_is_made(make_scene: MakeScene, kitchen: Kitchen) -> None:
    scene = await opened(make_scene, kitchen)
    view = scene.output.multivariant()
    assert view is not None
    assert {variant.name: variant.is_active for variant in view.variants} == {
        "360p": True,
        "240p": False,
        "144p": False,
    }


async def test_a_past_segment_is_made_when_it_is_asked_for(make_scene: MakeScene, kitchen: Kitchen) -> None:
    scene = await opened(make_scene, kitchen)
    segment = scene.view("240p").segments[1]
    whole = await scene.output.get("240p", segment.generation, segment.msn, None)
    assert whole is not None
    start = 2 * CLOCK_HZ
    assert whole.count(b"<240p~") == 50
    assert f"<240p~{start}>".encode() in whole
    parts = [
        await scene.output.get("240p", segment.generation, segment.msn, index)
        for index in range(len(segment.parts))
    ]
    assert b"".join(part or b"" for part in parts) == whole
    ((request, priority, order),) = kitchen.jobs
    assert (request.start, request.end) == (start, start + 2 * CLOCK_HZ)
    assert (priority, order) == (Priority.LIVE, segment.msn)
    assert [packet.data[:6] for packet in request.packets[:2]] == [b"<copy@", b"<copy@"]


async def test_who_asks_together_shares_one_job(make_scene: MakeScene, kitchen: Kitchen) -> None:
    scene = await opened(make_scene, kitchen)
    segment = scene.view("240p").segments[0]
    asked = [scene.output.get("240p", segment.generation, segment.msn, part) for part in (None, 0, 1, None)]
    answers = await asyncio.gather(*asked)
    assert all(answers)
    assert len(kitchen.jobs) == 1


async def test_a_rung_wakes_with_the_open_segment(make_scene: MakeScene, kitchen: Kitchen) -> None:
    scene = await opened(make_scene, kitchen)
    hint = scene.view("240p").hint
    assert hint is not None
    waiting = asyncio.create_task(scene.output.get("240p", hint.generation, hint.msn, 0))
    await asyncio.sleep(0.01)
    assert scene.encoder.diary == ["activate 240p"]
    assert phase(scene, "240p") is Phase.AWAKE
    assert phase(scene, "144p") is Phase.DORMANT
    scene.publish(scene.source, 3 * SECOND)
    start = 4 * CLOCK_HZ
    assert f"<240p@{start}!>".encode() in (await waiting or b"")
    frames = await scene.frames("240p", hint.msn)
    assert frames[0] == f"240p@{start}!"
    assert len(frames) == 50
    following = await scene.frames("240p", hint.msn + 1)
    assert following[0] == f"240p@{start + 2 * CLOCK_HZ}!"
    scene.assert_aligned()
    view = scene.output.multivariant()
    assert view is not None
    assert [variant.name for variant in view.variants if variant.is_active] == ["360p", "240p"]


async def test_a_second_rung_crosses_by_a_bridge(make_scene: MakeScene, kitchen: Kitchen) -> None:
    scene = await opened(make_scene, kitchen)
    hint = scene.view("240p").hint
    assert hint is not None
    for name in ("240p", "144p"):
        scene.broadcast.rungs._ladder.on_request(name, hint.msn)
    first, bridge = Encoder.made
    assert (first.diary, bridge.diary) == (["activate 240p"], ["activate 144p"])
    scene.publish(scene.source, 4 * SECOND)
    start = 4 * CLOCK_HZ
    for name in ("240p", "144p"):
        frames = await scene.frames(name, hint.msn)
        assert (frames[0], len(frames)) == (f"{name}@{start}!", 50)
        following = await scene.frames(name, hint.msn + 1)
        assert (following[0], len(following)) == (f"{name}@{start + 2 * CLOCK_HZ}!", 50)
    await asyncio.sleep(0.01)
    assert bridge.is_closed
    assert first.diary == ["activate 240p", "activate 144p"]
    assert scene.gaps("144p") == []


async def test_a_rung_sleeps_when_nobody_asks(make_scene: MakeScene, kitchen: Kitchen) -> None:
    clock = Clock()
    scene = await opened(make_scene, kitchen, clock=clock)
    hint = scene.view("240p").hint
    assert hint is not None
    scene.broadcast.rungs._ladder.on_request("240p", hint.msn)
    scene.publish(scene.source, 4 * SECOND)
    assert phase(scene, "240p") is Phase.AWAKE
    clock.now += LINGER_S + 0.1
    scene.publish(scene.source, 3 * SECOND)
    assert phase(scene, "240p") is Phase.DORMANT
    assert scene.encoder.diary[-1] == "deactivate 240p"
    scene.publish(scene.source, 4 * SECOND)
    assert segments(scene, "240p") == segments(scene, "360p")
    assert scene.gaps("240p") == []
    last = scene.view("240p").segments[-2]
    data = await scene.output.get("240p", last.generation, last.msn, None)
    assert (data or b"").count(b"<240p~") == 50  # made in the kitchen


async def test_it_wakes_again_while_it_stops(make_scene: MakeScene, kitchen: Kitchen) -> None:
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
    assert phase(scene, "240p") is Phase.AWAKE
    assert scene.gaps("240p") == []
    for msn in (2, 3, 4):
        assert len(await scene.frames("240p", msn)) == 50, msn


async def test_rewind_does_not_keep_a_rung_awake(make_scene: MakeScene, kitchen: Kitchen) -> None:
    scene = await opened(make_scene, kitchen, frames=40 * SECOND)
    segment = scene.view("240p").segments[0]
    assert await scene.output.get("240p", segment.generation, segment.msn, None)
    assert kitchen.jobs[0][1] is Priority.REWIND
    assert phase(scene, "240p") is Phase.DORMANT
    newest = scene.view("240p").segments[-2]
    assert await scene.output.get("240p", newest.generation, newest.msn, None)
    assert phase(scene, "240p") is Phase.AWAKE


async def test_what_cannot_be_made_becomes_a_gap(make_scene: MakeScene, kitchen: Kitchen) -> None:
    scene = await opened(make_scene, kitchen)
    kitchen.error = TranscodeError("the worker died on it")
    segment = scene.view("240p").segments[0]
    assert await scene.output.get("240p", segment.generation, segment.msn, None) is None
    assert {msn for msn, _ in scene.gaps("240p")} == {segment.msn}


async def test_what_has_no_room_is_asked_for_again(
    make_scene: MakeScene, kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = await opened(make_scene, kitchen)
    monkeypatch.setattr(type(scene.output.config), "hold_limit_s", 0.05)
    kitchen.error = CapacityError("too many jobs wait")
    segment = scene.view("240p").segments[0]
    with pytest.raises(CapacityError):
        await scene.output.get("240p", segment.generation, segment.msn, None)
    kitchen.error = None
    assert await scene.output.get("240p", segment.generation, segment.msn, None)
    assert scene.gaps("240p") == []


async def test_a_shed_rung_is_a_gap_and_comes_back(make_scene: MakeScene, kitchen: Kitchen) -> None:
    scene = await opened(make_scene, kitchen)
    ladder = scene.broadcast.rungs._ladder
    ladder.on_request("240p", 2)
    scene.publish(scene.source, 2 * SECOND)
    hint = scene.view("240p").hint
    assert hint is not None
    ladder.shed("240p")
    scene.publish(scene.source, 2 * SECOND)
    assert phase(scene, "240p") is Phase.SHED
    assert scene.view("240p").hint is None
    view = scene.output.multivariant()
    assert view is not None
    assert [variant.name for variant in view.variants] == ["360p", "144p"]
    waiting = scene.output.get("240p", hint.generation, scene.view("240p").segments[-1].msn, 99)
    assert await asyncio.wait_for(waiting, 1) is None
    assert segments(scene, "240p") == segments(scene, "360p")
    assert not any(segment.is_discontinuity for segment in scene.view("240p").segments[1:])
    ladder.restore("240p")
    scene.publish(scene.source, 4 * SECOND)
    assert phase(scene, "240p") is Phase.AWAKE
    assert {msn for msn, _ in scene.gaps("240p")} == {4}
    frames = await scene.frames("240p", scene.view("240p").segments[-2].msn)
    assert frames[0].endswith("!")


async def test_shed_at_once(make_scene: MakeScene, kitchen: Kitchen) -> None:
    scene = await opened(make_scene, kitchen)
    ladder = scene.broadcast.rungs._ladder
    ladder.on_request("240p", 2)
    scene.publish(scene.source, SECOND // 2)
    ladder.shed("240p", at_once=True)
    assert scene.encoder.diary[-1] == "deactivate 240p"
    assert phase(scene, "240p") is Phase.SHED
    scene.publish(scene.source, SECOND)
    assert scene.view("240p").segments[-1].parts[-1].is_gap


async def test_a_preset_changes_with_a_segment(make_scene: MakeScene, kitchen: Kitchen) -> None:
    scene = await opened(make_scene, kitchen)
    ladder = scene.broadcast.rungs._ladder
    ladder.on_request("240p", 2)
    ladder.set_preset("240p", "ultrafast")
    assert scene.encoder.rungs["240p"][0].preset == "superfast"
    scene.publish(scene.source, 2 * SECOND)
    assert scene.encoder.rungs["240p"][0].preset == "ultrafast"
    assert scene.gaps("240p") == []


async def test_without_a_copy_the_best_rung_is_always_made(make_scene: MakeScene, kitchen: Kitchen) -> None:
    scene = make_scene(renderer=kitchen, quality="240p")
    source = Source()
    scene.connect(source, 2)
    await asyncio.sleep(0.01)
    scene.publish(source, 5 * SECOND)
    assert phase(scene, "240p") is Phase.AWAKE
    assert phase(scene, "144p") is Phase.DORMANT
    segment = scene.view("144p").segments[0]
    assert await scene.output.get("144p", segment.generation, segment.msn, None)
    assert kitchen.jobs[0][0].packets[0].data.startswith(b"<240p@")


async def test_a_source_that_is_encoded_is_waited_for(make_scene: MakeScene, kitchen: Kitchen) -> None:
    scene = make_scene(renderer=kitchen, quality="240p")
    scene.source = Source()
    scene.connect(scene.source, 2)
    await asyncio.sleep(0.01)
    scene.encoder.is_slow = True
    scene.publish(scene.source, 3 * SECOND)
    segment = scene.view("144p").segments[0]
    assert segment.is_complete
    waiting = asyncio.create_task(scene.output.get("144p", segment.generation, segment.msn, None))
    await asyncio.sleep(0.01)
    assert kitchen.jobs == []
    scene.encoder.work()
    assert (await asyncio.wait_for(waiting, 5) or b"").count(b"<144p~") == 50


async def test_rare_keyframes_pin_the_top_rung(make_scene: MakeScene, kitchen: Kitchen) -> None:
    scene = await opened(make_scene, kitchen, frames=7 * SECOND, gop=250)
    assert not scene.is_copying()
    assert phase(scene, "360p") is Phase.AWAKE
    assert phase(scene, "240p") is Phase.DORMANT
    scene.publish(scene.source, 4 * SECOND)
    segment = scene.view("240p").segments[2]
    assert await scene.output.get("240p", segment.generation, segment.msn, None)
    scene.assert_aligned()


async def test_over_a_reconnect(make_scene: MakeScene, kitchen: Kitchen) -> None:
    scene = await opened(make_scene, kitchen)
    scene.broadcast.rungs._ladder.on_request("240p", 2)
    scene.publish(scene.source, SECOND)
    scene.connect(Source(origin=77), 5 * SECOND)
    assert phase(scene, "240p") is Phase.AWAKE
    assert phase(scene, "144p") is Phase.DORMANT
    scene.assert_aligned()
    assert scene.gaps("240p") == scene.gaps("144p") == []
    assert len(segments(scene, "240p")) == len(segments(scene, "144p"))


async def test_after_the_end_promises_are_kept(make_scene: MakeScene, kitchen: Kitchen) -> None:
    scene = await opened(make_scene, kitchen)
    await scene.broadcast.finish()
    view = scene.view("144p")
    assert view.is_ended
    assert scene.gaps("144p") == []
    for segment in view.segments:
        data = await scene.output.get("144p", segment.generation, segment.msn, None)
        assert (data or b"").count(b"<144p~") > 0


async def test_nothing_is_listed_before_its_track_is_known(make_scene: MakeScene, kitchen: Kitchen) -> None:
    kitchen.is_open.clear()
    scene = await opened(make_scene, kitchen)
    assert scene.view("240p").segments == ()
    kitchen.is_open.set()
    await asyncio.sleep(0.01)
    assert segments(scene, "240p") == segments(scene, "360p")
    assert scene.output._videos["240p"].state is VariantState.DORMANT
