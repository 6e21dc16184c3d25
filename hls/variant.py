"""A video rung as players choose it: what was said about it when it was declared, and what its track makes of that."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from media.rendition import LADDER

from .rendition import Rendition
from .view import VariantView
from .writer import VideoWriter


class VariantState(Enum):
    """Whether a rung is made."""

    ACTIVE = "active"
    """Its parts come as the source's frames do."""
    DORMANT = "dormant"
    """Its parts are made when somebody asks for them."""
    SHED = "shed"
    """It cannot be made at present: its parts are gaps."""


@dataclass(slots=True)
class Variant:
    """A video rung with its writer."""

    name: str
    """As in addresses: `720p`, or `720p-av1` for a twin in another codec."""
    writer: VideoWriter
    width: int
    """Of the picture in pixels; like the next two until the writer has a track, which overrules it."""
    height: int
    codec_string: str
    frame_rate: Fraction
    bandwidth_bps: int
    """Highest rate that was planned, audio included."""
    average_bandwidth_bps: int
    """Mean rate that was planned, audio included."""
    state: VariantState = VariantState.ACTIVE

    @property
    def is_listed(self) -> bool:
        """Whether newcomers are told of it."""
        return self.writer.rendition.is_listed and self.state is not VariantState.SHED

    @property
    def place(self) -> tuple[bool, int]:
        """Where it stands in the multivariant playlist: the eight names from the best down, then the twins."""
        rung, _, codec = self.name.partition("-")
        return bool(codec), LADDER.index(rung) if rung in LADDER else len(LADDER)

    @property
    def _codecs(self) -> str:
        """The codec of its newest track, but of a twin its own: what else it carries may end at any time."""
        track, (_, _, own) = self.writer.newest_track, self.name.partition("-")
        return self.codec_string if track is None or own not in ("", track.codec) else track.codec_string

    def view(self, audio: Rendition | None) -> VariantView:
        """Describe it as it is now; `audio` is the rendition that goes with it."""
        track, video = self.writer.newest_track, self.writer.rendition
        peak_bps = video.peak_bps + (audio.peak_bps if audio is not None else 0)
        average_bps = video.average_bps + (audio.average_bps if audio is not None else 0)
        return VariantView(
            name=self.name,
            width=track.width if track is not None else self.width,
            height=track.height if track is not None else self.height,
            frame_rate=self.frame_rate,
            codecs=self._codecs,
            bandwidth_bps=max(self.bandwidth_bps, peak_bps),
            average_bandwidth_bps=average_bps if video.average_bps else self.average_bandwidth_bps,
            is_active=self.state is VariantState.ACTIVE,
        )
