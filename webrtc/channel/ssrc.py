"""By which numbers the receivers of a broadcast know its streams."""

from __future__ import annotations

from random import Random
from typing import NamedTuple


class ChannelSsrcs(NamedTuple):
    """Synchronisation sources (RFC 3550, 8), the same for all viewers and all rungs."""

    video: int
    video_rtx: int
    audio: int


def draw_ssrcs(random: Random) -> ChannelSsrcs:
    """Draw three different numbers; 0 is none, since some receivers take it for 'not known'."""
    return ChannelSsrcs(*random.sample(range(1, 1 << 32), 3))
