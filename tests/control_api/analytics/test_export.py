"""CSV that every reader reads, and no spreadsheet calculates."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_api.analytics.export import COLUMNS, cell, header, lines
from control_api.postgres.analytics_table import Row

ROW = Row(
    at=datetime(2026, 5, 1, 12, 0, 10, tzinfo=UTC),
    viewer_count=3,
    average_viewers=2.5,
    unique_viewers=4,
    comments_count=5,
    reactions_count=6,
    bitrate_bps=6_000_000,
    fps=29.97,
    rungs=("1080p", "480p"),
    experience={
        "reports": 4,
        "startup:40": 1,
        "latency:30": 2,
        "stalls": 1,
        "stalled_ms": 1500,
        "rung:480p": 2,
    },
)
EMPTY = Row(
    at=datetime(2026, 5, 1, 12, 0, 20, tzinfo=UTC),
    viewer_count=0,
    average_viewers=0.0,
    unique_viewers=0,
    comments_count=0,
    reactions_count=0,
    bitrate_bps=None,
    fps=None,
    rungs=(),
    experience={},
)
CELLS: dict[str, tuple[str | float | None, str]] = {
    "nothing": (None, ""),
    "a number": (-1.5, "-1.5"),
    "a whole number": (12_345_678_901, "12345678901"),
    "words": ("1080p 480p", "1080p 480p"),
    "a comma": ("a,b", '"a,b"'),
    "a quote": ('a"b', '"a""b"'),
    "a formula": ("=1+1", "'=1+1"),
    "another": ("@SUM(A1)", "'@SUM(A1)"),
    "one behind a tab": ("\t=1", "'\t=1"),
    "lines": ("+a\r\nb", '"\'+a\r\nb"'),
}


@pytest.mark.parametrize("name", CELLS)
def test_cells(name: str) -> None:
    value, wanted = CELLS[name]
    assert cell(value) == wanted


@given(st.text())
def test_any_text_comes_back(text: str) -> None:
    [[found, _]] = csv.reader(io.StringIO(f"{cell(text)},x\r\n", newline=""))
    assert found.removeprefix("'") == text.removeprefix("'")
    assert not found.startswith(("=", "+", "-", "@"))


def test_rows() -> None:
    text = header() + lines([ROW, EMPTY])
    assert text.endswith("\r\n")
    first, second = csv.DictReader(io.StringIO(text, newline=""))
    assert tuple(first) == COLUMNS
    assert first == {
        "at": "2026-05-01T12:00:10Z",
        "viewer_count": "3",
        "average_viewers": "2.5",
        "unique_viewers": "4",
        "comments_count": "5",
        "reactions_count": "6",
        "bitrate_bps": "6000000",
        "fps": "29.97",
        "rungs": "1080p 480p",
        "reports": "4",
        "startup_ms_median": "475",
        "startup_ms_p95": "475",
        "latency_s_median": "1.83",
        "latency_s_p95": "1.83",
        "stalls": "1",
        "stalled_s": "1.5",
        "rung_shares": "480p=1",
    }
    assert second["bitrate_bps"] == second["latency_s_p95"] == second["rung_shares"] == ""
    assert second["reports"] == second["stalls"] == "0"
