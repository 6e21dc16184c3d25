"""What the owner learns of a stream's audience: totals, and how it went."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from control_api.analytics.experience import joined, summed_up
from control_api.analytics.highlight import MAX_STEPS, Events, peaks, step_length_s
from control_api.analytics.model import (
    AnalyticsAnswer,
    AnalyticsPoint,
    ExperienceAnswer,
    ExperienceReport,
    Highlight,
    RetentionPoint,
)
from control_api.analytics.reporter import Reporters
from control_api.analytics.retention import Kept, curve, thresholds
from control_api.postgres.analytics_table import AnalyticsTable, Row, Snapshot, Totals
from control_api.stream.record import Identity, Status, Stream
from control_api.stream.service import StreamService
from control_api.viewer.audience import Figures
from control_api.viewer.service import ViewerService

SNAPSHOT_S = 10
"""Between two snapshots, which are taken at whole multiples of it: so those of several servers are one."""

LOOK_S = 1.0
"""How often to look whether it is time."""

MAX_POINTS = 500
"""Of a series: as many as a chart is wide."""

PAGE = 1000
"""Rows read at once for an export."""

NOT_MADE = ("dormant", "shed", "idle")
"""Kinds of rungs that nothing is made of at the moment; see `control_api.stream.health.RungHealth`."""

Watcher = Callable[[str, AnalyticsPoint], None]


class AnalyticsService:
    """Takes a snapshot of each live stream now and then, and sums up.

    Args:
        service: knows the streams.
        viewers: know who watches.
        table: keeps snapshots.
        reporters: take what players report.
        clock: Unix time.
    """

    def __init__(
        self,
        service: StreamService,
        viewers: ViewerService,
        table: AnalyticsTable,
        reporters: Reporters,
        clock: Callable[[], float],
    ) -> None:
        self._service = service
        self._viewers = viewers
        self._table = table
        self._reporters = reporters
        self._clock = clock
        self._last = self._slot()
        self._watchers: list[Watcher] = []

    def watch(self, watcher: Watcher) -> None:
        """Call `watcher` with the stream and what is stored of it, after every snapshot of a live stream."""
        self._watchers.append(watcher)

    async def take_report(
        self, stream_id: str, identity: Identity | None, address: str | None, report: ExperienceReport
    ) -> bool:
        """Count what a player reports; see `Reporters.take_report`."""
        return await self._reporters.take_report(stream_id, identity, address, report)

    async def take_snapshots(self) -> bool:
        """Store how each live stream does now, unless that has been done for these ten seconds.

        Raises:
            CapacityError: the database is away; these snapshots are left out, reports go with the next ones.
        """
        slot = self._slot()
        if slot == self._last:
            return False
        self._last = slot
        figures, reported = self._viewers.live_figures(), self._reporters.take()
        snapshots = []
        for stream_id in figures.keys() | reported.keys():
            seen = figures.get(stream_id) or Figures(0, 0, 0)
            counts, signal = reported.get(stream_id), self._signal(stream_id)
            snapshots.append(
                Snapshot(stream_id, seen.viewer_count, seen.unique_viewers, **signal, experience=counts)
            )
        is_stored = not snapshots
        try:
            stored = await self._table.add(datetime.fromtimestamp(slot, UTC), snapshots) if snapshots else {}
            is_stored = True
        finally:
            if not is_stored:
                self._reporters.give_back(reported)
        for stream_id, row in stored.items():
            for watcher in self._watchers:
                watcher(stream_id, _point(row))
        return False

    async def report(self, stream_id: str, owner: Identity) -> AnalyticsAnswer:
        """Sum up a stream: up to this moment while it is live.

        Args:
            stream_id: of the stream.
            owner: who asks, the owner or an admin.

        Raises:
            StreamError: `not_found`, `forbidden`.
            CapacityError: the database is away.
        """
        await self._service.in_charge(stream_id, owner)
        await self._viewers.store_all()
        stream = await self._service.get(stream_id)
        is_live = stream.status is Status.LIVE
        totals = await self._table.totals(stream_id, stream.user_id)
        rows = await self._table.series(stream_id, MAX_POINTS - is_live)
        figures, now = self._viewers.figures(stream), self._now()
        series = [_point(row) for row in rows]
        if is_live:
            series.append(self._present(stream, figures, now))
        watched_s = totals.watch_time_s + self._viewers.unstored_time_s(stream_id)
        kept = await self._retention(stream, now)
        return AnalyticsAnswer(
            **_totals(stream, figures, replace(totals, watch_time_s=watched_s), now),
            experience=_experience(rows),
            retention=[RetentionPoint.model_validate(point) for point in kept],
            highlights=await self._highlights(stream, now),
            series=series,
        )

    async def rows(self, stream_id: str, owner: Identity) -> AsyncIterator[Sequence[Row]]:
        """Read all that is stored of how a stream went, page by page.

        Args:
            stream_id: of the stream.
            owner: who asks, the owner or an admin.

        Raises:
            StreamError: `not_found`, `forbidden`.
            CapacityError: the database is away.
        """
        await self._service.in_charge(stream_id, owner)
        after = datetime.min.replace(tzinfo=UTC)
        while page := await self._table.rows(stream_id, after, PAGE):
            yield page
            after = page[-1].at

    async def _retention(self, stream: Stream, now: datetime) -> Sequence[Kept]:
        if stream.started_at is None:
            return []
        end = stream.ended_at or now
        wanted = thresholds(max(0.0, (end - stream.started_at).total_seconds()))
        return curve(wanted, await self._table.stays(stream.id, wanted, end))

    async def _highlights(self, stream: Stream, now: datetime) -> list[Highlight]:
        if stream.started_at is None:
            return []
        step_s = step_length_s(((stream.ended_at or now) - stream.started_at).total_seconds())
        found = await self._table.events(stream.id, stream.started_at, step_s, MAX_STEPS)
        events = {step: Events(*counts) for step, counts in found.items()}
        return [Highlight.model_validate(peak) for peak in peaks(stream.started_at, step_s, events)]

    def _present(self, stream: Stream, figures: Figures, now: datetime) -> AnalyticsPoint:
        return AnalyticsPoint(
            at=now,
            viewer_count=figures.viewer_count,
            average_viewers=figures.viewer_count,
            unique_viewers=figures.unique_viewers,
            comments_count=stream.comments_count,
            reactions_count=stream.reactions_count,
            experience=None,
            **self._signal(stream.id),
        )

    def _signal(self, stream_id: str) -> dict[str, Any]:
        health: Any = self._service.health(stream_id)
        made = [rung["name"] for rung in health.get("rungs") or () if rung["kind"] not in NOT_MADE]
        return {"bitrate_bps": health.get("bitrate_bps"), "fps": health.get("fps"), "rungs": made}

    def _slot(self) -> int:
        return int(self._clock() // SNAPSHOT_S * SNAPSHOT_S)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def _point(row: Row) -> AnalyticsPoint:
    return AnalyticsPoint(
        at=row.at,
        viewer_count=row.viewer_count,
        average_viewers=row.average_viewers,
        unique_viewers=row.unique_viewers,
        comments_count=row.comments_count,
        reactions_count=row.reactions_count,
        bitrate_bps=row.bitrate_bps,
        fps=row.fps,
        rungs=list(row.rungs),
        experience=_experience([row]),
    )


def _experience(rows: Sequence[Row]) -> ExperienceAnswer | None:
    counts = joined(row.experience for row in rows)
    return ExperienceAnswer.model_validate(summed_up(counts)) if counts else None


def _totals(stream: Stream, figures: Figures, totals: Totals, now: datetime) -> dict[str, Any]:
    unique = totals.unique_viewers
    seconds = ((stream.ended_at or now) - stream.started_at).total_seconds() if stream.started_at else 0.0
    return {
        "total_views": totals.visits,
        "peak_viewers": figures.peak_viewers,
        "unique_viewers": unique,
        "average_viewers": round(totals.watch_time_s / seconds, 2) if seconds > 0 else 0.0,
        "average_watch_time_s": round(totals.watch_time_s / unique, 3) if unique else 0.0,
        "total_watch_time_s": round(totals.watch_time_s, 3),
        "comments_count": stream.comments_count,
        "reactions_count": stream.reactions_count,
        "engagement_rate": round(min(1.0, totals.engaged_users / unique), 4) if unique else 0.0,
    }
