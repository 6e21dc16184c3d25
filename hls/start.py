"""`?start=` of a playlist's address: where a player begins (EXT-X-START, rfc8216bis 4.4.2.2)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from media.error import PeerError

from .view import RenditionView

FIRST_DATE_S = 1_000_000_000
"""A number from here on is Unix time (it was reached in 2001), a smaller one an offset."""

_NUMBER = re.compile(r"-?\d{1,12}(\.\d{1,9})?", re.ASCII)
_ACCEPTED = (
    "start is 0 for the begin, -600 for ten minutes before the end, seconds from the begin, Unix time, "
    "or a date such as 2026-01-31T20:15:00Z"
)


@dataclass(frozen=True, slots=True)
class Start:
    """Where to begin."""

    text: str
    """As it was asked for."""
    offset_s: float | None = None
    """From the begin of the playlist, from its end when negative."""
    date_s: float | None = None
    """Seconds since the epoch, instead."""


def parse_start(query: Mapping[str, str]) -> Start | None:
    """Read where a player is to begin; None when the query does not say.

    Raises:
        PeerError: it is malformed.
    """
    text = query.get("start")
    if text is None:
        return None
    if _NUMBER.fullmatch(text):
        seconds = float(text)
        return Start(text, date_s=seconds) if seconds >= FIRST_DATE_S else Start(text, offset_s=seconds)
    try:
        date = datetime.fromisoformat(text)
        date = date if date.tzinfo is not None else date.replace(tzinfo=UTC)
        return Start(text, date_s=date.timestamp())
    except (ValueError, OverflowError):
        raise PeerError(_ACCEPTED) from None


def start_line(start: Start, view: RenditionView) -> str | None:
    """Say it as a tag of a media playlist; None when it lies behind the end, so that players begin as ever."""
    offset_s = start.offset_s if start.offset_s is not None else _offset_of(start.date_s or 0.0, view)
    length_s = sum(past.duration_s for past in view.past) + sum(s.duration_s for s in view.segments)
    if offset_s > length_s:
        return None
    # The absolute value should not exceed the playlist.
    return f"#EXT-X-START:TIME-OFFSET={max(offset_s, -length_s):.3f}"


def _offset_of(date_s: float, view: RenditionView) -> float:
    """Find a date in a playlist, infinitely far when it lies behind its end; dates jump where the source was away."""
    elapsed_s = 0.0
    for segment in view.listed:
        inside_s = date_s - segment.program_date_time
        length_s = segment.duration_s
        if inside_s < length_s:
            return elapsed_s + max(0.0, inside_s)
        elapsed_s += length_s
    return math.inf
