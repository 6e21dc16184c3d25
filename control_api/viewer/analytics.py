"""What the owner learns of a stream's audience: totals, and how it went."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from control_api.postgres.analytics_table import AnalyticsTable, Snapshot, Totals
from control_api.stream.record import Identity, Status, Stream
from control_api.stream.service import StreamService
from control_api.viewer.audience import Figures
from control_api.viewer.model import AnalyticsAnswer, AnalyticsPoint
from control_api.viewer.service import ViewerService

MAX_POINTS = 500
"""Of a series: as many as a chart is wide."""


class AnalyticsService:
    """Takes a snapshot of each live stream now and then, and sums up.

    Args:
        service: knows the streams.
        viewers: know who watches.
        table: keeps snapshots.
        clock: Unix time.
    """

    def __init__(
        self,
        service: StreamService,
        viewers: ViewerService,
        table: AnalyticsTable,
        clock: Callable[[], float],
    ) -> None:
        self._service = service
        self._viewers = viewers
        self._table = table
        self._clock = clock

    async def take_snapshots(self) -> bool:
        """Store how each live stream does now.

        Raises:
            CapacityError: the database is away; these snapshots are left out.
        """
        snapshots = []
        for stream_id, figures in self._viewers.live_figures().items():
            signal = self._signal(stream_id)
            snapshots.append(Snapshot(stream_id, figures.viewer_count, figures.unique_viewers, **signal))
        if snapshots:
            await self._table.add(self._now(), snapshots)
        return False

    async def report(self, stream_id: str, owner: Identity) -> AnalyticsAnswer:
        """Sum up a stream: up to this moment while it is live.

        Raises:
            StreamError: `not_found`, `forbidden`.
            CapacityError: the database is away.
        """
        await self._service.owned(stream_id, owner)
        await self._viewers.store_all()
        stream = await self._service.get(stream_id)
        is_live = stream.status is Status.LIVE
        totals = await self._table.totals(stream_id, stream.user_id)
        rows = await self._table.series(stream_id, MAX_POINTS - is_live)
        series = [AnalyticsPoint(**row) for row in rows]
        figures, now = self._viewers.figures(stream), self._now()
        if is_live:
            series.append(self._present(stream, figures, now))
        watched_s = totals.watch_time_s + self._viewers.unstored_time_s(stream_id)
        return _answer(stream, figures, replace(totals, watch_time_s=watched_s), series, now)

    def _present(self, stream: Stream, figures: Figures, now: datetime) -> AnalyticsPoint:
        return AnalyticsPoint(
            at=now,
            viewer_count=figures.viewer_count,
            unique_viewers=figures.unique_viewers,
            comments_count=stream.comments_count,
            reactions_count=stream.reactions_count,
            **self._signal(stream.id),
        )

    def _signal(self, stream_id: str) -> dict[str, Any]:
        health = self._service.health(stream_id)
        return {"bitrate_bps": health.get("bitrate_bps"), "fps": health.get("fps")}

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def _answer(
    stream: Stream, figures: Figures, totals: Totals, series: list[AnalyticsPoint], now: datetime
) -> AnalyticsAnswer:
    unique = totals.unique_viewers
    seconds = ((stream.ended_at or now) - stream.started_at).total_seconds() if stream.started_at else 0.0
    return AnalyticsAnswer(
        total_views=totals.visits,
        peak_viewers=figures.peak_viewers,
        unique_viewers=unique,
        average_viewers=round(totals.watch_time_s / seconds, 2) if seconds > 0 else 0.0,
        average_watch_time_s=round(totals.watch_time_s / unique, 3) if unique else 0.0,
        total_watch_time_s=round(totals.watch_time_s, 3),
        comments_count=stream.comments_count,
        reactions_count=stream.reactions_count,
        engagement_rate=round(min(1.0, totals.engaged_users / unique), 4) if unique else 0.0,
        series=series,
    )
