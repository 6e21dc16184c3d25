"""Routes of analytics: what players report, and what the owner learns."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from aiohttp import web

from control_api.analytics import export
from control_api.analytics.model import AnalyticsAnswer, ExperienceReport
from control_api.analytics.service import AnalyticsService
from control_api.call import Call
from control_api.postgres.analytics_table import Row
from control_api.problem import ProblemError
from control_api.route import Route, json_answer
from control_api.stream.route import NO_STORE, STREAM

MAX_REPORT = 4096
"""Bytes: a token of 1024 characters and all the rest take half of it."""


class AnalyticsRoutes:
    """Handlers of a stream's analytics.

    Args:
        service: does what is asked.
    """

    def __init__(self, service: AnalyticsService) -> None:
        self._service = service

    def table(self) -> list[Route]:
        """List the routes."""
        return [
            Route(method="GET", path=f"{STREAM}/analytics", handler=self.analytics, needs_user=True,
                  summary="Tell how your stream's audience does or did", answers={200: AnalyticsAnswer},
                  problems=(403, 404)),
            Route(method="GET", path=f"{STREAM}/analytics.csv", handler=self.csv, needs_user=True,
                  summary="Give all that is stored of how your stream went, as CSV (RFC 4180)",
                  answers={200: None}, problems=(403, 404)),
            Route(method="POST", path=f"{STREAM}/qoe", handler=self.take_report, body=ExperienceReport,
                  summary="Tell how playback goes, every 10 s; of one viewer a report counts every 5 s",
                  answers={204: None}, problems=(404,)),
        ]  # fmt: skip

    async def analytics(self, call: Call) -> web.Response:
        """GET /api/v1/streams/{id}/analytics."""
        return json_answer(await self._service.report(call.stream_id, call.user), headers=NO_STORE)

    async def csv(self, call: Call) -> web.Response:
        """GET /api/v1/streams/{id}/analytics.csv."""
        pages = self._service.rows(call.stream_id, call.user)
        first: Sequence[Row] = await anext(pages, [])  # refusals come before the answer has begun
        name = f"analytics-{call.stream_id}.csv"
        headers = {**NO_STORE, "Content-Disposition": f'attachment; filename="{name}"'}
        return web.Response(
            body=_written(first, pages), content_type="text/csv", charset="utf-8", headers=headers
        )

    async def take_report(self, call: Call) -> web.Response:
        """POST /api/v1/streams/{id}/qoe. A report that does not count is no error: no page could do better."""
        if len(await call.read()) > MAX_REPORT:
            raise ProblemError(413, "too_large", f"The body is larger than {MAX_REPORT // 1024} KiB.")
        report = await call.body(ExperienceReport)
        await self._service.take_report(call.stream_id, call.identity, call.address, report)
        return web.Response(status=204)


async def _written(first: Sequence[Row], pages: AsyncIterator[Sequence[Row]]) -> AsyncIterator[bytes]:
    yield (export.header() + export.lines(first)).encode()
    async for page in pages:
        yield export.lines(page).encode()
