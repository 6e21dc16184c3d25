"""Routes of webhooks."""

from __future__ import annotations

from aiohttp import web

from control_api.call import Call
from control_api.event.announcement import Announcements
from control_api.model import NewWebhookAnswer, WebhookAnswer, WebhookCreation, WebhookList
from control_api.route import Route, json_answer
from control_api.stream.record import is_stream_id
from control_api.webhook.signature import new_secret
from control_api.webhook.target import parse_target
from media.error import StreamError

WEBHOOKS = "/api/v1/webhooks"
NO_STORE = {"Cache-Control": "no-store"}


class WebhookRoutes:
    """Handlers of everything below `/api/v1/webhooks`.

    Args:
        announcements: has the webhooks.
    """

    def __init__(self, announcements: Announcements) -> None:
        self._webhooks = announcements.webhooks
        self._allow_private = announcements.allow_private

    def table(self) -> list[Route]:
        """List the routes."""
        return [
            Route(method="POST", path=WEBHOOKS, handler=self.create, is_once=True, needs_user=True,
                  body=WebhookCreation,
                  summary="Be told of your streams' events at an address; an admin's webhook is told of everybody's",
                  answers={201: NewWebhookAnswer}, problems=(409, 503)),
            Route(method="GET", path=WEBHOOKS, handler=self.list_own, needs_user=True,
                  summary="List your webhooks", answers={200: WebhookList}, problems=(503,)),
            Route(method="DELETE", path=f"{WEBHOOKS}/{{webhook_id}}", handler=self.delete, needs_user=True,
                  summary="Delete a webhook, and what waits for it", answers={204: None}, problems=(404, 503)),
        ]  # fmt: skip

    async def create(self, call: Call) -> web.Response:
        """POST /api/v1/webhooks."""
        body = await call.body(WebhookCreation)
        parse_target(body.url, self._allow_private)
        secret = new_secret()
        webhook = await self._webhooks.add(call.user, body.url, body.events, secret)
        if webhook is None:
            raise StreamError("too_many", "You have as many webhooks as may be. Delete one first.")
        known = WebhookAnswer.model_validate(webhook).model_dump()
        return json_answer(NewWebhookAnswer(**known, secret=secret), 201, headers=NO_STORE)

    async def list_own(self, call: Call) -> web.Response:
        """GET /api/v1/webhooks."""
        found = await self._webhooks.list(call.user.user_id)
        return json_answer(WebhookList(webhooks=[WebhookAnswer.model_validate(one) for one in found]))

    async def delete(self, call: Call) -> web.Response:
        """DELETE /api/v1/webhooks/{webhook_id}."""
        webhook_id = call.request.match_info["webhook_id"].lower()
        if not is_stream_id(webhook_id) or not await self._webhooks.delete(webhook_id, call.user.user_id):
            raise StreamError("not_found", "You have no such webhook.")
        return web.Response(status=204)
