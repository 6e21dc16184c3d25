"""Which renditions a source gets, what is added later, and what the multivariant playlist says of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from fractions import Fraction

import pytest

from hls.config import HlsConfig
from hls.output import HlsOutput
from media.packet import VideoTrack
from mediaserver.live.declaration import Declaration
from mediaserver.live.plan import Tracks

from .scene import AAC_48, NOW, VIDEO, sized


def make(
    output: HlsOutput | None = None, quality: str = "2160p", wanted: Collection[str] | None = None
) -> Declaration:
    output = output or HlsOutput(HlsConfig())
    output.timeline.begin(0, NOW)
    return Declaration(output, quality=quality, wanted=wanted)


def declared(
    video: VideoTrack, *, quality: str = "2160p", wanted: Collection[str] | None = None
) -> Declaration:
    declaration = make(quality=quality, wanted=wanted)
    declaration.extend(Tracks(video, AAC_48))
    return declaration


@pytest.mark.parametrize(
    ("size", "quality", "wanted", "names", "own"),
    [
        ((1280, 720), "1080p", None, ["720p", "480p", "360p", "240p", "144p"], "720p"),
        ((1280, 720), "360p", None, ["360p", "240p", "144p"], None),
        ((1280, 720), "2160p", ("360p", "144p"), ["360p", "144p"], None),
        ((1280, 720), "2160p", ("720p", "2160p"), ["720p"], "720p"),
        ((1280, 720), "2160p", ("2160p",), ["720p"], "720p"),
        ((90, 160), "2160p", None, ["144p"], "144p"),
        ((8192, 4320), "2160p", ("2160p",), ["2160p"], None),
    ],
)
def test_rungs(
    size: tuple[int, int], quality: str, wanted: tuple[str, ...] | None, names: list[str], own: str | None
) -> None:
    found = declared(sized(*size), quality=quality, wanted=wanted)
    assert list(found.renditions) == names
    assert next((rung.name for rung in found.renditions.values() if rung.is_source), None) == own
    assert set(found.writers) == set(names)


@pytest.mark.parametrize("codec", ["hevc", "av1"])
def test_source_in_a_codec_that_not_every_player_takes_is_offered_beside_its_encoded_rung(codec: str) -> None:
    found = declared(replace(sized(640, 360), codec=codec, codec_string="other"))
    assert list(found.renditions) == ["360p", f"360p-{codec}", "240p", "144p"]


def test_larger_source_adds_rungs_and_a_smaller_one_none() -> None:
    found = make(output := HlsOutput(HlsConfig()))
    assert found.extend(Tracks(sized(640, 360), AAC_48)) == ["360p", "240p", "144p"]
    output.timeline.advance(1, can_cut=False)
    output.timeline.end_segment(90_000)
    output.timeline.begin(90_000, NOW + 1)
    assert found.extend(Tracks(sized(854, 480), AAC_48)) == ["480p"]
    assert list(found.renditions) == ["480p", "360p", "240p", "144p"]
    assert found.extend(Tracks(sized(320, 240), AAC_48)) == []


def test_video_after_audio_alone() -> None:
    found = make(output := HlsOutput(HlsConfig()))
    assert found.extend(Tracks(None, AAC_48)) == []
    assert found.sound is not None
    output.timeline.advance(1, can_cut=False)
    output.timeline.end_segment(90_000)
    output.timeline.begin(90_000, NOW + 1)
    assert found.extend(Tracks(sized(320, 240), AAC_48)) == ["240p", "144p"]


@pytest.mark.parametrize("rate", [None, Fraction(90_000), Fraction(1, 1000)])
def test_frame_rates_that_nobody_believes(rate: Fraction | None) -> None:
    found = make(output := HlsOutput(HlsConfig()))
    found.extend(Tracks(replace(VIDEO, frame_rate=rate), AAC_48))
    output.timeline.advance(90_000, can_cut=False)
    view = output.multivariant()
    assert view is not None
    assert all(variant.frame_rate <= 120 for variant in view.variants)


def test_newcomers_are_told_of_the_source_that_is_there_now() -> None:
    found = make(output := HlsOutput(HlsConfig()))
    found.extend(Tracks(replace(VIDEO, frame_rate=Fraction(25), bitrate_bps=1_000_000), AAC_48))
    output.timeline.advance(1, can_cut=False)
    output.timeline.end_segment(90_000)
    output.timeline.begin(90_000, NOW + 1)
    found.extend(Tracks(replace(VIDEO, frame_rate=Fraction(50), bitrate_bps=4_000_000), AAC_48))
    view = output.multivariant()
    assert view is not None
    # What is copied has all frames, what is encoded below 720p half of them.
    assert {variant.name: variant.frame_rate for variant in view.variants} == {
        "360p": Fraction(50),
        "240p": Fraction(25),
        "144p": Fraction(25),
    }
    assert next(v for v in view.variants if v.name == "360p").bandwidth_bps > 4_000_000
