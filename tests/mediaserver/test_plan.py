"""What fills each rung: the source's own bits, its companions', an encoder's, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import pytest

from media.packet import VideoTrack
from media.rendition import Rendition, renditions_for
from mediaserver.live.plan import (
    Copy,
    Encode,
    Tracks,
    feed_of,
    renditions_of,
    spec_of,
    suits_copy_video,
    suits_twin,
)

from .scene import VIDEO, sized

HD = {rung.name: rung for rung in renditions_for(1920, 1080)}


def hevc(width: int, height: int) -> VideoTrack:
    return replace(sized(width, height), codec="hevc", codec_string="hvc1.1.6.L93.B0")


def fed(
    video: VideoTrack, companions: Mapping[int, VideoTrack] | None = None, may_copy: bool = True
) -> dict[str, str]:
    """Say in words what fills the rungs of a 1080p broadcast."""
    found = {}
    for name, rung in HD.items():
        feed = feed_of(rung, Tracks(video, None, companions or {}), may_copy=may_copy)
        if isinstance(feed, Copy):
            found[name] = f"copy {feed.track.width}x{feed.track.height}"
        elif isinstance(feed, Encode):
            found[name] = f"encode {feed.rendition.width}x{feed.rendition.height}"
    return found


@pytest.mark.parametrize(
    ("track", "suits"),
    [
        (VIDEO, True),
        (replace(VIDEO, bit_depth=10), False),
        (replace(VIDEO, chroma_format_idc=2), False),
        (replace(VIDEO, codec="hevc"), False),
    ],
    ids=["plain", "10 bits", "4:2:2", "HEVC"],
)
def test_what_every_player_decodes(track: VideoTrack, suits: bool) -> None:
    assert suits_copy_video(track) is suits


@pytest.mark.parametrize(
    ("track", "suits"),
    [
        (VIDEO, False),
        (replace(VIDEO, codec="hevc"), True),
        (replace(VIDEO, codec="hevc", bit_depth=10), True),
        (replace(VIDEO, codec="hevc", chroma_format_idc=3), False),
        (replace(VIDEO, codec="av1"), True),
        (replace(VIDEO, codec="vp9"), False),
    ],
    ids=["H.264", "HEVC", "HEVC 10 bits", "HEVC 4:4:4", "AV1", "VP9"],
)
def test_what_gets_a_rung_in_its_own_codec(track: VideoTrack, suits: bool) -> None:
    assert suits_twin(track) is suits
    names = [rung.name for rung in renditions_of(track, "2160p")]
    assert names == ["360p", *([f"360p-{track.codec}"] if suits else []), "240p", "144p"]


def test_source_fills_its_own_rung_and_the_others_are_encoded() -> None:
    assert fed(sized(1920, 1080)) == {
        "1080p": "copy 1920x1080", "720p": "encode 1280x720", "480p": "encode 854x480",
        "360p": "encode 640x360", "240p": "encode 426x240", "144p": "encode 256x144",
    }  # fmt: skip


def test_smaller_source_is_carried_as_it_is_in_every_rung_that_is_not_smaller() -> None:
    assert fed(sized(640, 480)) == {
        "1080p": "copy 640x480", "720p": "copy 640x480", "480p": "copy 640x480",
        "360p": "encode 640x360", "240p": "encode 426x240", "144p": "encode 256x144",
    }  # fmt: skip


def test_smaller_source_that_must_be_encoded_is_not_upscaled() -> None:
    found = fed(hevc(854, 480))
    assert found["1080p"] == found["720p"] == found["480p"] == "encode 854x480"
    assert found["360p"] == "encode 640x360"


def test_larger_source_is_encoded_into_every_rung_of_before() -> None:
    assert fed(sized(2560, 1440))["1080p"] == "encode 1920x1080"


def test_source_with_too_few_keyframes_is_encoded() -> None:
    assert fed(sized(1920, 1080), may_copy=False)["1080p"] == "encode 1920x1080"


def test_samples_that_are_not_square_are_made_square_when_encoded() -> None:
    source = replace(hevc(720, 576), sample_aspect_ratio=Fraction(16, 15))
    assert fed(source)["1080p"] == "encode 768x576"


def test_streamers_own_renditions_fill_the_rungs_of_their_names() -> None:
    own = {1: sized(1280, 720), 2: sized(640, 360)}
    assert fed(sized(1920, 1080), own) == {
        "1080p": "copy 1920x1080", "720p": "copy 1280x720", "480p": "encode 854x480",
        "360p": "copy 640x360", "240p": "encode 426x240", "144p": "encode 256x144",
    }  # fmt: skip


def test_of_two_renditions_of_one_name_the_larger_is_taken_and_others_that_do_not_suit_are_not() -> None:
    own = {1: sized(1000, 600), 2: sized(1280, 720), 3: hevc(640, 360)}
    found = fed(sized(1920, 1080), own)
    assert found["720p"] == "copy 1280x720"
    assert found["360p"] == "encode 640x360"


def test_rung_in_another_codec_is_copied_or_encoded_and_lives_on() -> None:
    twin = Rendition("1080p", 1920, 1080, is_source=True).twin("hevc")
    assert feed_of(twin, Tracks(hevc(1920, 1080))) == Copy(hevc(1920, 1080))
    assert feed_of(twin, Tracks(sized(1280, 720))) == Copy(sized(1280, 720))
    assert feed_of(twin, Tracks(hevc(1920, 1080)), may_copy=False) == Encode(twin)
    assert feed_of(twin, Tracks(hevc(3840, 2160))) == Encode(twin)
    vp9 = replace(sized(1280, 720), codec="vp9")
    assert feed_of(twin, Tracks(vp9)) == Encode(replace(twin, width=1280, height=720))
    spec = spec_of(twin, hevc(3840, 2160))
    assert spec.name == "1080p-hevc"
    assert replace(spec, name="1080p") == spec_of(HD["1080p"], hevc(3840, 2160))


def test_nothing_fills_a_rung_without_video() -> None:
    assert feed_of(HD["720p"], Tracks(None)) is None
