"""Routes about the server itself: is it alive, does it serve, what does it know."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aiohttp import web

from control_api.call import Call
from control_api.model import HealthAnswer, ReadyAnswer
from control_api.problem import problem_response
from control_api.route import Route, json_answer

Check = Callable[[], str | None]
"""Returns why something does not serve; None when it does. Must not wait."""

NO_STORE = {"Cache-Control": "no-store"}


class StatusRoutes:
    """Handlers of `/healthz` and `/readyz`.

    Args:
        checks: by name of what has to serve.
    """

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks

    def table(self) -> list[Route]:
        """List the routes."""
        return [
            Route(method="GET", path="/healthz", handler=self.health, summary="Tell that the process answers",
                  takes_user=False, answers={200: HealthAnswer}),
            Route(method="GET", path="/readyz", handler=self.ready, takes_user=False,
                  summary="Tell whether everything serves, and what does not", answers={200: ReadyAnswer},
                  problems=(503,)),
        ]  # fmt: skip

    async def health(self, _: Call) -> web.Response:
        """GET /healthz."""
        return json_answer(HealthAnswer(), headers=NO_STORE)

    async def ready(self, _: Call) -> web.Response:
        """GET /readyz."""
        found = {name: check() or "ok" for name, check in self._checks.items()}
        faults = [f"{name}: {state}" for name, state in found.items() if state != "ok"]
        if not faults:
            return json_answer(ReadyAnswer(ready=True, checks=found), headers=NO_STORE)
        detail = f"Not ready: {'; '.join(faults)}."
        headers = {"Retry-After": "1"}
        return problem_response(503, "not_ready", detail, headers=headers, ready=False, checks=found)
