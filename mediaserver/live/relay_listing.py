"""Which rungs there are for WebRTC, and when that is worth telling again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from media.packet import VideoTrack
from webrtc.port import Rung

from .declaration import Declaration
from .encoding import Encoding
from .plan import spec_of
from .relay_rung import RelayRung
from .rung_state import RungStates
from .stand_in import StandIn

NEWS = 0.2
"""By how much of itself a rung's rate has to change before it is told again."""


class RelayListing:
    """Describes rungs as viewers may choose them.

    Args:
        declared: has the rungs.
        encoding: the encoders.
        states: says what fills each rung.
        rungs: as WebRTC sees them; grows with what is declared.
        stand_in: takes the place of one that is copied.
    """

    def __init__(
        self,
        declared: Declaration,
        encoding: Encoding,
        states: RungStates,
        rungs: Mapping[str, RelayRung],
        stand_in: StandIn,
    ) -> None:
        self._declared = declared
        self._encoding = encoding
        self._states = states
        self._rungs = rungs
        self._stand_in = stand_in
        self.video: VideoTrack | None = None
        """The source's; set with each run."""
        self.rungs: Sequence[Rung] = ()
        """Best first, as they were when looked at last."""

    def renew(self) -> bool:
        """Look at the rungs; tell whether somebody would do something else now."""
        before = self.rungs
        rungs = [found for name in self._declared.renditions if (found := self._describe(name)) is not None]
        if not _is_news(before, rungs):
            return False
        self.rungs = rungs
        return True

    def _describe(self, name: str) -> Rung | None:
        if name == self._stand_in.name:
            return self._describe_stand_in()
        rung, kind = self._rungs.get(name), self._states.kind(name)
        if rung is None or self._declared.renditions[name].codec != "h264" or not self._can_come(kind, rung):
            return None
        bitrate_bps = (None if kind == "slate" else rung.flow.bitrate_bps) or self._planned_bps(name, kind)
        is_made, can_force = self._states.is_made(name), kind in ("encoded", "dormant")
        return Rung(name, *self._states.size(name), bitrate_bps, is_made, can_force)

    def _describe_stand_in(self) -> Rung | None:
        spec = self._stand_in.spec
        if spec is None:
            return None
        bitrate_bps = self._stand_in.flow.bitrate_bps or spec.bitrate_bps
        return Rung(spec.name, spec.width, spec.height, bitrate_bps, self._stand_in.is_made, can_force=True)

    def _can_come(self, kind: str, rung: RelayRung) -> bool:
        if kind == "copied":
            return rung.is_in_order
        return kind == "slate" or (kind in ("encoded", "dormant") and self._encoding.failure is None)

    def _planned_bps(self, name: str, kind: str) -> int:
        if self.video is None:
            return 0
        announced_bps = self.video.bitrate_bps if kind == "copied" else None
        return announced_bps or spec_of(self._declared.renditions[name], self.video).bitrate_bps


def _is_news(before: Sequence[Rung], after: Sequence[Rung]) -> bool:
    """Compare two lists; rates change a little all the time."""
    if [_but_rate(rung) for rung in before] != [_but_rate(rung) for rung in after]:
        return True
    pairs = zip(before, after, strict=True)
    return any(abs(new.bitrate_bps - old.bitrate_bps) > NEWS * old.bitrate_bps for old, new in pairs)


def _but_rate(rung: Rung) -> Rung:
    return replace(rung, bitrate_bps=0)
