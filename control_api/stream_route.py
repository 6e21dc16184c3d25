"""Routes of streams."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from aiohttp import web

from control_api.address import Addresses
from control_api.call import Call
from control_api.health import StreamHealthAnswer
from control_api.model import (
    AnyStreamFilter,
    EligibilityAnswer,
    KeyAnswer,
    Nothing,
    OwnStreamAnswer,
    StreamAnswer,
    StreamChange,
    StreamCreation,
    StreamFilter,
    StreamList,
)
from control_api.page import decode_cursor, encode_cursor
from control_api.playback import PlaybackSigner
from control_api.route import Route, json_answer
from control_api.service import StreamService
from control_api.store import StreamQuery
from control_api.stream import Identity, Status, Stream

STREAMS = "/api/v1/streams"
STREAM = f"{STREAMS}/{{id}}"
NO_STORE = {"Cache-Control": "no-store"}


class StreamRoutes:
    """Handlers of everything below `/api/v1/streams`.

    Args:
        service: does what is asked.
        addresses: what answers tell.
        playback: signs the addresses of private streams.
        clock: Unix time.
    """

    def __init__(
        self,
        service: StreamService,
        addresses: Addresses,
        playback: PlaybackSigner,
        clock: Callable[[], float],
    ) -> None:
        self._service = service
        self._addresses = addresses
        self._playback = playback
        self._clock = clock

    def table(self) -> list[Route]:
        """List the routes."""
        stream = {200: OwnStreamAnswer}
        page = {200: StreamList}
        return [
            Route(method="POST", path=STREAMS, handler=self.create, summary="Create a stream",
                  needs_user=True, body=StreamCreation, answers={201: OwnStreamAnswer}, problems=(403, 503)),
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
        ]  # fmt: skip

    async def create(self, call: Call) -> web.Response:
        """POST /api/v1/streams."""
        body = await call.body(StreamCreation)
        stream = await self._service.create(call.user.user_id, body.fields())
        return self._answer(call, stream, 201, {"Location": f"{STREAMS}/{stream.id}"})

    async def show(self, call: Call) -> web.Response:
        """GET /api/v1/streams/{id}."""
        return self._answer(call, await self._service.visible(call.stream_id, call.identity))

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
        return self._key_answer(call, await self._owned(call))

    async def new_key(self, call: Call) -> web.Response:
        """POST /api/v1/streams/{id}/key."""
        stream = await self._owned(call)
        await call.optional_body(Nothing)
        return self._key_answer(call, await self._service.new_key(stream.id))

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
            text=wanted.q.casefold() if wanted.q else None,
            most_watched_first=most_watched_first,
            after=decode_cursor(wanted.cursor) if wanted.cursor else None,
            limit=wanted.limit + 1,
        )
        found = await self._service.list_streams(query)
        streams = found[: wanted.limit]
        more = encode_cursor(streams[-1].viewer_count, streams[-1].id) if len(found) > wanted.limit else None
        public = [StreamAnswer.model_validate(self._fields(call, stream)) for stream in streams]
        return json_answer(StreamList(streams=public, next_cursor=more))

    def _answer(
        self, call: Call, stream: Stream, status: int = 200, headers: dict[str, str] | None = None
    ) -> web.Response:
        fields = self._fields(call, stream)
        headers = {"ETag": f'"r{stream.revision}"', **(headers or {})}
        if call.identity is None or call.identity.user_id != stream.user_id:
            return json_answer(StreamAnswer.model_validate(fields), status, headers=headers)
        fields["rtmp_url"] = self._addresses.rtmp(call.request, stream.stream_key)
        return json_answer(OwnStreamAnswer.model_validate(fields), status, headers=headers | NO_STORE)

    def _fields(self, call: Call, stream: Stream) -> dict[str, object]:
        token = self._sign(stream, call.identity) if stream.is_private and call.identity else None
        media = dict(self._service.media(stream.id))
        return asdict(stream) | {
            "tags": list(stream.tags),
            "last_error": media.pop("last_error", None),
            "media": media,
            "hls_url": self._addresses.hls(call.request, stream.id, token),
            "webrtc_url": self._addresses.webrtc(call.request, stream.id),
        }

    def _sign(self, stream: Stream, viewer: Identity) -> str:
        return self._playback.issue(stream.id, viewer.user_id, self._clock())

    def _key_answer(self, call: Call, stream: Stream) -> web.Response:
        rtmp_url = self._addresses.rtmp(call.request, stream.stream_key)
        return json_answer(KeyAnswer(stream_key=stream.stream_key, rtmp_url=rtmp_url), headers=NO_STORE)
