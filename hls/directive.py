"""Delivery directives of a playlist request (rfc8216bis, 6.2.5): what one waits for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from media.error import PeerError

from .config import HlsConfig
from .view import RenditionView

MAX_DIGITS = 18
"""No sequence number is longer; int() of a megabyte of digits would take seconds."""

MAX_MSN_AHEAD = 2
"""A media sequence number further ahead is refused (6.2.5.2)."""


@dataclass(frozen=True, slots=True)
class Directives:
    """What the query of a playlist request says."""

    msn: int | None = None
    part: int | None = None
    skip: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """What has to exist before a playlist request is answered; `part` None means the whole segment."""

    msn: int
    part: int | None


def parse_directives(query: Mapping[str, str]) -> Directives:
    """Read the `_HLS_` directives; unknown ones are ignored.

    Raises:
        PeerError: one is malformed, or `_HLS_part` comes without `_HLS_msn`.
    """
    msn, part = _integer(query, "_HLS_msn"), _integer(query, "_HLS_part")
    if part is not None and msn is None:
        raise PeerError("_HLS_part needs _HLS_msn")
    skip = query.get("_HLS_skip")
    if skip not in (None, "YES", "v2"):
        raise PeerError("_HLS_skip is YES or v2")
    return Directives(msn, part, skip is not None)


def _integer(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        raise PeerError(f"{name} is a decimal integer")
    return int(text)


def find_target(directives: Directives, view: RenditionView, config: HlsConfig) -> Target | None:
    """Decide what a request waits for.

    Returns:
        None when it is answered at once.

    Raises:
        PeerError: it asks for what is too far in the future.
    """
    if view.is_ended:
        return None
    last = view.segments[-1] if view.segments else None
    if directives.msn is None:
        # A playlist without any segment is of no use to a player, so the very first request waits for one.
        return Target(0, 0) if last is None or not last.parts else None
    last_msn = max(view.newest_msn, view.media_sequence - 1 if last is None else last.msn)
    _check_distance(directives.msn, directives.part, last_msn, view, config)
    if directives.part is not None:
        return Target(directives.msn, directives.part)
    # The specification means the whole segment, Safari the first part of a new one. Neither gets a stale
    # list: who asks for a segment that has parts already has seen them.
    has_parts = last is not None and last.parts and last.msn >= directives.msn
    return Target(directives.msn, None if has_parts else 0)


def _check_distance(
    msn: int, part: int | None, last_msn: int, view: RenditionView, config: HlsConfig
) -> None:
    if msn > last_msn + MAX_MSN_AHEAD:
        raise PeerError(f"_HLS_msn {msn} is too far ahead: the last segment is {last_msn}")
    last = view.segments[-1] if view.segments else None
    last_part = len(last.parts) - 1 if last is not None and last.msn == msn else -1
    limit = math.ceil(3 / config.part_s) if config.part_s < 1 else 3
    if part is not None and msn >= last_msn and part > last_part + limit:
        raise PeerError(f"_HLS_part {part} is too far ahead: the last part is {last_part}")
