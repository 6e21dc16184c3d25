"""Broadcast: runs of a source on one timeline, seen as players see it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from media.error import PeerError
from media.packet import CLOCK_HZ, AudioTrack, Packet
from mediaserver.live.broadcast import MAX_OPEN_BYTES

from .scene import AAC_44, AAC_48, FRAME, MS, NOW, SURROUND, VIDEO, MakeScene, Scene, Source, sized

RUNGS = ["360p", "240p", "144p"]


def of_run(frames: list[str], start: int, end: int) -> list[int]:
    times = (int(name.split("@")[1].rstrip("!")) for name in frames)
    return sorted(pts for pts in times if start <= pts < end)


@pytest.mark.parametrize("b_frames", [0, 2])
async def test_takeover_while_encoders_have_a_tail(make_scene: MakeScene, b_frames: int) -> None:
    scene = make_scene()
    scene.encoder.is_slow = True
    scene.connect(Source(gop=52, b_frames=b_frames), 60)
    scene.encoder.work(80)
    scene.connect(Source(gop=52, b_frames=b_frames, origin=77 * CLOCK_HZ), 60)
    scene.encoder.work()
    scene.encoder.is_slow = False
    await scene.broadcast.finish()
    scene.assert_aligned()
    for name in RUNGS:
        assert scene.discontinuities(name) == [2]
        assert scene.gaps(name) == []
        assert of_run(await scene.frames(name), 0, 57 * FRAME) == [n * FRAME for n in range(57)], name
        second = await scene.frames(name, 2)
        assert second[0].endswith("!")
        assert int(second[0].split("@")[1].rstrip("!")) == 60 * FRAME
        assert len(second) == 52


async def test_tails_of_two_runs_are_told_apart(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.encoder.is_slow = True
    for run in range(3):
        scene.connect(Source(origin=(run + 1) * 50 * CLOCK_HZ), 30)
    scene.broadcast.end_source()
    scene.encoder.work()
    scene.assert_aligned()
    for name in RUNGS:
        assert scene.gaps(name) == []
        assert len(await scene.frames(name)) == 90
        assert scene.discontinuities(name) == [1, 2]


async def test_ending_waits_for_the_tails_of_all_runs(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.encoder.is_slow = True
    scene.connect(Source(), 30)
    scene.connect(Source(), 30)
    finishing = asyncio.create_task(scene.broadcast.finish())
    await asyncio.sleep(0)
    while not finishing.done():
        scene.encoder.work(10)
        await asyncio.sleep(0)
    await finishing
    assert scene.gaps("144p") == []
    assert scene.view("144p").is_ended
    assert scene.encoder.is_closed


async def test_ending_does_not_wait_long_for_encoders(
    make_scene: MakeScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediaserver.live.encoding.DRAIN_S", 0.01)
    scene = make_scene()
    scene.encoder.is_slow = True
    scene.connect(Source(), 30)
    await scene.broadcast.finish()
    assert scene.gaps("144p")
    assert scene.gaps("360p") == []
    assert all(scene.view(name).is_ended for name in [*RUNGS, "audio"])


async def test_players_get_the_end_even_if_the_encoders_fail_to_flush(
    make_scene: MakeScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = make_scene()
    scene.connect(Source(), 30)

    def fail() -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(scene.encoder, "flush", fail)
    with pytest.raises(RuntimeError):
        await scene.broadcast.finish()
    assert scene.view("360p").is_ended
    assert scene.encoder.is_closed


async def test_cancelled_ending_ends_all_the_same(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.encoder.is_slow = True
    scene.connect(Source(), 30)
    finishing = asyncio.create_task(scene.broadcast.finish())
    await asyncio.sleep(0)
    finishing.cancel()
    await asyncio.gather(finishing, return_exceptions=True)
    assert scene.view("360p").is_ended
    assert scene.encoder.is_closed


@pytest.mark.parametrize("b_frames", [0, 2])
async def test_rare_keyframes_turn_the_source_rung_into_an_encoded_one(
    make_scene: MakeScene, b_frames: int
) -> None:
    scene = make_scene()
    scene.connect(Source(gop=208, b_frames=b_frames), 180)
    assert not scene.is_copying()
    assert any("keyframe interval to 2 s" in words for words in scene.broadcast.warnings)
    await scene.broadcast.finish()
    scene.assert_aligned()
    for name in RUNGS:
        assert scene.discontinuities(name) == [1]
        assert scene.gaps(name) == []
        assert max(segment.duration_s for segment in scene.view(name).segments) <= 5
    copied, encoded = await scene.frames("360p", 0), await scene.frames("360p", 1)
    assert all(frame.startswith("copy@") for frame in copied)
    assert encoded[0] == f"360p@{100 * FRAME}!"


async def test_source_rung_is_copied_again_after_a_reconnect(make_scene: MakeScene) -> None:
    scene = make_scene()
    for _ in range(3):
        scene.connect(Source(gop=208), 130)
        assert not scene.is_copying()
        scene.connect(Source(), 60)
        assert scene.is_copying()
        assert scene.broadcast.warnings == []
    await scene.broadcast.finish()
    scene.assert_aligned()
    assert scene.gaps("360p") == []
    assert len(await scene.frames("360p")) == 3 * 190
    assert scene.encoder.diary.count("activate 360p") == scene.encoder.diary.count("deactivate 360p") == 3


@pytest.mark.parametrize("b_frames", [0, 2])
async def test_copied_run_waits_for_the_encoded_tail_of_its_rung(
    make_scene: MakeScene, b_frames: int
) -> None:
    scene = make_scene()
    scene.connect(Source(gop=208, b_frames=b_frames), 120)
    scene.encoder.is_slow = True
    scene.publish(Source(gop=208, b_frames=b_frames, number=120, _heard=225), 4)
    scene.connect(Source(), 20)
    assert "deactivate 360p" not in scene.encoder.diary
    scene.encoder.work()
    assert "deactivate 360p" in scene.encoder.diary
    scene.publish(Source(number=20, _heard=38), 40)
    await asyncio.sleep(0)
    scene.encoder.work()
    scene.encoder.is_slow = False
    await scene.broadcast.finish()
    assert scene.gaps("360p") == []
    frames = await scene.frames("360p")
    assert of_run(frames, 100 * FRAME, 122 * FRAME) == [n * FRAME for n in range(100, 122)]
    assert len([frame for frame in frames if frame.startswith("copy@")]) == 100 + 60


async def test_copied_run_does_not_wait_for_ever(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.connect(Source(gop=208), 120)
    scene.encoder.is_slow = True
    scene.connect(Source(), 60)
    scene.encoder.sink.on_gap(RUNGS, 10**9)
    frames = await scene.frames("360p")
    assert f"copy@{120 * FRAME}!" in frames
    assert f"copy@{150 * FRAME}" in frames


async def test_failed_encoders_leave_the_copied_rung(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.connect(Source(), 60)
    scene.encoder.is_slow = True
    scene.encoder.sink.on_failed("three crashes")
    assert [state.kind for state in scene.broadcast.rungs.states] == ["copied", "idle", "idle"]
    assert not scene.broadcast.rungs.is_encoding
    scene.publish(Source(number=60, _heard=113), 60)
    assert any("three crashes" in words for words in scene.broadcast.warnings)
    await asyncio.wait_for(scene.broadcast.finish(), 0.5)
    assert len(await scene.frames("360p")) == 120
    assert scene.gaps("360p") == []
    assert scene.gaps("144p")[-1] == scene.gaps("240p")[-1] == (2, 1)
    scene.assert_aligned()


async def test_failed_encoders_bring_back_the_copied_rung(make_scene: MakeScene) -> None:
    scene = make_scene()
    source = Source(gop=208)
    scene.connect(source, 150)
    assert not scene.is_copying()
    scene.encoder.is_slow = True
    scene.encoder.sink.on_failed("three crashes")
    scene.publish(source, 250)
    assert scene.is_copying(), "from the next keyframe on, however far apart they are"
    frames = await scene.frames("360p")
    assert f"copy@{208 * FRAME}!" in frames
    assert f"copy@{380 * FRAME}" in frames


async def test_gap_is_published_on_the_rungs_that_have_it(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.connect(Source(), 10)
    scene.encoder.is_slow = True
    scene.publish(Source(number=10, _heard=19), 90)
    scene.encoder.sink.on_gap(["240p"], 60 * FRAME)
    assert scene.gaps("240p")[-1] == (1, 0) or scene.gaps("240p")[-1][0] == 0
    assert scene.gaps("144p") == []
    assert scene.gaps("360p") == []


async def test_list_of_rungs_without_the_source(make_scene: MakeScene) -> None:
    scene = make_scene(wanted=["144p"])
    scene.connect(Source(gop=250), 150)
    assert scene.broadcast.rungs.names == ["144p"]
    assert not scene.is_copying()
    await scene.broadcast.finish()
    scene.assert_aligned()
    assert len(scene.view("144p").segments) == 3
    for segment in scene.view("144p").segments:
        assert (await scene.frames("144p", segment.msn))[0].endswith("!")


async def test_list_of_rungs_that_fits_nothing_leaves_the_best(make_scene: MakeScene) -> None:
    scene = make_scene(wanted=["1080p"])
    scene.connect(Source(), 5)
    assert scene.broadcast.rungs.names == ["360p"]


async def test_quality_below_the_source(make_scene: MakeScene) -> None:
    scene = make_scene(quality="240p")
    scene.connect(Source(video=sized(1920, 1080)), 60)
    assert scene.broadcast.rungs.names == ["240p", "144p"]
    assert not scene.is_copying()
    assert len(await scene.frames("240p")) >= 50


async def test_tiny_source_is_the_only_rung(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.connect(Source(video=sized(120, 91)), 60)
    assert scene.broadcast.rungs.names == ["144p"]
    assert scene.is_copying()
    assert scene.encoder.diary == []
    await asyncio.wait_for(scene.broadcast.finish(), 0.5)
    assert len(await scene.frames("144p")) == 60


async def test_ten_bit_source_is_encoded(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.connect(Source(video=replace(VIDEO, bit_depth=10)), 60)
    assert not scene.is_copying()
    assert (await scene.frames("360p"))[0] == "360p@0!"


async def test_smaller_source_is_carried_in_the_same_rungs(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.connect(Source(video=sized(1280, 720)), 60)
    scene.connect(Source(), 60)
    assert scene.broadcast.rungs.names[0] == "720p"
    assert scene.is_copying()
    await scene.broadcast.finish()
    scene.assert_aligned()
    first, last = scene.view("720p").segments[0], scene.view("720p").segments[-1]
    assert first.generation != last.generation
    assert last.has_init


async def test_larger_source_gets_a_rung_of_its_own_and_is_encoded_into_the_others(
    make_scene: MakeScene,
) -> None:
    scene = make_scene()
    scene.connect(Source(), 60)
    scene.connect(Source(video=sized(1920, 1080)), 60)
    assert scene.broadcast.rungs.names == ["1080p", "720p", "480p", "360p", "240p", "144p"]
    assert (scene.encoder.rungs["360p"][0].width, scene.encoder.rungs["360p"][0].height) == (640, 360)
    await scene.broadcast.finish()
    assert f"360p@{scene.sent[60]}!" in await scene.frames("360p")
    assert (await scene.frames("1080p"))[0] == f"copy@{scene.sent[60]}!"
    assert scene.view("1080p").media_sequence == scene.discontinuities("360p")[0]
    scene.assert_aligned()


async def test_smaller_source_is_carried_in_the_rungs_that_are_not_smaller(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.connect(Source(video=sized(1280, 720)), 60)
    scene.connect(Source(video=sized(640, 360)), 60)
    assert set(scene.encoder.rungs) == {"240p", "144p"}
    await scene.broadcast.finish()
    for name in ("720p", "480p", "360p"):
        assert (await scene.frames(name))[-1].startswith("copy@"), name
        assert scene.gaps(name) == []
    generations = {segment.generation for segment in scene.view("480p").segments}
    assert len(generations) == 2, "a new init segment behind the discontinuity"
    view = scene.output.multivariant()
    assert view is not None
    assert {(variant.width, variant.height) for variant in view.variants[:3]} == {(640, 360)}
    scene.assert_aligned()


async def test_track_that_changes_during_intake_makes_one_clean_break(make_scene: MakeScene) -> None:
    scene = make_scene()
    first = Source(audio=None)
    second = Source(video=sized(640, 352), audio=None, origin=first.origin + 5 * FRAME)
    scene.connect(first, 5)
    scene.publish(second, 80)
    await scene.broadcast.finish()
    scene.assert_aligned()
    assert scene.discontinuities("360p") == [1]
    assert scene.gaps("360p") == []
    assert len(await scene.frames("360p")) == 85


def sound_of(scene: Scene) -> list[float]:
    return [part.duration_s for segment in scene.view("audio").segments for part in segment.parts]


@pytest.mark.parametrize(
    ("before", "after"),
    [(AAC_44, AAC_48), (None, AAC_48), (AAC_48, None), (AAC_48, SURROUND), (SURROUND, AAC_48)],
    ids=["44100 to 48000", "none to some", "some to none", "copied to encoded", "encoded to copied"],
)
async def test_audio_changes(
    make_scene: MakeScene, before: AudioTrack | None, after: AudioTrack | None
) -> None:
    scene = make_scene()
    scene.connect(Source(audio=before), 75)
    changed = Source(audio=after, number=75, _heard=145 if after else 0)
    scene.publish(changed, 125)
    assert scene.view("audio").segments[-1].msn >= 2, "audio keeps up with video while it changes"
    await scene.broadcast.finish()
    scene.assert_aligned()
    assert scene.gaps("audio") == []
    assert sum(sound_of(scene)) == pytest.approx(8.0, abs=0.05)
    # What was there and has gone is silence; what is new or other begins behind a discontinuity.
    assert len(scene.discontinuities("audio")) == (0 if after is None else 1)


async def test_missing_audio_becomes_silence_in_time_and_comes_back(make_scene: MakeScene) -> None:
    scene = make_scene()
    source = Source()
    scene.connect(source, 50)
    lost = [packet for packet in source.run(100) if packet.is_video]
    for packet in lost[:40]:
        scene.broadcast.receive(packet)
    assert scene.broadcast.warnings == ["No audio arrives: viewers hear silence."]
    for packet in lost[40:]:
        scene.broadcast.receive(packet)
        behind = 90 * FRAME + (lost.index(packet) - 40) * FRAME - sum(sound_of(scene)) * CLOCK_HZ
        assert behind <= 1.1 * CLOCK_HZ, "parts of silence come steadily"
    scene.publish(source, 50)
    assert scene.broadcast.warnings == []
    await scene.broadcast.finish()
    assert scene.gaps("audio") == []
    audio = b"".join([await scene.media("audio", segment) for segment in scene.view("audio").segments])
    assert audio.count(b"<a>") >= 2 * 90


@pytest.mark.parametrize("hours", [-1, 1])
async def test_audio_clock_that_jumps_alone_costs_moments(make_scene: MakeScene, hours: int) -> None:
    scene = make_scene()
    source = Source()
    scene.connect(source, 50)
    source.audio_delay = hours * 3600 * CLOCK_HZ
    scene.publish(source, 100)
    await scene.broadcast.finish()
    assert scene.discontinuities("audio") == []
    assert scene.gaps("audio") == []
    audio = b"".join([await scene.media("audio", segment) for segment in scene.view("audio").segments])
    assert 240 < audio.count(b"<a>") < 290


async def test_one_stray_audio_packet_hurts_nothing(make_scene: MakeScene) -> None:
    scene = make_scene()
    source = Source()
    scene.connect(source, 50)
    assert source.audio is not None
    far = source.origin + 3600 * CLOCK_HZ
    scene.broadcast.receive(replace(next(source.run(1)), track=AAC_48, pts=far, dts=far, data=b"<a>"))
    scene.publish(source, 100)
    await scene.broadcast.finish()
    assert scene.gaps("audio") == []
    audio = b"".join([await scene.media("audio", segment) for segment in scene.view("audio").segments])
    assert audio.count(b"<a>") >= 275


async def test_audio_ahead_at_the_end_of_a_run_does_not_silence_the_next(make_scene: MakeScene) -> None:
    scene = make_scene()
    source = Source()
    scene.connect(source, 50)
    for packet in list(source.run(50)):
        if not packet.is_video:
            scene.broadcast.receive(packet)
    scene.connect(Source(), 100)
    await scene.broadcast.finish()
    view = scene.view("audio")
    second = [await scene.media("audio", segment) for segment in view.segments if segment.msn >= 1]
    assert b"".join(second).count(b"<a>") >= 180


async def test_audio_without_video_where_video_was_holds_no_memory(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.connect(Source(), 60)
    scene.connect(Source(video=None), 2000)
    assert scene.broadcast.warnings == [
        "Only audio arrives: the broadcast goes on with the next keyframe of the video."
    ]
    source = Source()
    scene.connect(source, 60)
    for packet in list(source.run(5000)):
        if not packet.is_video:
            scene.broadcast.receive(packet)
    grid = scene.output._audio
    assert grid is not None
    assert grid._grids[-1].held < 400


async def test_audio_alone_may_change_its_track_at_once(make_scene: MakeScene) -> None:
    scene = make_scene()
    source = Source(video=None)
    scene.connect(source, 25)
    scene.publish(Source(video=None, audio=AAC_44, origin=source.origin + CLOCK_HZ), 100)
    assert scene.broadcast.has_media
    await scene.broadcast.finish()
    assert scene.discontinuities("audio") == []


async def test_video_whose_time_hardly_passes_does_not_pile_up(make_scene: MakeScene) -> None:
    scene = make_scene()
    source = Source(audio=None, frame=MS)
    scene.connect(source, 1100)
    large = replace(next(source.run(1)), data=bytes(MAX_OPEN_BYTES // 8))
    for number in range(8):
        scene.broadcast.receive(replace(large, dts=large.dts + number, pts=large.pts + number))
    with pytest.raises(PeerError, match="too many bytes for its time"):
        scene.broadcast.receive(replace(large, dts=large.dts + 9, pts=large.pts + 9))
    scene.broadcast.end_source()
    scene.connect(Source(), 60)
    assert scene.broadcast.has_media
    await scene.broadcast.finish()


async def test_audio_alone_in_frames_of_hours_ends_soon(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.connect(Source(video=None, audio=replace(SURROUND, codec="flac")), 100)
    position = scene.output.timeline.position
    long = replace(SURROUND, codec="flac", sample_rate=8_000, frame_samples=1 << 24)
    scene.broadcast.begin_source()
    for number in range(200):
        at = number * FRAME
        scene.broadcast.receive(Packet(long, at, at, b"<a>", is_keyframe=True))
    await scene.broadcast.finish()
    assert scene.output.timeline.position <= position + 10 * CLOCK_HZ


async def test_audio_alone_is_a_broadcast_and_video_may_come_later(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.connect(Source(video=None), 500)
    assert scene.broadcast.warnings == ["Only audio arrives: viewers hear it without a picture."]
    view = scene.output.multivariant()
    assert view is not None
    assert view.variants == ()
    before = scene.view("audio")
    assert len(before.segments) >= 9
    assert scene.gaps("audio") == []
    source = Source(origin=0)
    scene.publish(source, 200)
    await scene.broadcast.finish()
    view = scene.output.multivariant()
    assert view is not None
    assert [variant.name for variant in view.variants] == ["360p", "240p", "144p"]
    late = scene.view("360p")
    assert late.segments[0].is_discontinuity
    assert late.media_sequence == scene.discontinuities("audio")[0]
    assert scene.gaps("360p") == []
    assert len(await scene.frames("360p")) == 200
    scene.assert_aligned()


async def test_encoded_audio_keeps_its_tail(make_scene: MakeScene) -> None:
    scene = make_scene()
    source = Source(audio=SURROUND)
    scene.connect(source, 40)
    scene.encoder.is_slow = True
    scene.publish(source, 10)
    scene.broadcast.end_source()
    scene.encoder.work()
    audio = b"".join([await scene.media("audio", segment) for segment in scene.view("audio").segments])
    assert audio.count(b"<encoded>") >= 90


async def test_dates_stand_still_for_strange_audio_clocks(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.connect(Source(audio_delay=3 * 3600 * CLOCK_HZ), 60)
    assert scene.view("360p").segments[0].program_date_time == pytest.approx(NOW, abs=1.1)


async def test_end_before_the_first_keyframe(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.connect(Source(number=1), 20)
    assert scene.broadcast.warnings
    await asyncio.wait_for(scene.broadcast.finish(), 0.5)
    assert scene.output.multivariant() is None
    assert scene.checkpoints == []


async def test_end_during_intake(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.connect(Source(audio=None), 10)
    assert scene.broadcast.warnings == ["Waiting for a keyframe of the video."] or scene.broadcast.warnings
    await asyncio.wait_for(scene.broadcast.finish(), 0.5)
    scene.broadcast.end_source()
    assert scene.output.multivariant() is None


async def test_timestamps_that_stand_still_end_the_publisher(make_scene: MakeScene) -> None:
    scene = make_scene()
    still = Source(audio=None, frame=0, gop=10**6)
    with pytest.raises(PeerError, match="do not advance"):
        scene.connect(still, 2000)
    scene.connect(Source(), 60)
    scene.assert_aligned()


async def test_wild_composition_times_do_not_carry_the_timeline_away(make_scene: MakeScene) -> None:
    scene = make_scene()
    source = Source(gop=10)
    scene.broadcast.begin_source()
    for index, packet in enumerate(source.run(100)):
        wild = packet.is_video and index % 7 == 3
        scene.broadcast.receive(replace(packet, pts=packet.pts + 8_000_000 * MS) if wild else packet)
    await scene.broadcast.finish()
    assert len(scene.view("360p").segments) < 10
    assert scene.output.timeline.position < 30 * CLOCK_HZ


async def test_jump_of_the_video_begins_a_run_at_the_next_keyframe(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.connect(Source(), 60)
    scene.publish(Source(origin=9_000_000 * MS, number=30, _heard=57), 60)
    await scene.broadcast.finish()
    scene.assert_aligned()
    assert scene.discontinuities("144p") == [2]
    assert len(await scene.frames("144p")) == len(await scene.frames("360p")) == 60 + 40


async def test_nothing_published_is_ever_numbered_again(make_scene: MakeScene) -> None:
    """At each moment at which the process may die, its checkpoint leads behind all that players have seen."""
    scene = make_scene()
    for run in range(3):
        scene.connect(Source(origin=run * 1000 * CLOCK_HZ, gop=50 if run else 208), 130)
        kept = scene.checkpoints[-1]
        again = make_scene(checkpoint=kept)
        again.connect(Source(), 60)
        for name in RUNGS:
            before, after = scene.view(name), again.view(name)
            last, first = before.segments[-1], after.segments[0]
            assert first.msn > last.msn
            assert first.generation > max(segment.generation for segment in before.segments)
            assert first.is_discontinuity
            breaks = sum(segment.is_discontinuity for segment in before.segments)
            assert after.discontinuity_sequence == before.discontinuity_sequence + breaks
            assert first.program_date_time >= NOW - FRAME / CLOCK_HZ, (
                "the first frame waited for the second one"
            )


def times(frames: list[str]) -> list[int]:
    return [int(name.split("@")[1].rstrip("!")) for name in frames]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("connect"), st.sampled_from([10, 50, 73, 208])),
        st.tuples(st.just("publish"), st.integers(1, 130)),
        st.tuples(st.just("work"), st.integers(1, 200)),
        st.tuples(st.just("lose"), st.just(0)),
        st.tuples(st.just("audio"), st.sampled_from([0, 1, 2])),
    ),
    min_size=5,
    max_size=25,
)


def play(scene: Scene, steps: list[tuple[str, int]]) -> None:
    source, audio = Source(), [None, AAC_48, AAC_44]
    scene.broadcast.begin_source(AAC_48)
    for run, (step, value) in enumerate(steps):
        if step == "connect":
            source = Source(gop=value, origin=run * 1000 * CLOCK_HZ, audio=source.audio)
            scene.broadcast.begin_source(source.audio)
        elif step == "publish":
            scene.publish(source, value)
        elif step == "work":
            scene.encoder.work(value)
        elif step == "lose":
            scene.broadcast.end_source()
        else:
            source.audio = audio[value]
            source._heard = source.number * FRAME * AAC_48.sample_rate // 1024 // CLOCK_HZ


@settings(max_examples=60, deadline=None)
@given(STEPS)
async def test_whatever_happens_renditions_stay_together(steps: list[tuple[str, int]]) -> None:
    """No frame is lost on any rung, and all rungs have the same segments, whenever the encoders deliver."""
    with pytest.MonkeyPatch.context() as patch:
        scene = MakeScene(patch)()
        scene.encoder.is_slow = True
        play(scene, steps)
        scene.encoder.work()
        scene.encoder.is_slow = False
        await scene.broadcast.finish()
    if not scene.sent:
        return
    scene.assert_aligned()
    for name in ("240p", "144p"):
        assert times(await scene.frames(name)) == scene.sent
        assert all(segment.parts[0].is_independent for segment in scene.view(name).segments)
    own = times(await scene.frames("360p"))
    assert own == sorted(set(own))
    assert set(own) <= set(scene.sent)
    for name in [*RUNGS, "audio"]:
        segments = scene.view(name).segments
        assert [segment.msn for segment in segments] == list(range(len(segments)))
        assert all(segment.duration_s < 5.5 for segment in segments)
        assert all(part.duration_s <= 0.5 for segment in segments for part in segment.parts)


def test_video_that_nobody_can_decode_is_said_once(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.encoder.is_slow = True
    scene.connect(Source(), 75)
    assert scene.broadcast.warnings == []
    with capture_logs() as logs:
        for frame in range(75):
            scene.encoder.sink.on_gap(["240p", "144p"], frame * FRAME)
    assert [entry["log_level"] for entry in logs] == ["warning"]
    assert scene.broadcast.warnings == [
        "The video cannot be decoded, or not fast enough: encoded qualities show nothing."
    ]
    scene.encoder.sink.on_video(75 * FRAME, {})
    assert scene.broadcast.warnings == []
