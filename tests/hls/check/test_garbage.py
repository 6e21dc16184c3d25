"""Whatever a server sends, the checker judges it: its readers raise nothing but their own errors."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from hls.check.attribute import PlaylistError, parse_attributes
from hls.check.content import Content
from hls.check.delta import merge_delta
from hls.check.directive_rules import check_delta, guess_future
from hls.check.document import parse_document
from hls.check.finding import Report
from hls.check.low_latency_rules import check_low_latency, check_reports
from hls.check.media_reader import read_media
from hls.check.media_rules import check_media
from hls.check.multivariant import check_multivariant, read_multivariant
from hls.check.next_request import following, hinted
from hls.check.record import Record
from hls.check.reload_rules import check_reload

from .case_media import MAP, SHORT
from .case_multivariant import MULTIVARIANT, PICTURES, SOUND, measured
from .case_playlist import VARIABLES
from .media_bytes import PICTURES as INIT
from .media_bytes import fragment, initialization, pictures, track, transport
from .playlists import LIVE, LL, VOD, media

LINES = sorted({line for text in (LIVE, LL, VOD, MULTIVARIANT, VARIABLES) for line in text.split("\n")})
NUMBERS = st.sampled_from(
    ["", "-1", "0", "1e9", "99999999999999999999", "9" * 40, "0.0", "1.5", "NaN", "x", '"', "\n"]
)


@st.composite
def spoilt_lines(draw: st.DrawFn) -> str:
    """Lines of right playlists in any order, some with a number or a piece replaced."""
    lines = draw(st.lists(st.sampled_from(LINES), max_size=30))
    spoilt = []
    for line in lines:
        cut = draw(st.integers(0, len(line)))
        spoilt.append(draw(st.sampled_from([line, line[:cut] + draw(NUMBERS) + line[cut + 1 :]])))
    return "#EXTM3U\n" + "\n".join(spoilt)


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda tail: b"#EXTM3U\n" + tail))
def test_any_bytes_are_a_document_or_none(data: bytes) -> None:
    with contextlib.suppress(PlaylistError):
        parse_document(data).report("index.m3u8", Report())


@given(st.text(max_size=80))
def test_any_text_is_an_attribute_list_or_none(text: str) -> None:
    with contextlib.suppress(PlaylistError):
        parse_attributes(text)


@settings(deadline=None)
@given(spoilt_lines(), spoilt_lines())
def test_any_playlist_is_judged(first: str, second: str) -> None:
    report = Report()
    playlists = []
    for text in (first, second):
        document = parse_document(text.encode())
        document.report("index.m3u8", report)
        check_multivariant(read_multivariant(document), "index.m3u8", report)
        playlist = read_media(document)
        check_media(playlist, "index.m3u8", report)
        check_low_latency(playlist, "index.m3u8", report)
        check_reports(playlist, "index.m3u8", "https://example.com/a/index.m3u8", {}, report)
        following(playlist)
        hinted(playlist)
        playlists.append(playlist)
    check_reload(playlists[0], playlists[1], "index.m3u8", report)
    check_delta(playlists[0], playlists[1], "index.m3u8", report)
    merge_delta(playlists[0], playlists[1])


@settings(deadline=None)
@given(spoilt_lines())
def test_any_variant_is_measured(text: str) -> None:
    with contextlib.suppress(IndexError):  # No variant is left that was followed.
        measured(text, PICTURES, SOUND)(Report())


BODIES = (
    INIT,
    initialization(track(1, "avc1"), track(2, "mp4a")),
    pictures(36_000, 10),
    fragment(0, []),
    transport(0, 5),
)


@st.composite
def spoilt_bytes(draw: st.DrawFn) -> bytes:
    """Right bytes with some of them replaced, cut or repeated."""
    data = bytearray(draw(st.sampled_from(BODIES)))
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, len(data)))
        data[start : start + draw(st.integers(0, 8))] = draw(st.binary(max_size=8))
    return bytes(data)


@settings(deadline=None)
@given(spoilt_bytes(), spoilt_bytes(), spoilt_bytes() | st.binary(max_size=400))
def test_any_media_is_judged(init: bytes, first: bytes, second: bytes) -> None:
    playlist = media(SHORT)
    content = Content(Record("a", "https://example.com/a", "media", playlist=playlist), Report())
    content.initialization(MAP, init)
    content.segment(playlist.segments[0], first)
    content.segment(playlist.segments[1], second)


@settings(deadline=None)
@given(spoilt_bytes())
def test_any_part_is_judged(body: bytes) -> None:
    content = Content(Record("a", "https://example.com/a", "media"), Report())
    content.initialization(MAP, INIT)
    content.part(next(s for s in media(LL).segments if s.parts), 0, body, None)


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_addresses_are_guessed_from(first: str, second: str) -> None:
    guess_future(first, second, 1000)


def test_an_address_that_counts_up_is_guessed() -> None:
    assert guess_future("a-7/12.3.m4s", "a-7/12.4.m4s", 10) == "a-7/12.14.m4s"
    assert guess_future("part008.mp4", "part009.mp4", 2) == "part011.mp4"
    assert guess_future("1.2.m4s", "2.3.m4s", 1) is None
    assert guess_future("a.m4s", "b.m4s", 1) is None
