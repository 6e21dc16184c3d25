"""The eight quality names and which of them a picture gets.

A name is the shorter side in pixels, so portrait video keeps its shape. Nothing is ever upscaled.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

LADDER: tuple[str, ...] = ("2160p", "1440p", "1080p", "720p", "480p", "360p", "240p", "144p")
"""The eight rungs, best first."""

SHORT_SIDE: dict[str, int] = {name: int(name[:-1]) for name in LADDER}
"""Shorter side of each rung in pixels."""

TOLERANCE_PX = 16
"""A source up to this much over a name counts as that name: 1088 lines are 1080p (H.264 codes whole macroblocks)."""


@dataclass(frozen=True, slots=True)
class Rendition:
    """One rung of a broadcast: its name and the size of its picture (square samples unless `is_source`)."""

    name: str
    width: int
    height: int
    is_source: bool = False
    """The source's own picture size: copied where the source suits, encoded at the same size where not."""
    codec: str = "h264"
    """Another one: a copy of the source, offered beside the encoded rung of the same quality."""

    @property
    def quality(self) -> str:
        """The name among `LADDER`; the rung's own name but for a copy in another codec."""
        return self.name.partition("-")[0]

    def twin(self, codec: str) -> Rendition:
        """Name the copy of the source in its own codec, such as `1080p-hevc`."""
        return replace(self, name=f"{self.name}-{codec}", codec=codec)


def source_name(width: int, height: int) -> str:
    """Name the rung under which a source of this size is carried: the next higher name, `2160p` above all."""
    short = min(width, height)
    for name in reversed(LADDER):
        if short <= SHORT_SIDE[name] + TOLERANCE_PX:
            return name
    return LADDER[0]


def renditions_for(
    width: int, height: int, aspect: Fraction = Fraction(1), quality: str = "2160p"
) -> list[Rendition]:
    """List the rungs of a source, best first.

    Args:
        width: of the source in pixels.
        height: of the source in pixels.
        aspect: sample aspect ratio; encoded rungs have square samples and the same display aspect.
        quality: the best rung wanted, one of `LADDER`.

    Returns:
        The source's own rung first when `quality` allows it, then every name strictly below the source's.
        A source below 144 lines is the only rung, `144p`.
    """
    own = source_name(width, height)
    short = min(width, height)
    fits = short <= SHORT_SIDE[LADDER[0]] + TOLERANCE_PX
    rungs = []
    if fits and LADDER.index(quality) <= LADDER.index(own):
        rungs.append(Rendition(own, width, height, is_source=True))
    first = LADDER.index(own) + (1 if fits else 0)
    names = LADDER[max(first, LADDER.index(quality)) :]
    rungs += [Rendition(name, *scaled_size(width, height, aspect, SHORT_SIDE[name])) for name in names]
    return rungs


def scaled_size(width: int, height: int, aspect: Fraction, short_side: int) -> tuple[int, int]:
    """Scale a picture to a shorter side, both sides even, samples square, display aspect kept."""
    display_width = width * aspect
    if display_width >= height:
        return _even(display_width * short_side / height), short_side
    return short_side, _even(height * short_side / display_width)


def _even(value: Fraction) -> int:
    return max(2, round(value / 2) * 2)
