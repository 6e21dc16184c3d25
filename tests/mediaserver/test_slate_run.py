"""The slate on the timeline: what players are listed while there is no source."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hls.config import HlsConfig
from media.packet import CLOCK_HZ, VideoTrack
from mediaserver.live.slate_run import frame_count, frame_ticks
from transcode.message import EncodedFrame
from transcode.slate import SlateRung

from .scene import AAC_44, FRAME, VIDEO, MakeScene, Scene, Source, sized

SLATE_TRACK = replace(VIDEO, codec_string="avc1.slate")


def slate_of(scene: Scene, track: VideoTrack = SLATE_TRACK) -> dict[str, SlateRung]:
    """Make a slate whose pictures say `<slateN@0>`; `!` for its IDR."""
    request = scene.broadcast.slate_request()
    assert request is not None
    slate = {}
    for spec in request.specs:
        frames = [
            EncodedFrame(spec.name, index == 0, f"<slate{index}@0{'' if index else '!'}>".encode())
            for index in range(request.frame_count)
        ]
        slate[spec.name] = SlateRung(track, tuple(frames))
    return slate


def lose(scene: Scene, seconds: float) -> None:
    """Lose the source and show a slate for so long."""
    scene.broadcast.end_source()
    step = scene.broadcast.begin_slate(slate_of(scene))
    for elapsed in range(0, round(seconds * CLOCK_HZ), step):
        scene.broadcast.show_slate(elapsed)


async def test_slate_is_a_run_of_its_own_on_every_rung(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.connect(Source(), 60)
    lose(scene, 5)
    assert scene.is_on_slate()
    assert not scene.broadcast.has_media
    assert {state.kind for state in scene.broadcast.rungs.states} == {"slate"}
    scene.connect(Source(origin=0), 60)
    assert not scene.is_on_slate()
    await scene.broadcast.finish()
    for name in ("360p", "240p", "144p"):
        frames = await scene.frames(name)
        assert len([frame for frame in frames if frame.startswith("slate")]) == 50, name
        assert len(frames) == 60 + 50 + 60
        assert scene.gaps(name) == []
        assert len(scene.discontinuities(name)) == 2
    assert scene.gaps("audio") == []
    scene.assert_aligned()


async def test_one_gop_is_repeated_and_segments_begin_with_its_keyframe(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.connect(Source(), 50)
    lose(scene, 6)
    await scene.broadcast.finish()
    shown = [segment for segment in scene.view("144p").segments if segment.msn >= 1]
    assert [segment.duration_s for segment in shown] == [2.0, 2.0, 2.0]
    for segment in shown:
        assert (await scene.frames("144p", segment.msn))[0] == "slate0@0!"
        assert [part.duration_s for part in segment.parts] == [0.5] * 4


async def test_source_that_is_back_before_the_slate_makes_one_break(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.connect(Source(), 60)
    scene.broadcast.end_source()
    scene.connect(Source(), 60)
    await scene.broadcast.finish()
    assert [len(scene.discontinuities(name)) for name in ("360p", "144p", "audio")] == [1, 1, 1]


async def test_slate_waits_for_the_encoded_tail(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.connect(Source(), 60)
    scene.encoder.is_slow = True
    scene.publish(Source(number=60), 5)
    lose(scene, 1)
    scene.encoder.work()
    await scene.broadcast.finish()
    frames = await scene.frames("144p")
    assert [frame for frame in frames if frame.startswith("144p@")][-1] == f"144p@{scene.sent[-1]}"
    assert len(frames) == 65 + 10
    assert scene.gaps("144p") == []
    scene.assert_aligned()


async def test_encoders_rest_during_the_slate_and_begin_anew_behind_it(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.connect(Source(), 60)
    lose(scene, 3)
    assert scene.encoder.rungs == {}
    scene.connect(Source(), 60)
    assert set(scene.encoder.rungs) == {"240p", "144p"}
    await scene.broadcast.finish()
    behind = scene.discontinuities("144p")[1]
    assert (await scene.frames("144p", behind))[0].endswith("!")


async def test_silence_keeps_the_sound_that_was_there(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.connect(Source(audio=AAC_44), 60)
    lose(scene, 3)
    await scene.broadcast.finish()
    assert len({segment.generation for segment in scene.view("audio").segments}) == 1, "no new init segment"
    assert scene.gaps("audio") == []


async def test_slate_of_a_smaller_source_that_larger_rungs_carry(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.connect(Source(video=sized(1280, 720)), 60)
    scene.connect(Source(video=sized(640, 360)), 60)
    request = scene.broadcast.slate_request()
    assert request is not None
    assert {spec.name: (spec.width, spec.height) for spec in request.specs} == {
        "720p": (640, 360), "480p": (640, 360), "360p": (640, 360), "240p": (426, 240), "144p": (256, 144),
    }  # fmt: skip
    lose(scene, 2)
    await scene.broadcast.finish()
    scene.assert_aligned()


async def test_slate_is_made_of_the_last_pictures(make_scene: MakeScene) -> None:
    scene = make_scene()
    source = Source()
    scene.connect(source, 60)
    request = scene.broadcast.slate_request()
    assert request is not None
    assert [packet.is_keyframe for packet in request.packets] == [True] + [False] * 9
    assert request.packets[-1].dts == source.origin + 59 * FRAME
    assert request.track == VIDEO


async def test_radio_has_silence_for_a_slate(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.connect(Source(video=None), 500)
    assert scene.broadcast.slate_request() is None
    scene.broadcast.end_source()
    for elapsed in range(0, 3 * CLOCK_HZ, scene.broadcast.begin_slate({})):
        scene.broadcast.show_slate(elapsed)
    scene.connect(Source(video=None, origin=0), 500)
    await scene.broadcast.finish()
    assert scene.gaps("audio") == []
    assert len(scene.discontinuities("audio")) == 2


async def test_rung_without_a_slate_has_gaps(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.connect(Source(), 50)
    slate = slate_of(scene)
    del slate["240p"]
    scene.broadcast.end_source()
    scene.broadcast.begin_slate(slate)
    scene.broadcast.show_slate(2 * CLOCK_HZ)
    await scene.broadcast.finish()
    assert {msn for msn, _ in scene.gaps("240p")} == {1, 2}
    assert scene.gaps("144p") == []
    scene.assert_aligned()


async def test_broadcast_that_ends_on_its_slate(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.connect(Source(), 60)
    lose(scene, 1.25)
    await scene.broadcast.finish()
    assert scene.view("360p").is_ended
    assert scene.gaps("360p") == []
    scene.broadcast.show_slate(10 * CLOCK_HZ)
    assert len([frame for frame in await scene.frames("360p") if frame.startswith("slate")]) == 13


@pytest.mark.parametrize(
    ("part_s", "segment_s"), [(0.5, 2), (0.25, 1), (1, 6), (0.33, 2), (0.1, 0.5), (0.35, 3)]
)
def test_parts_hold_whole_pictures(part_s: float, segment_s: float) -> None:
    config = HlsConfig(part_s=part_s, segment_s=segment_s)
    step, count = frame_ticks(config), frame_count(config)
    pictures = round(part_s * 10)
    assert config.part_ticks - pictures < pictures * step <= config.part_ticks
    assert config.segment_ticks / 2 < count * step <= config.segment_ticks
