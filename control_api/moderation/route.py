"""Routes of moderation: moderators, bans, chat settings, and the log of all that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from aiohttp import web

from control_api.audit import Actor, AuditEntry
from control_api.call import Call
from control_api.id_page import decode_id, encode_id
from control_api.moderation.model import (
    BanAnswer,
    BanList,
    BanRequest,
    ChatSettingsAnswer,
    ChatSettingsChange,
    LogEntryAnswer,
    LogList,
    ModeratorAnswer,
    ModeratorList,
    PageQuery,
)
from control_api.moderation.service import ModerationService
from control_api.moderation.store import Ban, ChatSettings
from control_api.route import Route, json_answer
from control_api.stream.route import STREAM
from control_api.token.access import is_user_id
from control_api.user.route import USERS
from media.error import StreamError

MODERATORS = f"{USERS}/me/moderators"
BANS = f"{STREAM}/bans"
MAX_BANNED_ID = 160
"""Ids of viewers without a token are longer than those of users."""

Entry = TypeVar("Entry", Ban, AuditEntry)


class ModerationRoutes:
    """Handlers of everything about moderation.

    Args:
        service: does what is asked.
    """

    def __init__(self, service: ModerationService) -> None:
        self._service = service

    def table(self) -> list[Route]:
        """List the routes."""
        moderator, ban, settings = (
            f"{MODERATORS}/{{user_id}}",
            f"{BANS}/{{banned_id}}",
            f"{STREAM}/chat-settings",
        )
        return [
            Route(method="GET", path=MODERATORS, handler=self.moderators, needs_user=True,
                  summary="List the moderators of your channel", answers={200: ModeratorList}, problems=(503,)),
            Route(method="PUT", path=moderator, handler=self.appoint, needs_user=True,
                  summary="Appoint a moderator of your channel", answers={204: None}, problems=(409, 422, 503)),
            Route(method="DELETE", path=moderator, handler=self.dismiss, needs_user=True,
                  summary="Dismiss a moderator of your channel", answers={204: None}, problems=(422, 503)),
            Route(method="GET", path=BANS, handler=self.bans, needs_user=True, query=PageQuery,
                  summary="List who is banned from the channel, the newest bans first", answers={200: BanList},
                  problems=(403, 404, 503)),
            Route(method="POST", path=ban, handler=self.ban, needs_user=True, body=BanRequest, body_needed=False,
                  summary="Ban somebody from the channel, for good or for a time", answers={200: BanAnswer},
                  problems=(403, 404, 503)),
            Route(method="DELETE", path=ban, handler=self.unban, needs_user=True, summary="Lift a ban",
                  answers={204: None}, problems=(403, 404, 422, 503)),
            Route(method="GET", path=settings, handler=self.settings, answers={200: ChatSettingsAnswer},
                  summary="Tell how the chat is restricted", problems=(404, 503)),
            Route(method="PUT", path=settings, handler=self.change_settings, needs_user=True,
                  summary="Change any subset of the chat's settings", body=ChatSettingsChange,
                  answers={200: ChatSettingsAnswer}, problems=(403, 404, 503)),
            Route(method="GET", path=f"{STREAM}/moderation-log", handler=self.log, needs_user=True,
                  query=PageQuery, summary="List who moderated the channel and how, the newest first",
                  answers={200: LogList}, problems=(403, 404, 503)),
        ]  # fmt: skip

    async def moderators(self, call: Call) -> web.Response:
        """GET /api/v1/users/me/moderators."""
        found = await self._service.moderators(call.user.user_id)
        return json_answer(ModeratorList(moderators=[ModeratorAnswer.model_validate(one) for one in found]))

    async def appoint(self, call: Call) -> web.Response:
        """PUT /api/v1/users/me/moderators/{user_id}."""
        await self._service.appoint(_actor(call), call.user_id)
        return web.Response(status=204)

    async def dismiss(self, call: Call) -> web.Response:
        """DELETE /api/v1/users/me/moderators/{user_id}."""
        await self._service.dismiss(_actor(call), call.user_id)
        return web.Response(status=204)

    async def bans(self, call: Call) -> web.Response:
        """GET /api/v1/streams/{id}/bans."""
        stream = await self._service.moderated(call.stream_id, call.user)
        query = call.query(PageQuery)
        found = await self._service.bans(stream, _before(query), query.limit + 1)
        bans, more = _page(found, query.limit)
        return json_answer(BanList(bans=[BanAnswer.model_validate(one) for one in bans], next_cursor=more))

    async def ban(self, call: Call) -> web.Response:
        """POST /api/v1/streams/{id}/bans/{banned_id}."""
        stream = await self._service.moderated(call.stream_id, call.user)
        banned_id = _banned_id(call)
        body = await call.optional_body(BanRequest)
        ban = await self._service.ban(
            stream, _actor(call), banned_id, reason=body.reason, duration_s=body.duration_s
        )
        return json_answer(BanAnswer.model_validate(ban))

    async def unban(self, call: Call) -> web.Response:
        """DELETE /api/v1/streams/{id}/bans/{banned_id}."""
        stream = await self._service.moderated(call.stream_id, call.user)
        await self._service.unban(stream, _actor(call), _banned_id(call))
        return web.Response(status=204)

    async def settings(self, call: Call) -> web.Response:
        """GET /api/v1/streams/{id}/chat-settings."""
        settings, may_know_words = await self._service.visible_settings(call.stream_id, call.identity)
        return _settings_answer(settings, may_know_words=may_know_words)

    async def change_settings(self, call: Call) -> web.Response:
        """PUT /api/v1/streams/{id}/chat-settings."""
        stream = await self._service.moderated(call.stream_id, call.user)
        body = await call.body(ChatSettingsChange)
        settings = await self._service.change_settings(stream, _actor(call), body.fields())
        return _settings_answer(settings, may_know_words=True)

    async def log(self, call: Call) -> web.Response:
        """GET /api/v1/streams/{id}/moderation-log."""
        stream = await self._service.moderated(call.stream_id, call.user)
        query = call.query(PageQuery)
        found = await self._service.log(stream, _before(query), query.limit + 1)
        entries, more = _page(found, query.limit)
        shown = [_log_entry(entry, with_address=call.user.is_admin) for entry in entries]
        return json_answer(LogList(entries=shown, next_cursor=more))


def _actor(call: Call) -> Actor:
    return Actor(call.user, call.address)


def _banned_id(call: Call) -> str:
    """Read whom the path means; `me` is who asks."""
    banned_id = call.request.match_info["banned_id"]
    if len(banned_id) > MAX_BANNED_ID or not all(map(is_user_id, banned_id)):
        words = f"user_id: 1 to {MAX_BANNED_ID} characters, none of them a control character."
        raise StreamError("invalid", words)
    return call.user.user_id if banned_id == "me" else banned_id


def _before(query: PageQuery) -> int | None:
    return None if query.cursor is None else decode_id(query.cursor)


def _page(found: Sequence[Entry], limit: int) -> tuple[Sequence[Entry], str | None]:
    """Part a page from the one entry more that tells whether there is another page."""
    page = found[:limit]
    return page, encode_id(page[-1].id) if len(found) > limit else None


def _settings_answer(settings: ChatSettings, *, may_know_words: bool) -> web.Response:
    answer = ChatSettingsAnswer(
        slow_mode_s=settings.slow_mode_s,
        followers_only=settings.followers_only,
        links_allowed=settings.links_allowed,
        blocked_words=[*settings.blocked_words] if may_know_words else None,
    )
    return json_answer(answer, skip_none=True)


def _log_entry(entry: AuditEntry, *, with_address: bool) -> LogEntryAnswer:
    note = entry.note
    return LogEntryAnswer(
        at=entry.at,
        actor_id=note.actor_id,
        action=note.action,
        subject=note.subject,
        details=dict(note.details),
        address=note.address if with_address else None,
    )
