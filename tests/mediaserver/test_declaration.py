"""Which renditions a source gets, and what the multivariant playlist says of them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from hls.config import HlsConfig
from hls.output import HlsOutput
from media.packet import VideoTrack
from mediaserver.live.declaration import Declaration, declare, suits_copy_video

from .scene import AAC_48, NOW, VIDEO, sized


def declared(
    video: VideoTrack, *, quality: str = "2160p", wanted: tuple[str, ...] | None = None
) -> Declaration:
    output = HlsOutput(HlsConfig())
    output.timeline.begin(0, NOW)
    return declare(output, video, AAC_48, quality=quality, wanted=wanted)


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
    assert declared(track).can_copy(track) is suits


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
    assert found.names == names
    assert (found.own.name if found.own else None) == own
    assert list(found.writers) == names


def test_source_after_a_reconnect_is_copied_unless_it_is_larger() -> None:
    found = declared(sized(1280, 720))
    assert found.can_copy(sized(640, 360))
    assert found.can_copy(sized(720, 1280))
    assert found.can_copy(sized(1312, 736))
    assert not found.can_copy(sized(1920, 1080))


@pytest.mark.parametrize("rate", [None, Fraction(90_000), Fraction(1, 1000)])
def test_frame_rates_that_nobody_believes(rate: Fraction | None) -> None:
    output = HlsOutput(HlsConfig())
    output.timeline.begin(0, NOW)
    declare(output, replace(VIDEO, frame_rate=rate), AAC_48, quality="2160p", wanted=None)
    output.timeline.advance(90_000, can_cut=False)
    view = output.multivariant()
    assert view is not None
    assert all(variant.frame_rate <= 120 for variant in view.variants)
