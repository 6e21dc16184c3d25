from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from av.video.frame import VideoFrame

from media.h264 import h264_track
from media.packet import CLOCK_HZ
from media.rendition import LADDER, Rendition, renditions_for, source_name
from transcode.rung import PRESETS, RungSpec, codec_string, peak_bitrate_bps, rung_spec
from transcode.video_encoder import VideoEncoder

from .source import picture

SOURCES = [
    ("2160p", 3840, 2160),
    ("1080p", 1920, 1080),
    ("720p", 1280, 720),
    ("portrait", 1080, 1920),
    ("4:3", 640, 480),
    ("odd", 853, 481),
    ("tiny", 90, 60),
    ("cinema", 1920, 800),
]


@pytest.mark.parametrize(("name", "width", "height"), SOURCES)
def test_rungs_of_a_source(name: str, width: int, height: int) -> None:
    rungs = renditions_for(width, height)
    names = [rung.name for rung in rungs]
    assert names == [known for known in LADDER if known in names]
    specs = [rung_spec(rung, Fraction(30)) for rung in rungs]
    for spec in specs:
        assert spec.width % 2 == spec.height % 2 == 0
        assert min(spec.width, spec.height) <= min(width, height) + 1, "upscaled"
        assert (spec.width < spec.height) == (width < height)
        assert spec.max_bitrate_bps > spec.bitrate_bps
        assert peak_bitrate_bps(spec, 2.0) < 1.6 * spec.bitrate_bps
    assert specs == sorted(specs, key=lambda spec: -spec.bitrate_bps)


def test_all_eight_names_of_a_2160p_source() -> None:
    assert tuple(rung.name for rung in renditions_for(3840, 2160)) == LADDER


@pytest.mark.parametrize(
    ("width", "height", "rate", "level"),
    [
        (1280, 720, 30, 31),
        (1280, 720, 60, 32),
        (1920, 1080, 30, 40),
        (1920, 1080, 60, 42),
        (3840, 2160, 30, 51),
        (3840, 2160, 60, 52),
        (640, 360, 25, 30),
        (256, 144, 30, 12),
    ],
)
def test_level(width: int, height: int, rate: int, level: int) -> None:
    rendition = Rendition(source_name(width, height), width, height)
    assert rung_spec(rendition, Fraction(rate)).level == level


def test_frame_rate_defaults_and_is_bounded() -> None:
    rung = Rendition("360p", 640, 360)
    assert rung_spec(rung, None) == rung_spec(rung, Fraction(30))
    assert rung_spec(Rendition("720p", 1280, 720), Fraction(90_000)).frame_rate == 120


def test_720p_is_cheaper_beside_a_large_source() -> None:
    rung = Rendition("720p", 1280, 720)
    assert rung_spec(rung, None).preset == "superfast"
    assert rung_spec(rung, None, source_pixels=1920 * 1080).preset == "ultrafast"


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (854, 480), (480, 854), (256, 144), (606, 254)])
@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30000, 1001), Fraction(60)])
def test_parameter_sets_do_not_depend_on_preset_or_quality(width: int, height: int, rate: Fraction) -> None:
    rendition = Rendition("720p", width, height)
    specs = [rung_spec(rendition, rate, preset) for preset in PRESETS]
    specs += [replace(specs[0], crf=crf) for crf in (18, 26, 35)]
    configs = {VideoEncoder(spec, is_still=is_still).config for spec in specs for is_still in (False, True)}
    assert len(configs) == 1
    track = h264_track(configs.pop())
    assert track.codec_string == codec_string(specs[0])
    assert (track.width, track.height) == (width, height)
    assert track.frame_rate is None or abs(track.frame_rate - rate) < Fraction(1, 100)


def sizes(spec: RungSpec, pictures: Iterable[VideoFrame], gop: int = 50) -> list[int]:
    """Encode pictures, an IDR every `gop`, and list the bytes that each of them takes."""
    encoder = VideoEncoder(spec)
    return [
        len(encoder.encode(shown, int(index * CLOCK_HZ / spec.frame_rate), index % gop == 0))
        for index, shown in enumerate(pictures)
    ]


def noise(width: int, height: int, count: int) -> Iterator[VideoFrame]:
    random = np.random.default_rng(1)
    for _ in range(count):
        values = random.integers(16, 235, (height * 3 // 2, width), dtype=np.uint8)
        yield VideoFrame.from_ndarray(values, format="yuv420p")


def test_easy_content_takes_a_fraction_of_the_rate() -> None:
    spec = rung_spec(Rendition("480p", 854, 480), Fraction(25))
    taken = sum(sizes(spec, (picture(index, 854, 480) for index in range(50))))
    assert taken * 8 / 2 < spec.bitrate_bps / 4


@pytest.mark.parametrize("rung", [("480p", 854, 480), ("144p", 256, 144)])
def test_the_worst_content_stays_below_what_was_declared(rung: tuple[str, int, int]) -> None:
    spec = rung_spec(Rendition(*rung), Fraction(25))
    taken = sizes(spec, noise(*rung[1:], 150))
    for start in range(0, 150, 50):
        assert sum(taken[start : start + 50]) * 8 / 2 <= peak_bitrate_bps(spec, 2.0) * 1.02
        assert taken[start] * 8 <= spec.buffer_bits


def test_a_cheaper_preset_that_takes_over_takes_no_more_bits() -> None:
    cheap, dear = (rung_spec(Rendition("480p", 320, 180), Fraction(25), preset) for preset in PRESETS[:2])
    assert cheap.rate_factor > dear.rate_factor == cheap.crf
    shown = [picture(index, 320, 180) for index in range(50)]
    assert sum(sizes(cheap, shown)) < 1.15 * sum(sizes(dear, shown))
