"""Interlaced sources: a bar that moves by four pixels from field to field."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from av.codec.context import Flags
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from media.h264 import h264_track
from media.packet import CLOCK_HZ, Packet
from transcode.filter import open_filter
from transcode.message import Activate, Flush, ForceKeyframe, Frames, Message, RungOpened
from transcode.pipeline import Pipeline

from .source import FPS, STEP, decode, messages, spec

WIDTH, HEIGHT = 320, 180
SPEED = 4
"""Pixels from one field to the next."""
RUNG = spec("240p", WIDTH, HEIGHT)


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    pipeline = Pipeline()
    yield pipeline
    pipeline.close()


def bar(moment: int) -> NDArray[np.uint8]:
    luma = np.full((HEIGHT, WIDTH), 40, np.uint8)
    luma[:, 20 + moment * SPEED :][:, :60] = 200
    return luma


def picture(index: int, order: str) -> VideoFrame:
    """Weave two fields, the upper lines first (`tff`) or the lower ones (`bff`), or none (`prog`)."""
    luma, later = bar(2 * index), bar(2 * index + 1)
    if order != "prog":
        luma[order == "tff" :: 2] = later[order == "tff" :: 2]
    chroma = np.full((HEIGHT // 2, WIDTH), 128, np.uint8)
    return VideoFrame.from_ndarray(np.vstack([luma, chroma]), format="yuv420p")


def source(order: str, frames: int = 20, start: int = 0) -> list[Packet]:
    codec: Any = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    codec.time_base, codec.framerate = Fraction(1, CLOCK_HZ), Fraction(FPS)
    codec.max_b_frames, codec.thread_count = 0, 1
    codec.flags |= Flags.global_header
    if order != "prog":
        codec.flags |= Flags.interlaced_dct
    codec.options = {"preset": "ultrafast", "crf": "8", "x264-params": "annexb=0:keyint=10:scenecut=0"}
    codec.open()
    tag = open_filter("setfield", f"mode={order}", WIDTH, HEIGHT, "yuv420p")
    encoded = []
    for index in range(frames):
        woven = picture(index, order)
        woven.pts, woven.time_base = (start + index) * STEP, Fraction(1, CLOCK_HZ)
        tag.vpush(woven)
        encoded += codec.encode(tag.vpull())
    encoded += codec.encode(None)
    track = h264_track(bytes(codec.extradata))
    return [Packet(track, p.pts, p.pts, bytes(p), is_keyframe=bool(p.is_keyframe)) for p in encoded]


def run(pipeline: Pipeline, *sent: Message) -> tuple[list[int], list[VideoFrame]]:
    """Return times and pictures of the rung."""
    results = [result() for message in sent for result in pipeline.handle(message)]
    frames = [result for result in results if isinstance(result, Frames)]
    (config,) = [result.config for result in results if isinstance(result, RungOpened)]
    return [frame.pts for frame in frames], decode(config, [frame.frames[0].data for frame in frames])


def luma_of(picture: VideoFrame) -> NDArray[np.int16]:
    return picture.to_ndarray()[:HEIGHT].astype(np.int16)


def comb(picture: VideoFrame) -> float:
    """Measure how much neighbouring lines differ."""
    return float(np.abs(np.diff(luma_of(picture)[20:160], axis=0)).mean())


@pytest.mark.parametrize("order", ["tff", "bff"])
def test_fields_become_whole_pictures_of_the_first_field(pipeline: Pipeline, order: str) -> None:
    packets = source(order)
    times, pictures = run(
        pipeline, Activate(RUNG, 0), ForceKeyframe(10 * STEP, None), *messages(packets), Flush(1)
    )
    assert times == [index * STEP for index in range(20)]
    assert len(pictures) == 20
    for index, shown in enumerate(pictures[2:], start=2):
        assert comb(shown) < comb(picture(index, order)) / 4
        left = np.argmax(luma_of(shown)[60:120] > 120, axis=1)
        assert np.abs(left - (20 + 2 * SPEED * index)).max() <= 2, "not the first field's moment"


def test_progressive_pictures_are_left_alone_and_at_once(pipeline: Pipeline) -> None:
    times, pictures = run(pipeline, Activate(RUNG, 0), *messages(source("prog")))
    assert times == [index * STEP for index in range(20)]
    assert max(map(comb, pictures)) < 0.5


def test_only_one_picture_is_held_back(pipeline: Pipeline) -> None:
    times, _ = run(pipeline, Activate(RUNG, 0), *messages(source("tff")))
    assert times == [index * STEP for index in range(19)]


@pytest.mark.parametrize(("first", "second"), [("tff", "prog"), ("prog", "tff"), ("tff", "bff")])
def test_a_source_may_change(pipeline: Pipeline, first: str, second: str) -> None:
    packets = [*messages(source(first)), *messages(source(second, start=20))]
    times, pictures = run(pipeline, Activate(RUNG, 0), *packets, Flush(1))
    assert times == [index * STEP for index in range(40)]
    assert max(comb(shown) for shown in pictures[2:]) < 1.5


def test_what_is_held_back_comes_before_the_end_of_a_run(pipeline: Pipeline) -> None:
    packets = source("tff")
    times, _ = run(
        pipeline,
        Activate(RUNG, 0),
        *messages(packets[:7]),
        Flush(1),
        *messages(packets[10:]),
        Flush(2),
    )
    assert times == [index * STEP for index in [*range(7), *range(10, 20)]]
