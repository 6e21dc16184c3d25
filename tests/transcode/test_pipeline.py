from __future__ import annotations

import threading
from collections.abc import Iterator
from fractions import Fraction

import av
import pytest

from media.h264 import contains_idr, h264_track
from media.packet import Packet, VideoTrack
from media.rendition import Rendition, renditions_for
from transcode.message import (
    MAX_FORMER,
    Activate,
    Deactivate,
    Flush,
    ForceKeyframe,
    Frames,
    Message,
    RungOpened,
    Skip,
)
from transcode.pipeline import Pipeline
from transcode.rung import rung_spec

from .source import FPS, STEP, decode, messages, spec, video

TWO = (spec("144p", 256, 144), spec("240p", 320, 180))


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    pipeline = Pipeline()
    yield pipeline
    pipeline.close()


def run(pipeline: Pipeline, *sent: Message) -> list[Message]:
    return [result() for message in sent for result in pipeline.handle(message)]


def frames_of(results: list[Message]) -> list[Frames]:
    return [result for result in results if isinstance(result, Frames)]


def keyframes(results: list[Message], rung: str) -> list[int]:
    return [
        message.pts
        for message in frames_of(results)
        for frame in message.frames
        if frame.rung == rung and frame.is_keyframe
    ]


@pytest.mark.parametrize("b_frames", [0, 2])
def test_idrs_only_where_ordered_and_on_all_rungs(pipeline: Pipeline, b_frames: int) -> None:
    packets = video(50, gop=10, b_frames=b_frames)
    results = run(
        pipeline,
        *(Activate(item, 5 * STEP) for item in TWO),
        ForceKeyframe(20 * STEP, None),
        ForceKeyframe(33 * STEP - 1, "144p"),
        *messages(packets),
        Flush(1),
    )
    frames = frames_of(results)
    assert [message.pts for message in frames] == [index * STEP for index in range(50)]
    assert all(not message.frames for message in frames[:5])
    assert all({frame.rung for frame in message.frames} == {"144p", "240p"} for message in frames[5:])
    assert keyframes(results, "240p") == [5 * STEP, 20 * STEP]
    assert keyframes(results, "144p") == [5 * STEP, 20 * STEP, 33 * STEP]
    assert all(contains_idr(f.data) == f.is_keyframe for message in frames for f in message.frames)
    assert results[-1] == Flush(1)


def test_what_comes_out_decodes_at_the_rungs_size(pipeline: Pipeline) -> None:
    results = run(pipeline, *(Activate(item, 0) for item in TWO), *messages(video(30)), Flush(1))
    for item in TWO:
        (config,) = [r.config for r in results if isinstance(r, RungOpened) and r.rung == item.name]
        data = [f.data for message in frames_of(results) for f in message.frames if f.rung == item.name]
        pictures = decode(config, data)
        assert len(pictures) == 30
        assert {(p.width, p.height, p.format.name) for p in pictures} == {
            (item.width, item.height, "yuv420p")
        }
        assert pictures[0].color_range == 1
        assert pictures[0].colorspace == 1


@pytest.mark.parametrize(
    ("width", "height", "pixel_format", "aspect"),
    [
        pytest.param(180, 320, "yuv420p", Fraction(1), id="portrait"),
        pytest.param(322, 182, "yuv420p", Fraction(1), id="odd size"),
        pytest.param(321, 183, "yuv444p", Fraction(1), id="odd lines"),
        pytest.param(320, 180, "yuv420p10le", Fraction(1), id="10 bit"),
        pytest.param(320, 180, "yuv422p", Fraction(1), id="4:2:2"),
        pytest.param(320, 180, "yuv444p", Fraction(1), id="4:4:4"),
        pytest.param(320, 180, "yuvj420p", Fraction(1), id="full range"),
        pytest.param(240, 180, "yuv420p", Fraction(4, 3), id="anamorphic"),
    ],
)
def test_any_source_becomes_8_bit_420_with_square_samples(
    pipeline: Pipeline, width: int, height: int, pixel_format: str, aspect: Fraction
) -> None:
    packets = video(5, width, height, pixel_format=pixel_format, aspect=aspect)
    rungs = [rung for rung in renditions_for(width, height, aspect) if not rung.is_source]
    specs = [rung_spec(rung, Fraction(FPS), "ultrafast") for rung in rungs]
    results = run(pipeline, *(Activate(item, 0) for item in specs), *messages(packets), Flush(1))
    assert len(frames_of(results)) == 5
    for opened, item in zip([r for r in results if isinstance(r, RungOpened)], specs, strict=True):
        data = [f.data for message in frames_of(results) for f in message.frames if f.rung == item.name]
        picture = decode(opened.config, data)[-1]
        track = h264_track(opened.config)
        assert (track.bit_depth, track.chroma_format_idc, track.sample_aspect_ratio) == (8, 1, Fraction(1))
        assert (picture.width, picture.height) == (item.width, item.height)
        assert Fraction(item.width, item.height) == pytest.approx(width * aspect / height, rel=0.02)


def test_a_source_of_another_shape_keeps_the_rung_and_gets_bars(pipeline: Pipeline) -> None:
    wide = video(5, 320, 180, is_flat=True)
    tall = video(5, 180, 320, start=5 * STEP, is_flat=True)
    rung = spec("144p", 256, 144)
    results = run(pipeline, Activate(rung, 0), *messages(wide), Flush(1), *messages(tall), Flush(2))
    frames = frames_of(results)
    assert [message.pts for message in frames] == [index * STEP for index in range(10)]
    (opened,) = [r for r in results if isinstance(r, RungOpened)]
    pictures = decode(opened.config, [message.frames[0].data for message in frames])
    luma = bytes(pictures[-1].planes[0])[72 * pictures[-1].planes[0].line_size :][:256]
    assert luma[4] < 40
    assert luma[-4] < 40
    assert abs(luma[128] - 128) < 12
    assert keyframes(results, "144p") == [0, 5 * STEP], "a run begins with an IDR"


@pytest.mark.parametrize("index", [0, 3, 12])
@pytest.mark.parametrize(
    "damage", [b"", b"\0\0\0\5abc", b"\0\0\0\x10" + b"\xff" * 16, b"\0\0\1\0" + bytes(99)]
)
def test_a_broken_packet_costs_little(pipeline: Pipeline, index: int, damage: bytes) -> None:
    packets = video(40, gop=10)
    packet = packets[index]
    packets[index] = Packet(packet.track, packet.pts, packet.dts, damage, packet.is_keyframe)
    results = run(pipeline, Activate(TWO[0], 0), *messages(packets), Flush(1))
    delivered = [message.pts for message in frames_of(results)]
    assert delivered == sorted(set(delivered))
    assert set(range(20 * STEP, 40 * STEP, STEP)) <= set(delivered)
    assert len(delivered) >= 30 - 1


def test_a_decoder_that_gives_nothing_says_so_and_recovers_at_a_keyframe(pipeline: Pipeline) -> None:
    packets = video(80, gop=60)
    rubbish = [
        Packet(p.track, p.pts, p.dts, b"\0\0\0\x10" + b"\x65" * 3, p.is_keyframe) for p in packets[:60]
    ]
    results = run(pipeline, Activate(TWO[0], 0), *messages(rubbish + packets[60:]), Flush(1))
    skips = [message.until_pts for message in results if isinstance(message, Skip)]
    assert len(skips) >= 3
    assert skips == sorted(skips)
    assert [message.pts for message in frames_of(results)] == [index * STEP for index in range(60, 80)]
    assert pipeline.decode_errors > 0


def test_a_cheaper_preset_takes_over_without_new_parameter_sets(pipeline: Pipeline) -> None:
    slow, fast = spec("144p", 256, 144, "superfast"), spec("144p", 256, 144, "ultrafast")
    results = run(pipeline, Activate(slow, 0), Activate(fast, 10 * STEP), *messages(video(20)), Flush(1))
    opened = {r.config for r in results if isinstance(r, RungOpened)}
    assert len(opened) == 1
    assert keyframes(results, "144p") == [0, 10 * STEP]
    data = [message.frames[0].data for message in frames_of(results)]
    assert len(decode(opened.pop(), data)) == 20


def test_a_deactivated_rung_ends(pipeline: Pipeline) -> None:
    packets = list(messages(video(20)))
    results = run(
        pipeline, *(Activate(item, 0) for item in TWO), *packets[:11], Deactivate("240p"), *packets[11:]
    )
    assert [len(message.frames) for message in frames_of(results)] == [2] * 10 + [1] * 10


def test_packets_before_the_first_keyframe_are_left_out(pipeline: Pipeline) -> None:
    packets = video(30, gop=10)
    results = run(pipeline, Activate(TWO[0], 0), *messages(packets[5:]), Flush(1))
    assert [message.pts for message in frames_of(results)] == [index * STEP for index in range(10, 30)]


def test_skip_goes_on_with_a_keyframe(pipeline: Pipeline) -> None:
    packets = list(messages(video(30, gop=10)))
    results = run(pipeline, Activate(TWO[0], 0), *packets[:6], Skip(20 * STEP), *packets[21:])
    assert [message.pts for message in frames_of(results)] == [
        *range(0, 5 * STEP, STEP),
        *range(20 * STEP, 30 * STEP, STEP),
    ]
    assert keyframes(results, "144p") == [0, 20 * STEP]


def tracks(results: list[Message], rung: str) -> list[VideoTrack]:
    """List the track of each frame of a rung, by what was opened before it."""
    track = None
    found = []
    for result in results:
        if isinstance(result, RungOpened) and result.rung == rung:
            track = h264_track(result.config)
        elif isinstance(result, Frames) and any(frame.rung == rung for frame in result.frames):
            assert track is not None
            found.append(track)
    return found


def pictures_of(results: list[Message], rung: str) -> list[av.VideoFrame]:
    """Decode a rung, with another decoder behind each opening."""
    pictures: list[av.VideoFrame] = []
    config, data = b"", list[bytes]()
    for result in [*results, RungOpened(rung, b"")]:
        if isinstance(result, RungOpened) and result.rung == rung:
            pictures += decode(config, data) if data else []
            config, data = result.config, []
        elif isinstance(result, Frames):
            data += [frame.data for frame in result.frames if frame.rung == rung]
    return pictures


@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize(
    ("size", "rate"),
    [((128, 72), 25), ((400, 224), 25), ((256, 144), 50), ((72, 128), Fraction(30000, 1001))],
)
def test_a_rung_becomes_another_one_at_a_picture(
    pipeline: Pipeline, size: tuple[int, int], rate: Fraction, b_frames: int
) -> None:
    packets = list(messages(video(40, gop=20, b_frames=b_frames)))
    other = rung_spec(Rendition("144p", *size), Fraction(rate), "superfast")
    results = run(
        pipeline,
        *(Activate(item, 0) for item in TWO),
        *packets[:8],
        ForceKeyframe(35 * STEP, None),
        Activate(other, 20 * STEP),
        *packets[8:],
        Flush(1),
    )
    frames = frames_of(results)
    assert [message.pts for message in frames] == [index * STEP for index in range(40)]
    assert all({frame.rung for frame in message.frames} == {"144p", "240p"} for message in frames)
    assert keyframes(results, "144p") == [0, 20 * STEP, 35 * STEP]
    assert keyframes(results, "240p") == [0, 35 * STEP]
    sizes = [(picture.width, picture.height) for picture in pictures_of(results, "144p")]
    assert sizes == [(256, 144)] * 20 + [size] * 20
    assert [(track.width, track.height) for track in tracks(results, "144p")] == sizes
    assert {track.frame_rate for track in tracks(results, "144p")[20:]} == {other.frame_rate}


def test_a_change_inside_a_change(pipeline: Pipeline) -> None:
    results = run(
        pipeline,
        Activate(TWO[0], 0),
        Activate(spec("144p", 128, 72), 10 * STEP),
        Activate(spec("144p", 64, 36), 15 * STEP),
        Activate(spec("144p", 192, 108), 20 * STEP),
        Activate(spec("144p", 160, 90), 20 * STEP),
        *messages(video(30)),
        Flush(1),
    )
    assert [track.width for track in tracks(results, "144p")] == [256] * 10 + [128] * 5 + [64] * 5 + [
        160
    ] * 10
    assert keyframes(results, "144p") == [0, 10 * STEP, 15 * STEP, 20 * STEP]
    assert len(pictures_of(results, "144p")) == 30


def test_a_change_that_comes_too_late_begins_at_once(pipeline: Pipeline) -> None:
    packets = list(messages(video(20)))
    results = run(
        pipeline, Activate(TWO[0], 0), *packets[:11], Activate(spec("144p", 128, 72), 5 * STEP), *packets[11:]
    )
    assert [track.width for track in tracks(results, "144p")] == [256] * 10 + [128] * 10
    assert keyframes(results, "144p") == [0, 10 * STEP]


def test_a_run_begins_with_an_idr_while_a_change_is_still_ahead(pipeline: Pipeline) -> None:
    results = run(
        pipeline,
        Activate(TWO[0], 0),
        Activate(spec("144p", 128, 72), 25 * STEP),
        *messages(video(10)),
        Flush(1),
        *messages(video(20, start=10 * STEP)),
        Flush(2),
    )
    assert keyframes(results, "144p") == [0, 10 * STEP, 25 * STEP]


def test_encoders_that_wait_for_their_turn_are_bounded(pipeline: Pipeline) -> None:
    threads = threading.active_count()
    for number in range(20):
        run(pipeline, Activate(spec("144p", 128 + 2 * number, 72), number * STEP))
        run(pipeline, *messages(video(1, start=-STEP)))
    assert threading.active_count() <= threads + 1 + MAX_FORMER
    results = run(pipeline, *messages(video(30)), Flush(1))
    assert [track.width for track in tracks(results, "144p")][-11:] == [166] * 11


def test_a_rung_that_is_closed_ends_its_former_encoders(pipeline: Pipeline) -> None:
    run(pipeline, Activate(TWO[0], 0), *messages(video(5)), Activate(spec("144p", 128, 72), 10 * STEP))
    results = run(pipeline, Deactivate("144p"), *messages(video(10, start=5 * STEP)), Flush(1))
    assert all(message.frames == () for message in frames_of(results))
