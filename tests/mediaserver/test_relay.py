"""Relay: which rungs there are for WebRTC, which frames of them come, and when."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from media.h264 import parse_avc_config, split_length_prefixed
from media.packet import VideoTrack
from mediaserver.live import relay_flow
from mediaserver.live.demand import LINGER_S, VIEWER_REQUESTS, WATCHED_S, Demand
from mediaserver.live.ladder_rung import Phase
from mediaserver.live.reordering import QUIET_WAIT, UNSAID_WAIT, Reordering
from tests.transcode.source import video
from transcode.message import EncodedFrame
from transcode.slate import SlateRung

from .relay_sink import Diary
from .scene import FRAME, VIDEO, MakeScene, Scene, Source, sized
from .test_ladder import SECOND, Clock, Kitchen, kitchen, opened, phase

__all__ = ["kitchen"]

REORDERING = video(2, b_frames=2)[0].track
assert isinstance(REORDERING, VideoTrack)


def attached(scene: Scene) -> Diary:
    diary = Diary()
    scene.broadcast.rungs.relay.attach(diary)
    return diary


def want(scene: Scene, *names: str, audio: bool = False) -> None:
    scene.broadcast.rungs.relay.want(dict.fromkeys(names, 1), audio=audio)


def named(frames: int, start: int = 0, keyframe: int = 0) -> list[str]:
    return [f"copy@{n * FRAME}{'!' if n == keyframe else ''}" for n in range(start, start + frames)]


def is_in_order(reordering: Reordering, at: int) -> bool:
    """Let a picture come that is shown when it is decoded, to the millisecond."""
    reordering.look(at, at + 90)
    return reordering.is_in_order


def show_slate(scene: Scene, frames: int) -> None:
    slate = SlateRung(VIDEO, tuple(EncodedFrame("", n == 0, b"<slate>") for n in range(20)))
    step = scene.broadcast.begin_slate(dict.fromkeys(scene.broadcast.rungs.names, slate))
    scene.broadcast.show_slate((frames - 1) * step)


async def test_nothing_before_the_first_source(make_scene: MakeScene) -> None:
    scene = make_scene()
    assert not scene.broadcast.rungs.relay.has_media
    scene.connect(Source(), 2)
    assert scene.broadcast.rungs.relay.has_media


async def test_rungs_are_declared_best_first(make_scene: MakeScene, kitchen: Kitchen) -> None:
    scene = await opened(make_scene, kitchen)
    diary = attached(scene)
    assert [
        (rung.name, rung.width, rung.height, rung.is_made, rung.can_force) for rung in diary.told[-1]
    ] == [
        ("360p", 640, 360, True, False),
        ("240p", 426, 240, False, True),
        ("144p", 256, 144, False, True),
    ]
    assert all(rung.bitrate_bps > 0 for rung in diary.told[-1])


async def test_a_copied_frame_comes_while_its_packet_is_taken(
    make_scene: MakeScene, kitchen: Kitchen
) -> None:
    scene = await opened(make_scene, kitchen, 50)
    diary = attached(scene)
    want(scene, "360p")
    diary.frames.clear()
    for number in range(50, 60):
        scene.publish(scene.source, 1)
        assert diary.pts("360p")[-1] == number * FRAME


async def test_whoever_comes_gets_the_pictures_since_the_newest_keyframe(
    make_scene: MakeScene, kitchen: Kitchen
) -> None:
    scene = await opened(make_scene, kitchen, 60)
    diary = attached(scene)
    want(scene, "360p")
    assert diary.text("360p") == named(10, 50, 50)
    scene.publish(scene.source, 1)
    want(scene, "360p")  # it is repeated
    assert diary.text("360p") == named(11, 50, 50)


async def test_too_many_pictures_are_not_kept(
    make_scene: MakeScene, kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_flow, "MAX_KEPT_BYTES", 100)
    scene = await opened(make_scene, kitchen, 70)
    diary = attached(scene)
    want(scene, "360p")
    scene.publish(scene.source, 20)
    assert diary.frames == []
    scene.publish(scene.source, 20)
    assert diary.text("360p") == named(10, 100, 100)


async def test_pictures_of_more_than_two_seconds_are_not_kept(
    make_scene: MakeScene, kitchen: Kitchen
) -> None:
    scene = await opened(make_scene, kitchen, 80, gop=80)
    diary = attached(scene)
    want(scene, "360p")
    assert diary.frames == []
    scene.publish(scene.source, 1)
    assert diary.text("360p") == named(1, 80, 80)


async def test_keyframes_have_their_parameter_sets(make_scene: MakeScene, kitchen: Kitchen) -> None:
    scene = await opened(make_scene, kitchen, 52)
    diary = attached(scene)
    want(scene, "360p")
    sets = parse_avc_config(VIDEO.config)
    first, second = (frame for _, frame in diary.frames)
    length = sum(4 + len(nal) for nal in sets.sps + sets.pps)
    assert split_length_prefixed(first.data[:length]) == [*sets.sps, *sets.pps]
    assert first.data[length:] == f"<copy@{50 * FRAME}!>".encode()
    assert second.data == f"<copy@{51 * FRAME}>".encode()


async def test_only_what_is_wanted_comes(make_scene: MakeScene) -> None:
    scene = make_scene()
    source = Source()
    scene.connect(source, 10)
    diary = attached(scene)
    scene.publish(source, 10)
    assert diary.frames == []
    want(scene, "240p")
    want(scene, "144p")
    diary.frames.clear()
    scene.publish(source, 10)
    assert {name for name, _ in diary.frames} == {"144p"}
    scene.broadcast.rungs.relay.detach()
    diary.frames.clear()
    scene.publish(source, 60)
    assert diary.frames == []


async def test_a_rung_that_sleeps_wakes_as_if_hls_had_asked(make_scene: MakeScene, kitchen: Kitchen) -> None:
    clock = Clock()
    scene = await opened(make_scene, kitchen, 60, clock=clock)
    diary = attached(scene)
    want(scene, "240p")
    await asyncio.sleep(0)
    assert phase(scene, "240p") is Phase.AWAKE
    assert diary.rung("240p").is_made
    # The stand-in holds back three pictures.
    assert diary.pts("240p") == [n * FRAME for n in range(50, 57)]
    assert diary.keyframes("240p") == [50 * FRAME]
    clock.now += LINGER_S - 1
    want(scene, "240p")
    clock.now += LINGER_S - 1
    scene.publish(scene.source, 100)
    assert phase(scene, "240p") is Phase.AWAKE
    want(scene)
    clock.now += LINGER_S + 1
    scene.publish(scene.source, 100)
    await asyncio.sleep(0)
    assert phase(scene, "240p") is Phase.DORMANT
    assert not diary.rung("240p").is_made


async def test_a_rung_is_wanted_before_anything_is_known_of_it(
    make_scene: MakeScene, kitchen: Kitchen
) -> None:
    kitchen.is_open.clear()
    scene = make_scene(renderer=kitchen)
    source = Source()
    scene.connect(source, 10)
    diary = attached(scene)
    want(scene, "240p")
    assert phase(scene, "240p") is Phase.DORMANT
    kitchen.is_open.set()
    await asyncio.sleep(0.01)
    assert phase(scene, "240p") is Phase.AWAKE
    assert diary.keyframes("240p") == [0]


async def test_a_rung_that_the_machine_cannot_carry_is_not_offered(
    make_scene: MakeScene, kitchen: Kitchen
) -> None:
    scene = await opened(make_scene, kitchen)
    diary = attached(scene)
    scene.broadcast.rungs._ladder._admit = lambda _: False
    want(scene, "240p")
    await asyncio.sleep(0)
    assert diary.names == ["360p", "144p"]


async def test_a_rung_is_withdrawn_with_its_first_reordered_picture(
    make_scene: MakeScene, kitchen: Kitchen
) -> None:
    scene = await opened(make_scene, kitchen, 50)
    scene.broadcast.rungs.relay.stand_in._admit = lambda *_: False
    diary = attached(scene)
    want(scene, "360p")
    assert diary.names == ["360p", "240p", "144p"]
    before = len(diary.frames)
    scene.source.b_frames = 2
    scene.publish(scene.source, 3)
    await asyncio.sleep(0)
    assert diary.names == ["240p", "144p"]
    assert len(diary.frames) <= before + 1
    scene.publish(scene.source, 47)
    scene.source.b_frames = 0
    scene.publish(scene.source, 9 * SECOND)
    await asyncio.sleep(0)
    assert diary.names == ["240p", "144p"]
    scene.publish(scene.source, 2 * SECOND)
    assert diary.names == ["360p", "240p", "144p"]
    came_back = diary.frames[before + 1 :]
    assert came_back[0][1].is_keyframe, "it goes on with the pictures since the newest keyframe"


@pytest.mark.parametrize(
    ("track", "wait"), [(VIDEO, 0), (replace(VIDEO, config=REORDERING.config), QUIET_WAIT)]
)
def test_parameter_sets_say_how_long_a_source_is_watched(track: VideoTrack, wait: int) -> None:
    reordering = Reordering()
    reordering.begin(track, 1000)
    assert not is_in_order(reordering, 1000 + wait - 1)
    assert is_in_order(reordering, 1000 + wait)
    reordering.begin(track, 2000 + wait)
    assert is_in_order(reordering, 2000 + wait), "it is known by now"


def test_a_source_that_says_nothing_is_watched_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("media.sps._read_max_reordered", lambda _reader, has_timing: None)
    monkeypatch.setattr("media.sps._OUTPUT_ORDER", -1)
    reordering = Reordering()
    reordering.begin(VIDEO, 0)
    assert not is_in_order(reordering, UNSAID_WAIT - FRAME)
    assert is_in_order(reordering, UNSAID_WAIT)
    ours = Reordering()
    ours.begin(VIDEO, 0, is_ours=True)
    assert is_in_order(ours, 0)


async def test_a_rung_may_become_fit_while_it_is_wanted(make_scene: MakeScene, kitchen: Kitchen) -> None:
    scene = make_scene(renderer=kitchen)
    source = Source(video=replace(VIDEO, config=REORDERING.config), gop=40)
    scene.broadcast.rungs.relay.stand_in._admit = lambda *_: False
    scene.connect(source, 2)
    diary = attached(scene)
    want(scene, "360p", "240p")
    await asyncio.sleep(0.01)
    scene.publish(source, 10 * SECOND - 2)
    assert diary.pts("360p") == []
    scene.publish(source, 1)
    assert diary.text("360p") == named(11, 240, 240)


async def test_other_codecs_are_not_offered(make_scene: MakeScene) -> None:
    hevc = replace(sized(640, 360), codec="hevc", codec_string="hvc1.1.6.L93.90")
    scene = make_scene()
    source = Source(video=hevc)
    scene.connect(source, 10)
    diary = attached(scene)
    want(scene, "360p-hevc")
    scene.publish(source, 10)
    assert diary.names == ["360p", "240p", "144p"]
    assert diary.rung("360p").can_force
    assert diary.frames == []


async def test_a_keyframe_is_made_when_one_is_asked_for(make_scene: MakeScene) -> None:
    scene = make_scene()
    source = Source()
    scene.connect(source, 60)
    diary = attached(scene)
    want(scene, "240p", "144p")
    diary.frames.clear()
    scene.broadcast.rungs.relay.force_keyframe("240p", 58 * FRAME)
    scene.broadcast.rungs.relay.force_keyframe("360p", 58 * FRAME)
    scene.publish(source, 10)
    assert diary.keyframes("240p") == [59 * FRAME]
    assert diary.keyframes("144p") == []


async def test_a_keyframe_of_the_far_future_is_made_soon(make_scene: MakeScene) -> None:
    scene = make_scene()
    source = Source()
    scene.connect(source, 60)
    diary = attached(scene)
    want(scene, "240p")
    diary.frames.clear()
    scene.broadcast.rungs.relay.force_keyframe("240p", 1_000_000 * FRAME)
    scene.publish(source, 30)
    assert diary.keyframes("240p") == [85 * FRAME]


async def test_a_keyframe_that_is_asked_for_is_part_of_a_segment(make_scene: MakeScene) -> None:
    scene = make_scene()
    source = Source()
    scene.connect(source, 60)
    scene.broadcast.rungs.relay.force_keyframe("240p", 58 * FRAME)
    scene.publish(source, 100)
    scene.assert_aligned()
    assert scene.gaps("240p") == []
    frames = await scene.frames("240p", 1)
    assert [frame for frame in frames if frame.endswith("!")] == [
        f"240p@{50 * FRAME}!",
        f"240p@{59 * FRAME}!",
    ]
    parts = [part.is_independent for part in scene.view("240p").segments[1].parts]
    assert parts[:2] == [True, False]


async def test_on_a_bridge_a_keyframe_is_made_as_well(make_scene: MakeScene, kitchen: Kitchen) -> None:
    scene = await opened(make_scene, kitchen, 60)
    diary = attached(scene)
    want(scene, "240p")
    want(scene, "240p", "144p")
    assert "144p" in scene.broadcast.rungs._encoding._bridges.names
    scene.broadcast.rungs.relay.force_keyframe("144p", 60 * FRAME)
    scene.publish(scene.source, 10)
    assert diary.keyframes("144p") == [50 * FRAME, 61 * FRAME]
    assert diary.keyframes("240p") == [50 * FRAME]


async def test_a_slate_is_shown_and_the_source_goes_on_with_a_keyframe(
    make_scene: MakeScene, kitchen: Kitchen
) -> None:
    scene = await opened(make_scene, kitchen, 60)
    diary = attached(scene)
    want(scene, "360p")
    scene.broadcast.end_source()
    await asyncio.sleep(0)
    assert diary.names == ["360p", "240p", "144p"], "what was told stays until something else fills the rungs"
    diary.frames.clear()
    show_slate(scene, 15)
    assert [(rung.is_made, rung.can_force) for rung in diary.told[-1]] == [(True, False)] * 3
    assert len(diary.frames) == 15
    assert diary.keyframes("360p") == [60 * FRAME]
    diary.frames.clear()
    scene.connect(Source(), 10)
    assert diary.keyframes("360p")[0] == diary.pts("360p")[0] > 60 * FRAME
    assert len(diary.pts("360p")) == 10
    assert not diary.rung("240p").is_made


async def test_times_rise_over_runs_of_the_source(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.connect(Source(), 60)
    diary = attached(scene)
    want(scene, "360p", "240p")
    for origin in (100, 7_000_000, 3):
        scene.connect(Source(origin=origin), 30)
    for name in ("360p", "240p"):
        pts = diary.pts(name)
        assert pts == sorted(set(pts))
        assert pts[-1] >= 140 * FRAME


async def test_what_is_made_once_more_does_not_come_once_more(
    make_scene: MakeScene, kitchen: Kitchen
) -> None:
    scene = await opened(make_scene, kitchen, 60)
    diary = attached(scene)
    want(scene, "240p")
    scene.broadcast.rungs._ladder.shed("240p", at_once=True)
    scene.broadcast.rungs._ladder.restore("240p")
    scene.publish(scene.source, 100)
    pts = diary.pts("240p")
    assert pts == sorted(set(pts))


async def test_a_rate_that_is_measured_takes_the_place_of_the_plan(
    make_scene: MakeScene, kitchen: Kitchen
) -> None:
    scene = await opened(make_scene, kitchen, 55)
    diary = attached(scene)
    measured = diary.rung("360p").bitrate_bps
    assert 0 < measured < 10_000
    planned = diary.rung("240p").bitrate_bps
    want(scene, "240p")
    scene.publish(scene.source, 250)
    await asyncio.sleep(0)
    assert 0 < diary.rung("240p").bitrate_bps < planned // 10
    told = len(diary.told)
    scene.publish(scene.source, 250)
    await asyncio.sleep(0)
    assert len(diary.told) == told, "a rate that hardly changes is not told again"


async def test_one_sink_at_a_time(make_scene: MakeScene) -> None:
    scene = make_scene()
    source = Source()
    scene.connect(source, 60)
    first = attached(scene)
    want(scene, "360p")
    second = attached(scene)
    first.frames.clear()
    scene.publish(source, 10)
    assert (first.frames, second.frames) == ([], [])
    await scene.broadcast.finish()
    assert (first.is_closed, second.is_closed) == (False, True)


async def test_failed_encoders_leave_the_copy(make_scene: MakeScene, kitchen: Kitchen) -> None:
    scene = await opened(make_scene, kitchen, 60)
    diary = attached(scene)
    want(scene, "240p")
    scene.encoder.sink.on_failed("they are broken")
    scene.encoder.rungs.clear()
    scene.publish(scene.source, 50)
    await asyncio.sleep(0)
    assert diary.names == ["360p"]


def test_viewers_count_as_requests() -> None:
    demand = Demand()
    demand.note_viewers("240p", 30, 100.0)
    assert demand.rate("240p", 100.0) > 29 * VIEWER_REQUESTS
    assert demand.has_viewers("240p", 100.0 + WATCHED_S)
    assert not demand.has_viewers("240p", 101.0 + WATCHED_S)
    assert demand.wants("240p", 100.0 + LINGER_S)
    demand.note_viewers("240p", 0, 101.0)
    assert demand.rate("240p", 101.0) < 1
    assert demand.wants("240p", 100.0 + LINGER_S)
    assert not demand.wants("240p", 101.0 + LINGER_S)
