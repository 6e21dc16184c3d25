"""A stream's series as CSV (RFC 4180), for spreadsheets. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC

from control_api.analytics.experience import Spread, summed_up
from control_api.postgres.analytics_table import Row

COLUMNS = (
    "at", "viewer_count", "average_viewers", "unique_viewers", "comments_count", "reactions_count", "bitrate_bps",
    "fps", "rungs", "reports", "startup_ms_median", "startup_ms_p95", "latency_s_median", "latency_s_p95", "stalls",
    "stalled_s", "rung_shares",
)  # fmt: skip
"""`rungs` are names with spaces between; `rung_shares` is `720p=0.75 480p=0.25`; what is not known is empty."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What spreadsheets take for the beginning of a formula, whatever else the cell says."""

SPECIAL = frozenset('",\r\n')


def header() -> str:
    """Give the first line."""
    return _line(COLUMNS)


def lines(rows: Sequence[Row]) -> str:
    """Write rows, a line each."""
    return "".join(_line(_cells(row)) for row in rows)


def cell(value: str | float | None) -> str:
    """Write one value. Text that a spreadsheet would calculate gets an apostrophe before it, numbers stay numbers."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return f"{value:.10g}" if isinstance(value, float) else str(value)
    text = f"'{value}" if value.startswith(FORMULA) else value
    return '"' + text.replace('"', '""') + '"' if SPECIAL & set(text) else text


def _line(values: Sequence[str | float | None]) -> str:
    return ",".join(map(cell, values)) + "\r\n"


def _cells(row: Row) -> list[str | float | None]:
    at = row.at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    plain = [
        row.viewer_count,
        row.average_viewers,
        row.unique_viewers,
        row.comments_count,
        row.reactions_count,
    ]
    signal = [row.bitrate_bps, None if row.fps is None else round(row.fps, 3), " ".join(row.rungs)]
    return [at, *plain, *signal, *_experience(row.experience)]


def _experience(counts: Mapping[str, int]) -> list[str | float | None]:
    if not counts:
        return [0, *[None] * 4, 0, 0, ""]
    told = summed_up(counts)
    shares = " ".join(f"{name}={share:g}" for name, share in told.rungs.items())
    spreads = [*_spread(told.startup_ms), *_spread(told.latency_s)]
    return [told.reports, *spreads, told.stalls, told.stalled_s, shares]


def _spread(spread: Spread | None) -> tuple[float | None, float | None]:
    return (None, None) if spread is None else (spread.median, spread.p95)
