"""I-frame playlists, and keyframes as segments."""

from __future__ import annotations

import gzip
import re

import pytest

from hls.config import HlsConfig
from hls.fragment_reader import read_fragments
from hls.keyframe import keyframe_fragment, render_keyframes

from .test_rewind import CONFIG, Shelf, play, shelf
from .test_window import Rungs

__all__ = ["shelf"]  # a fixture


def listed(text: str) -> list[str]:
    return re.findall(r"^\d+-\d+\.key\.m4s$", text, re.MULTILINE)


def test_a_keyframe_lasts_as_long_as_its_segment() -> None:
    rungs = Rungs()
    rungs.run(3)
    segment = rungs.timeline.segment(1)
    assert segment is not None
    (sample,) = read_fragments(keyframe_fragment(segment, b"a picture"))
    assert (sample.dts, sample.pts, sample.duration) == (segment.start, segment.start, 180_000)
    assert (bytes(sample.data), sample.is_sync) == (b"a picture", True)


def test_each_complete_segment_has_one() -> None:
    rungs = Rungs()
    rungs.run(3)
    rungs.reconnect()
    rungs.run(2)
    text = render_keyframes(rungs.view(), HlsConfig()).plain.decode()
    assert text.splitlines()[:8] == [
        "#EXTM3U",
        "#EXT-X-VERSION:8",
        "#EXT-X-TARGETDURATION:5",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-DISCONTINUITY-SEQUENCE:0",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        "#EXT-X-I-FRAMES-ONLY",
        '#EXT-X-MAP:URI="init-1.mp4"',
    ]
    assert listed(text) == ["1-0.key.m4s", "1-1.key.m4s", "1-2.key.m4s", "1-3.key.m4s", "1-4.key.m4s"]
    assert text.count("#EXT-X-DISCONTINUITY\n") == 1
    assert text.count("#EXTINF:2.000000,") == 5
    assert "EXT-X-PART" not in text
    assert "ENDLIST" not in text
    rungs.output.finish()
    assert render_keyframes(rungs.view(), HlsConfig()).plain.endswith(b"#EXT-X-ENDLIST\n")


def test_what_is_lost_is_a_gap() -> None:
    rungs = Rungs()
    rungs.run(3, rungs.writers[:1])
    rungs.writers[1].advance(rungs.timeline.frontier)
    assert render_keyframes(rungs.view("480p"), HlsConfig()).plain.count(b"#EXT-X-GAP\n") == 3


async def test_hours_of_them(shelf: Shelf) -> None:
    rungs = Rungs(CONFIG, archive=shelf.open("show"))
    await play(rungs, shelf, 300)
    body = render_keyframes(rungs.view(), CONFIG)
    assert [int(name.split(".")[0][2:]) for name in listed(body.plain.decode())] == list(range(100, 300))
    assert gzip.decompress(body.gzipped) == body.plain
    assert body.plain.count(b"EXT-X-MAP") == 1


@pytest.mark.parametrize(("name", "msn"), [("720p", 99), ("audio", 0), ("1080p", 0)])
async def test_there_is_none(name: str, msn: int) -> None:
    rungs = Rungs()
    rungs.run(3)
    assert await rungs.output.keyframe(name, 1, msn) is None
    assert await rungs.output.thumbnail(msn) is None
