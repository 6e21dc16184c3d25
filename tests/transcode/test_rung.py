from fractions import Fraction

import pytest

from media.h264 import h264_track
from media.rendition import LADDER, Rendition, renditions_for, source_name
from transcode.rung import PRESETS, codec_string, peak_bitrate_bps, rung_spec
from transcode.video_encoder import VideoEncoder

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
    assert rung_spec(rung, Fraction(90_000)).frame_rate == 120


def test_720p_is_cheaper_beside_a_large_source() -> None:
    rung = Rendition("720p", 1280, 720)
    assert rung_spec(rung, None).preset == "superfast"
    assert rung_spec(rung, None, source_pixels=1920 * 1080).preset == "ultrafast"


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (854, 480), (480, 854), (256, 144), (606, 254)])
@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30000, 1001), Fraction(60)])
def test_parameter_sets_do_not_depend_on_preset_or_rate(width: int, height: int, rate: Fraction) -> None:
    rendition = Rendition("480p", width, height)
    specs = [rung_spec(rendition, rate, preset) for preset in PRESETS]
    configs = {VideoEncoder(spec).config for spec in specs}
    assert len(configs) == 1
    track = h264_track(configs.pop())
    assert track.codec_string == codec_string(specs[0])
    assert (track.width, track.height) == (width, height)
    assert track.frame_rate is None or abs(track.frame_rate - rate) < Fraction(1, 100)
