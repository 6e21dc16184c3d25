"""Routes of streams."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Protocol

from aiohttp import web

from control_api.address import Addresses
from control_api.call import Call
from control_api.joined_cache import JoinedCache
from control_api.model import (
    AdminStreamAnswer,
    AnyStreamFilter,
    EligibilityAnswer,
    KeyAnswer,
    NewStreamAnswer,
    Nothing,
    OwnStreamAnswer,
    StreamAnswer,
    StreamChange,
    StreamCreation,
    StreamFilter,
    StreamList,
)
from control_api.page import decode_cursor, encode_cursor
from control_api.postgres.audit_table import AuditTable
from control_api.route import Route, json_answer, ready_answer
from control_api.stream.health import StreamHealthAnswer
from control_api.stream.playback import PlaybackSigner
from control_api.stream.record import Identity, Status, Stream
from control_api.stream.service import StreamService
from control_api.stream.store import StreamQuery
from control_api.viewer.audience import Figures

STREAMS = "/api/v1/streams"
STREAM = f"{STREAMS}/{{id}}"
MAX_PAGES = 1000
"""Pages of lists that are remembered, some 20 KB each."""
MAX_SHOWN = 10_000
"""Streams that are remembered as they are shown, some 1.5 KB each."""
PAGE_S = 1.0
"""How long: viewer counts and other nodes' changes are as old as that."""
NO_STORE = {"Cache-Control": "no-store"}
STORED = tuple(field.name for field in fields(Stream))
"""By name, since `dataclasses.asdict` copies each value: four fifths of the time that a list took."""


class Viewers(Protocol):
    """Whoever counts viewers."""

    def figures(self, stream: Stream) -> Figures:
        """Tell how many watch a stream: now while it is live, else as it is stored."""
        ...


class StreamRoutes:
    """Handlers of everything below `/api/v1/streams`.

    Args:
        service: does what is asked.
        addresses: what answers tell.
        playback: signs the addresses of private streams.
        audit: is told who looks at keys.
        clock: Unix time.
        viewers: know how many watch. Lists show what is stored, since they are sorted by that.
    """

    def __init__(
        self,
        service: StreamService,
        addresses: Addresses,
        playback: PlaybackSigner,
        audit: AuditTable,
        clock: Callable[[], float],
        *,
        viewers: Viewers,
    ) -> None:
        self._service = service
        self._addresses = addresses
        self._playback = playback
        self._audit = audit
        self._clock = clock
        self._viewers = viewers
        # What everybody without a token sees.
        self._pages: JoinedCache[tuple[object, ...], bytes] = JoinedCache(MAX_PAGES, PAGE_S, time.monotonic)
        self._shown: JoinedCache[tuple[object, ...], tuple[int, bytes]] = JoinedCache(
            MAX_SHOWN, PAGE_S, time.monotonic
        )
        self._changes = 0
        service.watch(self._note_change)

    def table(self) -> list[Route]:
        """List the routes."""
        stream = {200: OwnStreamAnswer}
        page = {200: StreamList}
        return [
            Route(method="POST", path=STREAMS, handler=self.create, summary="Create a stream",
                  is_once=True, needs_user=True, body=StreamCreation, answers={201: NewStreamAnswer},
                  problems=(403, 503)),
            Route(method="GET", path=STREAMS, handler=self.list_all, summary="List streams, newest first",
                  query=AnyStreamFilter, answers=page),
            Route(method="GET", path=f"{STREAMS}/live", handler=self.list_live,
                  summary="List live streams, most watched first", query=StreamFilter, answers=page),
            Route(method="GET", path=f"{STREAMS}/eligibility", handler=self.eligibility,
                  summary="Tell whether you may go live", needs_user=True, answers={200: EligibilityAnswer}),
            Route(method="GET", path=STREAM, handler=self.show, summary="Show a stream", answers=stream,
                  problems=(404,)),
            Route(method="PUT", path=STREAM, handler=self.edit, needs_user=True,
                  summary="Change any subset of a stream's fields", body=StreamChange, answers=stream,
                  problems=(403, 404, 409, 412, 503)),
            Route(method="DELETE", path=STREAM, handler=self.cancel, needs_user=True,
                  summary="Cancel a stream that was never live", answers=stream,
                  problems=(403, 404, 409, 412, 503)),
            Route(method="POST", path=f"{STREAM}/start", handler=self.start, summary="Go live",
                  needs_user=True, body=Nothing, body_needed=False, answers=stream,
                  problems=(403, 404, 409, 503)),
            Route(method="POST", path=f"{STREAM}/end", handler=self.end, summary="End a live stream",
                  needs_user=True, body=Nothing, body_needed=False, answers=stream,
                  problems=(403, 404, 409, 503)),
            Route(method="GET", path=f"{STREAM}/health", handler=self.health, needs_user=True,
                  summary="Tell how the encoder's signal arrives, and what to change",
                  answers={200: StreamHealthAnswer}, problems=(403, 404)),
            Route(method="GET", path=f"{STREAM}/key", handler=self.show_key, summary="Show the stream key",
                  needs_user=True, answers={200: KeyAnswer}, problems=(403, 404)),
            Route(method="POST", path=f"{STREAM}/key", handler=self.new_key, needs_user=True, body=Nothing,
                  body_needed=False, summary="Make a new stream key; the old one stops working",
                  answers={200: KeyAnswer}, problems=(403, 404, 409, 503)),
            Route(method="POST", path=f"{STREAM}/playback-salt", handler=self.new_playback_salt, needs_user=True,
                  summary="End all playback links that are around; this answer has a new one",
                  body=Nothing, body_needed=False, answers=stream, problems=(403, 404, 503)),
        ]  # fmt: skip

    async def create(self, call: Call) -> web.Response:
        """POST /api/v1/streams."""
        body = await call.body(StreamCreation)
        stream = await self._service.create(call.user.user_id, body.fields())
        headers = {"ETag": etag(stream.revision), "Location": f"{STREAMS}/{stream.id}", **NO_STORE}
        fields = self._own(call, stream, call.user)
        fields["rtmp_url"] = self._addresses.rtmp(call.request, stream.stream_key)
        return json_answer(NewStreamAnswer.model_validate(fields), 201, headers=headers)

    async def show(self, call: Call) -> web.Response:
        """GET /api/v1/streams/{id}."""
        if call.identity is not None:
            return self._answer(call, await self._service.visible(call.stream_id, call.identity))
        revision, body = await self._shown.get(self._key(call, call.stream_id), lambda: self._show(call))
        return ready_answer(body, headers={"ETag": etag(revision)})

    async def list_all(self, call: Call) -> web.Response:
        """GET /api/v1/streams."""
        query = call.query(AnyStreamFilter)
        return await self._page(call, query, status=query.status, most_watched_first=False)

    async def list_live(self, call: Call) -> web.Response:
        """GET /api/v1/streams/live."""
        return await self._page(call, call.query(StreamFilter), status=Status.LIVE, most_watched_first=True)

    async def eligibility(self, call: Call) -> web.Response:
        """GET /api/v1/streams/eligibility."""
        eligibility = await self._service.eligibility(call.user.user_id)
        return json_answer(EligibilityAnswer.model_validate(eligibility), skip_none=True)

    async def edit(self, call: Call) -> web.Response:
        """PUT /api/v1/streams/{id}."""
        stream = await self._owned(call)
        body = await call.body(StreamChange)
        return self._answer(call, await self._service.edit(stream.id, body.fields(), call.wanted_revision))

    async def cancel(self, call: Call) -> web.Response:
        """DELETE /api/v1/streams/{id}."""
        stream = await self._owned(call)
        return self._answer(call, await self._service.cancel(stream.id, call.wanted_revision))

    async def start(self, call: Call) -> web.Response:
        """POST /api/v1/streams/{id}/start."""
        stream = await self._owned(call)
        await call.optional_body(Nothing)
        return self._answer(call, await self._service.start(stream.id))

    async def end(self, call: Call) -> web.Response:
        """POST /api/v1/streams/{id}/end."""
        stream = await self._owned(call)
        await call.optional_body(Nothing)
        return self._answer(call, await self._service.end(stream.id, "owner"))

    async def health(self, call: Call) -> web.Response:
        """GET /api/v1/streams/{id}/health."""
        stream = await self._owned(call)
        answer = StreamHealthAnswer.model_validate(self._service.health(stream.id))
        return json_answer(answer, headers=NO_STORE)

    async def show_key(self, call: Call) -> web.Response:
        """GET /api/v1/streams/{id}/key."""
        stream = await self._owned(call)
        await self._audit.note(call.user.user_id, "stream_key.shown", stream.id, call.address)
        return self._key_answer(call, stream)

    async def new_key(self, call: Call) -> web.Response:
        """POST /api/v1/streams/{id}/key."""
        stream = await self._owned(call)
        await call.optional_body(Nothing)
        await self._audit.note(call.user.user_id, "stream_key.renewed", stream.id, call.address)
        return self._key_answer(call, await self._service.new_key(stream.id))

    async def new_playback_salt(self, call: Call) -> web.Response:
        """POST /api/v1/streams/{id}/playback-salt."""
        stream = await self._owned(call)
        await call.optional_body(Nothing)
        return self._answer(call, await self._service.new_playback_salt(stream.id))

    async def _owned(self, call: Call) -> Stream:
        return await self._service.owned(call.stream_id, call.user)

    async def _page(
        self, call: Call, wanted: StreamFilter, *, status: Status | None, most_watched_first: bool
    ) -> web.Response:
        query = StreamQuery(
            viewer=call.identity,
            status=status,
            category=wanted.category,
            tag=wanted.tag,
            user_id=wanted.user_id,
            text=wanted.q or None,
            most_watched_first=most_watched_first,
            after=decode_cursor(wanted.cursor) if wanted.cursor else None,
            limit=wanted.limit + 1,
        )
        if call.identity is not None:
            return ready_answer(await self._list(call, query, wanted.limit))
        key = self._key(call, query)
        return ready_answer(await self._pages.get(key, lambda: self._list(call, query, wanted.limit)))

    def _key(self, call: Call, wanted: object) -> tuple[object, ...]:
        """Name an answer for everybody. Any change makes another one, so who goes live is listed at once."""
        return (self._changes, wanted, call.request.scheme, call.request.headers.get("Host"))

    async def _show(self, call: Call) -> tuple[int, bytes]:
        stream = await self._service.visible(call.stream_id, None)
        answer = StreamAnswer.model_validate(self._single(call, stream))
        return stream.revision, answer.model_dump_json().encode()

    async def _list(self, call: Call, query: StreamQuery, limit: int) -> bytes:
        found = await self._service.list_streams(query)
        streams = found[:limit]
        more = encode_cursor(streams[-1].viewer_count, streams[-1].id) if len(found) > limit else None
        public = [StreamAnswer.model_validate(self._fields(call, stream)) for stream in streams]
        return StreamList(streams=public, next_cursor=more).model_dump_json().encode()

    def _note_change(self, _: Stream) -> None:
        self._changes += 1

    def _answer(self, call: Call, stream: Stream) -> web.Response:
        headers, viewer = {"ETag": etag(stream.revision)}, call.identity
        is_owner = viewer is not None and viewer.user_id == stream.user_id
        if viewer is None or not (is_owner or viewer.is_admin):
            return json_answer(StreamAnswer.model_validate(self._single(call, stream)), headers=headers)
        model = OwnStreamAnswer if is_owner else AdminStreamAnswer
        return json_answer(model.model_validate(self._own(call, stream, viewer)), headers=headers | NO_STORE)

    def _own(self, call: Call, stream: Stream, viewer: Identity) -> dict[str, object]:
        """Give the fields of a stream with those that are for its owner and admins."""
        return self._single(call, stream) | {"preview_url": self._preview_url(call, stream, viewer)}

    def _single(self, call: Call, stream: Stream) -> dict[str, object]:
        """Give the fields of a stream with the viewers of this moment; lists have those that they are sorted by."""
        return self._fields(call, stream) | asdict(self._viewers.figures(stream))

    def _fields(self, call: Call, stream: Stream) -> dict[str, object]:
        token = self._sign(stream, call.identity) if stream.is_private and call.identity else None
        media = dict(self._service.media(stream.id))
        return {name: getattr(stream, name) for name in STORED} | {
            "tags": list(stream.tags),
            "last_error": media.pop("last_error", None),
            "media": media,
            "hls_url": self._addresses.hls(call.request, stream.id, token),
            "webrtc_url": self._addresses.webrtc(call.request, stream.id),
        }

    def _preview_url(self, call: Call, stream: Stream, viewer: Identity) -> str | None:
        if not stream.is_upcoming:
            return None
        return self._addresses.preview(call.request, stream.id, self._sign(stream, viewer))

    def _sign(self, stream: Stream, viewer: Identity) -> str:
        return self._playback.issue(
            stream.id, stream.playback_salt, viewer.user_id, self._clock(), is_admin=viewer.is_admin
        )

    def _key_answer(self, call: Call, stream: Stream) -> web.Response:
        rtmp_url = self._addresses.rtmp(call.request, stream.stream_key)
        return json_answer(KeyAnswer(stream_key=stream.stream_key, rtmp_url=rtmp_url), headers=NO_STORE)


def etag(revision: int) -> str:
    """Name a revision as `If-Match` takes it."""
    return f'"r{revision}"'
