"""`?start=`: begin anew, some time ago, or at a date."""

from __future__ import annotations

import pytest

from hls.playlist import render_multivariant
from hls.start import Start, parse_start, start_line
from media.error import PeerError

from .conftest import NOW
from .test_window import Rungs


@pytest.mark.parametrize(
    ("text", "offset_s", "date_s"),
    [
        ("0", 0.0, None),
        ("-600", -600.0, None),
        ("12.5", 12.5, None),
        ("1790000000.5", None, 1_790_000_000.5),
        ("2026-11-26T10:00:00Z", None, 1_795_687_200.0),
        ("2026-11-26T11:00:00+01:00", None, 1_795_687_200.0),
        ("2026-11-26T10:00:00", None, 1_795_687_200.0),
    ],
)
def test_what_is_understood(text: str, offset_s: float | None, date_s: float | None) -> None:
    assert parse_start({"start": text}) == Start(text, offset_s, date_s)


@pytest.mark.parametrize("text", ["", "now", "1e3", "--5", "nan", "inf", "0x10", "9" * 40, "2026-13-01", "٣"])
def test_what_is_refused(text: str) -> None:
    with pytest.raises(PeerError, match="start is 0 for the begin"):
        parse_start({"start": text})


def test_nothing_is_asked_for() -> None:
    assert parse_start({"_HLS_msn": "5"}) is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("0", "#EXT-X-START:TIME-OFFSET=0.000"),
        ("3.5", "#EXT-X-START:TIME-OFFSET=3.500"),
        ("-4", "#EXT-X-START:TIME-OFFSET=-4.000"),
        ("-4000", "#EXT-X-START:TIME-OFFSET=-10.000"),
        ("4000", None),
        (str(NOW - 100), "#EXT-X-START:TIME-OFFSET=0.000"),
        (str(NOW + 3), "#EXT-X-START:TIME-OFFSET=3.000"),
        (str(NOW + 50), "#EXT-X-START:TIME-OFFSET=6.000"),
        (str(NOW + 101), "#EXT-X-START:TIME-OFFSET=7.000"),
        (str(NOW + 200), None),
    ],
)
def test_where_it_is(text: str, line: str | None) -> None:
    rungs = Rungs()
    rungs.run(3)
    rungs.reconnect()  # 94 s later
    rungs.run(2)
    start = parse_start({"start": text})
    assert start is not None
    assert start_line(start, rungs.view()) == line


def test_media_playlists_are_asked_the_same() -> None:
    rungs = Rungs()
    rungs.run(3)
    view = rungs.output.multivariant()
    assert view is not None
    plain = render_multivariant(view).plain.decode()
    start = parse_start({"start": "2026-11-26T11:00:00+01:00"})
    assert render_multivariant(view, start).plain.decode() == plain.replace(
        "index.m3u8", "index.m3u8?start=2026-11-26T11%3A00%3A00%2B01%3A00"
    )
