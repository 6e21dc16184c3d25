"""What fills each rung of a broadcast now, for its streamer and for viewers over WebRTC."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from media.packet import VideoTrack

from .copied_rungs import CopiedRungs
from .declaration import Declaration
from .encoding import Encoding
from .ladder import Ladder
from .ladder_rung import Phase


class RungState(NamedTuple):
    """A rung as its streamer sees it."""

    name: str
    kind: str
    """What fills it now: `copied`, `encoded`, `slate`; `dormant` when it is made once somebody asks, `shed`
    when it cannot be made at present, `idle` when nothing fills it."""
    width: int
    height: int
    quality_db: float | None = None
    """PSNR of luma of its last pictures against what its encoder was given, None when it is not encoded."""
    preset: str | None = None
    """How it is encoded, None while it is not."""
    cost: float | None = None
    """Cores that its encoder takes, None while unknown."""


class RungStates:
    """Looks at whatever fills rungs.

    Args:
        declared: has the rungs.
        copied: those that no encoder fills.
        ladder: those that encoders fill.
        encoding: the encoders.
    """

    def __init__(
        self, declared: Declaration, copied: CopiedRungs, ladder: Ladder, encoding: Encoding
    ) -> None:
        self._declared = declared
        self._copied = copied
        self._ladder = ladder
        self._encoding = encoding

    def __iter__(self) -> Iterator[RungState]:
        """Describe every rung, best first."""
        quality, costs = self._encoding.stats.quality, self._encoding.stats.costs
        for name in self._declared.renditions:
            width, height = self.size(name)
            kind, spec = self.kind(name), self._encoding.spec(name)
            preset = spec.preset if spec is not None and kind == "encoded" else None
            cost = round(costs[name], 3) if preset is not None and name in costs else None
            quality_db = round(quality[name], 1) if kind == "encoded" and name in quality else None
            yield RungState(name, kind, width, height, quality_db, preset, cost)

    def size(self, name: str) -> tuple[int, int]:
        """Return width and height of a rung's pictures."""
        rendition = self._declared.renditions[name]
        track: VideoTrack | None = self._declared.writers[name].newest_track
        return (track.width, track.height) if track else (rendition.width, rendition.height)

    def kind(self, name: str) -> str:
        """Say what fills a rung; see `RungState.kind`."""
        phase = self._ladder.phase(name)
        if (kind := self._copied.kind(name)) is not None:
            return kind
        if phase in (Phase.DORMANT, Phase.SHED):
            return str(phase.value)
        return "encoded" if self._encoding.failure is None and phase is not None else "idle"

    def is_made(self, name: str) -> bool:
        """Tell whether frames of a rung come now."""
        return (
            self.kind(name) in ("copied", "slate", "encoded")
            and self._ladder.phase(name) is not Phase.WAITING
        )
