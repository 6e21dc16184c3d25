"""The rungs that no encoder fills in a run: with the source's own bits, with a slate, or with nothing."""

from __future__ import annotations

from collections.abc import Mapping

from hls.timeline import Timeline
from hls.writer import Sample
from media.packet import Packet
from transcode.slate import SlateRung

from .companion import CompanionRun
from .copied_run import CopiedRun
from .declaration import Declaration
from .encoding import Encoding
from .plan import Copy


class CopiedRungs:
    """Fills rungs without encoding; takes each from the encoders once their tail of the run before has come.

    Args:
        timeline: of the broadcast.
        declared: has the writers.
        encoding: the encoders.
    """

    def __init__(self, timeline: Timeline, declared: Declaration, encoding: Encoding) -> None:
        self._timeline = timeline
        self._declared = declared
        self._encoding = encoding
        self._copies: dict[str, CopiedRun] = {}  # of the main track
        self._companions: dict[str, tuple[int, CompanionRun]] = {}  # with their track ids
        self._slates: dict[str, tuple[CopiedRun, SlateRung]] = {}
        self._gaps: set[str] = set()  # rungs that nothing fills

    @property
    def is_copying(self) -> bool:
        """Whether a rung is the source's own bits now."""
        return bool(self._copies or self._companions)

    @property
    def misaligned(self) -> list[str]:
        """Rungs whose companion track has no keyframe where segments begin."""
        return [name for name, (_, run) in self._companions.items() if run.is_misaligned]

    def kind(self, name: str) -> str | None:
        """Say what fills a rung, `copied` or `slate`; None when it is not filled here."""
        if name in self._slates:
            return "slate"
        return "copied" if name in self._copies or name in self._companions else None

    def begin(self) -> None:
        """Begin a run, which leaves no rung empty yet."""
        self._gaps.clear()

    def copy(self, name: str, feed: Copy, at: int, lead: int) -> None:
        """Fill a rung with the source's own bits.

        Args:
            name: of the rung.
            feed: the track.
            at: where the run begins on the timeline, in ticks.
            lead: ticks by which decoding runs ahead of presentation.
        """
        run = CopiedRun(self._declared.writers[name], feed.track, at, lead)
        if feed.companion is None:
            self._copies[name] = run
        else:
            self._companions[name] = feed.companion, CompanionRun(run)
        self._replace_encoded(name, run)

    def show(self, name: str, slate: SlateRung, at: int) -> None:
        """Fill a rung with its slate from `at` on."""
        run = CopiedRun(self._declared.writers[name], slate.track, at)
        self._slates[name] = run, slate
        self._replace_encoded(name, run)

    def leave(self, name: str) -> None:
        """Leave a rung without media: nothing of this run can fill it."""
        self._encoding.stop(name)
        self._gaps.add(name)

    def receive_video(self, packet: Packet) -> None:
        """Take a packet of the main video, after the timeline has been advanced to it."""
        frontier = self._timeline.frontier
        for name, run in self._copies.items():
            run.add(Sample(packet.dts, packet.pts, packet.data, packet.is_keyframe))
            run.advance(frontier)
            self._hurry(name, run)
        for name, (_, companion) in self._companions.items():
            companion.follow(self._timeline)
            self._hurry(name, companion.copied)
        self._advance_gaps()

    def receive_companion(self, track_id: int, packet: Packet) -> None:
        """Take a packet of another of the streamer's renditions."""
        for number, run in self._companions.values():
            if number == track_id:
                run.receive(Sample(packet.dts, packet.pts, packet.data, packet.is_keyframe))

    def receive_slate(self, index: int, at: int) -> None:
        """Show picture `index` of the slate at `at`, after the timeline has been advanced to it."""
        frontier = self._timeline.frontier
        for name, (run, slate) in self._slates.items():
            frame = slate.frames[index % len(slate.frames)]
            run.add(Sample(at, at, frame.data, frame.is_keyframe))
            run.advance(frontier)
            self._hurry(name, run)
        self._advance_gaps()

    def on_tail(self, at: int) -> None:
        """Learn that the encoders have delivered a run that ended at `at`."""
        for name, run in self._runs().items():
            if run.is_waiting and at >= run.at:
                self._take_rung(name, run)

    def stop_copying(self, at: int) -> list[str]:
        """End what is copied at `at`, in the middle of a run; return the rungs that need something else now."""
        copied = [*self._copies, *self._companions]
        self._end_runs(at)
        return copied

    def end(self, at: int) -> None:
        """End a run at `at`, where the timeline has closed its segment."""
        self._end_runs(at)
        for name in self._gaps:
            self._declared.writers[name].advance(at)

    # Within.

    def _runs(self) -> Mapping[str, CopiedRun]:
        companions = {name: run.copied for name, (_, run) in self._companions.items()}
        return {**self._copies, **companions, **{name: run for name, (run, _) in self._slates.items()}}

    def _replace_encoded(self, name: str, run: CopiedRun) -> None:
        if name in self._encoding.names and self._encoding.has_tail:
            self._encoding.stop_at(name, run.at)
        else:
            self._take_rung(name, run)

    def _take_rung(self, name: str, run: CopiedRun) -> None:
        self._encoding.stop(name)
        run.take_rung(self._timeline.frontier)

    def _hurry(self, name: str, run: CopiedRun) -> None:
        if run.is_waiting and run.has_waited_long:
            self._take_rung(name, run)

    def _end_runs(self, at: int) -> None:
        for name, run in self._runs().items():
            if run.is_waiting:
                self._take_rung(name, run)
        for _, companion in self._companions.values():
            companion.end(at)
        for run in [*self._copies.values(), *(run for run, _ in self._slates.values())]:
            run.end(at)
        self._copies.clear()
        self._companions.clear()
        self._slates.clear()

    def _advance_gaps(self) -> None:
        for name in self._gaps:
            self._declared.writers[name].advance(self._timeline.frontier)
