"""What has been promised of the rungs that are not made: who makes it, and when that shows."""

from __future__ import annotations

from collections.abc import Callable

from hls.output import HlsOutput
from hls.published import PublishedSegment
from transcode.render import Priority

from .declaration import Declaration
from .ladder_rung import LadderRung, Phase
from .past import Past, SegmentRenderer


class Promises:
    """Has segments made when they are asked for, unless encoders at work deliver them.

    A request may come too early to tell: while the segment grows, while the rung stops, or before its track is known.
    It is remembered, since whoever waits does not ask again.

    Args:
        stream_id: names the broadcast in logs.
        output: has the timeline.
        declared: has the writers.
        renderer: makes segments.
        on_made: called with a rung and a media sequence number when that segment has been made.
    """

    def __init__(
        self,
        stream_id: str,
        output: HlsOutput,
        declared: Declaration,
        renderer: SegmentRenderer,
        on_made: Callable[[str, int], None],
    ) -> None:
        self._output = output
        self._timeline = output.timeline
        self._declared = declared
        self._past = Past(stream_id, declared, renderer, wait=self._wait, on_made=on_made)

    def is_near(self, msn: int) -> bool:
        """Tell whether players are there that do not rewind: they keep three target durations from the end."""
        config = self._output.config
        return msn >= self._timeline.next_msn - 2 - round(3 * config.target_duration_s / config.segment_s)

    def request(self, rung: LadderRung, msn: int, *, is_carried: bool) -> None:
        """Have a segment made if it has to be.

        Args:
            rung: that is asked for.
            msn: media sequence number of the segment, as the request says.
            is_carried: whether encoders fill the rung in this run of the source.
        """
        if is_carried and self._is_undecided(rung, msn):
            rung.awaited.add(msn)
        else:
            self._make(rung, msn)

    def settle(self, rung: LadderRung) -> None:
        """Have made what somebody waits for, where it has shown now that no encoder delivers it."""
        for msn in [msn for msn in rung.awaited if not self._is_undecided(rung, msn)]:
            rung.awaited.discard(msn)
            self._make(rung, msn)

    def _is_undecided(self, rung: LadderRung, msn: int) -> bool:
        segment = self._timeline.segment(msn)
        if segment is None or rung.phase in (Phase.AWAKE, Phase.SHED):
            return False
        is_tail = rung.phase is Phase.STOPPING and segment.start >= rung.awake_from
        return is_tail or not rung.is_known or not segment.is_closed

    def _make(self, rung: LadderRung, msn: int) -> None:
        writer = self._declared.writers[rung.name]
        item = writer.rendition.item(msn)
        if item is None or not _is_open_promise(item) or rung.comes_live(item.segment.start):
            return
        spec = rung.spec_at(item.segment.start)
        if spec is None and writer.track_of(item.generation) == rung.track:
            spec = rung.spec  # an earlier process has promised it
        if spec is None:
            writer.keep(item, [])
            return
        priority = Priority.LIVE if self.is_near(msn) else Priority.REWIND
        self._past.make(spec, item, priority)

    async def _wait(self, name: str, msn: int) -> None:
        await self._output.wait(name, msn, None, self._output.config.hold_limit_s)


def _is_open_promise(item: PublishedSegment) -> bool:
    return item.is_complete and item.is_promised and not item.has_bytes
