"""A broadcast's encoders as the machine's governor sees them: what they cost, what they are worth, what can be done."""

from __future__ import annotations

from collections.abc import Callable

from media.packet import VideoTrack
from transcode.cost import cheaper_presets, decode_cost, encode_cost, worth
from transcode.governed import BroadcastLoad, RungLoad

from .demand import RECENT_S
from .encoding import Encoding
from .ladder import Ladder
from .ladder_rung import AskedRung


class Burden:
    """Implements `steward.Governed`.

    Args:
        stream_id: names the broadcast to the governor.
        ladder: its encoded rungs.
        encoding: the encoders.
        video: of the source, None while there is none.
        has_copy: whether a rung is the source's own bits, which costs nothing.
    """

    def __init__(
        self,
        stream_id: str,
        ladder: Ladder,
        encoding: Encoding,
        *,
        video: Callable[[], VideoTrack | None],
        has_copy: Callable[[], bool],
    ) -> None:
        self._stream_id = stream_id
        self._ladder = ladder
        self._encoding = encoding
        self._video = video
        self._has_copy = has_copy
        self._requests: dict[str, float] = {}  # of shed rungs, as many as when they could be asked for
        self.reason: str | None = None
        """Why not all that is asked for is made, in words; None while it is."""

    def load(self) -> BroadcastLoad | None:
        """Describe what is asked for now; None when nothing is."""
        asked, video = self._ladder.asked(), self._video()
        if not asked or video is None or self._encoding.failure is not None:
            self.reason = None
            return None
        stats = self._encoding.stats
        return BroadcastLoad(
            self._stream_id,
            stats.lag_s if stats.has_begun else 0.0,
            stats.base_cost,
            decode_cost(video),
            tuple(self._describe(rung, stats.costs.get(rung.spec.name)) for rung in asked),
            has_copy=self._has_copy(),
        )

    def shed(self, rung: str, *, at_once: bool) -> None:
        """Make a rung no more, from the next segment on or at once."""
        self._ladder.shed(rung, at_once=at_once)

    def restore(self, rung: str) -> None:
        """Make a rung again, from the next segment on."""
        self._ladder.restore(rung)

    def set_preset(self, rung: str, preset: str) -> None:
        """Encode a rung with another preset, from the next segment on."""
        self._ladder.set_preset(rung, preset)

    def explain(self, reason: str | None) -> None:
        """Learn in plain words what is not made and why."""
        self.reason = reason

    def _describe(self, rung: AskedRung, cost: float | None) -> RungLoad:
        spec = rung.spec
        if not rung.is_shed or spec.name not in self._requests:
            self._requests[spec.name] = rung.requests * RECENT_S
        return RungLoad(
            spec.name,
            spec.preset,
            cheaper_presets(rung.own_preset),
            None if rung.is_shed else cost,
            encode_cost(spec),
            worth(spec.name.partition("-")[0], self._requests[spec.name]),
            rung.is_shed,
            # Where nothing is copied, past segments of all other rungs are made from this one.
            is_last=spec.name == self._ladder.demand.pinned,
        )
