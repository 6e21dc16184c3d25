"""Routes of users: follows, channel keys, and deletion."""

from __future__ import annotations

from aiohttp import web

from control_api.address import Addresses
from control_api.audit import Actor
from control_api.call import Call
from control_api.model import KeyAnswer, Nothing
from control_api.postgres.audit_table import AuditTable
from control_api.route import Route, json_answer
from control_api.user.erasure import UserErasure
from control_api.user.record import UserService

USERS = "/api/v1/users"


class UserRoutes:
    """Handlers of everything below `/api/v1/users`.

    Args:
        service: does what is asked.
        erasure: deletes users.
        addresses: what answers tell.
        audit: is told who looks at keys.
    """

    def __init__(
        self, service: UserService, erasure: UserErasure, addresses: Addresses, audit: AuditTable
    ) -> None:
        self._service = service
        self._erasure = erasure
        self._addresses = addresses
        self._audit = audit

    def table(self) -> list[Route]:
        """List the routes."""
        key, follow = f"{USERS}/me/key", f"{USERS}/{{user_id}}/follow"
        return [
            Route(method="GET", path=key, handler=self.show_key, summary="Show your channel key",
                  needs_user=True, answers={200: KeyAnswer}, problems=(503,)),
            Route(method="POST", path=key, handler=self.new_key, needs_user=True, body=Nothing,
                  body_needed=False, summary="Make a new channel key; the old one stops working",
                  answers={200: KeyAnswer}, problems=(503,)),
            Route(method="PUT", path=follow, handler=self.follow, summary="Follow a user", needs_user=True,
                  answers={204: None}, problems=(422, 503)),
            Route(method="DELETE", path=follow, handler=self.unfollow, summary="Follow a user no more",
                  needs_user=True, answers={204: None}, problems=(422, 503)),
            Route(method="DELETE", path=f"{USERS}/{{user_id}}", handler=self.erase, needs_user=True,
                  summary="Delete all that is known of you, or for admins of any user", answers={204: None},
                  problems=(403, 409, 422, 503)),
        ]  # fmt: skip

    async def show_key(self, call: Call) -> web.Response:
        """GET /api/v1/users/me/key."""
        await self._note(call, "channel_key.shown")
        return self._answer(call, await self._service.channel_key(call.user.user_id))

    async def new_key(self, call: Call) -> web.Response:
        """POST /api/v1/users/me/key."""
        await call.optional_body(Nothing)
        await self._note(call, "channel_key.renewed")
        return self._answer(call, await self._service.new_channel_key(call.user.user_id))

    async def follow(self, call: Call) -> web.Response:
        """PUT /api/v1/users/{user_id}/follow."""
        await self._service.follow(call.user_id, call.user.user_id)
        return web.Response(status=204)

    async def unfollow(self, call: Call) -> web.Response:
        """DELETE /api/v1/users/{user_id}/follow."""
        await self._service.unfollow(call.user_id, call.user.user_id)
        return web.Response(status=204)

    async def erase(self, call: Call) -> web.Response:
        """DELETE /api/v1/users/{user_id}."""
        await self._erasure.erase(call.user_id, Actor(call.user, call.address))
        return web.Response(status=204)

    async def _note(self, call: Call, action: str) -> None:
        await self._audit.note(call.user.user_id, action, call.user.user_id, call.address)

    def _answer(self, call: Call, key: str) -> web.Response:
        answer = KeyAnswer(stream_key=key, rtmp_url=self._addresses.rtmp(call.request, key))
        return json_answer(answer, headers={"Cache-Control": "no-store"})
