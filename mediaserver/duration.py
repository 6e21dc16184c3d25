"""Lengths of time as people write them."""

from __future__ import annotations

import re

_UNIT_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
LONGEST_S = 3650 * 86_400


def parse_duration(text: str) -> int:
    """Read `90`, `90s`, `15m`, `1h`, `7d` as seconds.

    Raises:
        ValueError: it is none of these, zero, or over ten years.
    """
    match = re.fullmatch(r"(\d{1,10})([smhd]?)", text.strip().lower())
    seconds = int(match[1]) * _UNIT_S[match[2]] if match else 0
    if not 0 < seconds <= LONGEST_S:
        raise ValueError(f"{text!r} is no length of time; write 90s, 15m, 1h or 7d (at most 3650d)")
    return seconds
