"""Routes of viewers: join, leave, and how many there are."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from control_api.address import Addresses
from control_api.call import Call
from control_api.route import Route, json_answer
from control_api.stream.playback import PlaybackSigner
from control_api.stream.route import NO_STORE, STREAM
from control_api.viewer.attendance import Attendance
from control_api.viewer.attending import Admission
from control_api.viewer.model import (
    JoinAnswer,
    LeaveAnswer,
    Playback,
    ViewerRequest,
    ViewersAnswer,
)


class ViewerRoutes:
    """Handlers of a stream's viewers.

    Args:
        attendance: counts them.
        addresses: what answers tell.
        playback: signs tokens that name the viewer.
        clock: Unix time.
    """

    def __init__(
        self,
        attendance: Attendance,
        addresses: Addresses,
        playback: PlaybackSigner,
        clock: Callable[[], float],
    ) -> None:
        self._viewers = attendance.viewers
        self._streams = attendance.streams
        self._addresses = addresses
        self._playback = playback
        self._clock = clock

    def table(self) -> list[Route]:
        """List the routes."""
        return [
            Route(method="POST", path=f"{STREAM}/join", handler=self.join, body=ViewerRequest, body_needed=False,
                  summary="Watch a live stream; again and again to stay present without a player",
                  answers={200: JoinAnswer}, problems=(404, 409)),
            Route(method="POST", path=f"{STREAM}/leave", handler=self.leave, body=ViewerRequest,
                  body_needed=False, summary="Watch no more", answers={200: LeaveAnswer}, problems=(403, 404)),
            Route(method="GET", path=f"{STREAM}/viewers", handler=self.count, summary="Tell how many watch",
                  answers={200: ViewersAnswer}, problems=(404,)),
        ]  # fmt: skip

    async def join(self, call: Call) -> web.Response:
        """POST /api/v1/streams/{id}/join."""
        body = await call.optional_body(ViewerRequest)
        admission = await self._viewers.join(call.stream_id, call.identity, body.viewer_id)
        answer = JoinAnswer(
            viewer_id=admission.viewer_id,
            viewer_count=admission.figures.viewer_count,
            playback=self._playback_of(call, admission),
        )
        return json_answer(answer, headers=NO_STORE)

    async def leave(self, call: Call) -> web.Response:
        """POST /api/v1/streams/{id}/leave."""
        body = await call.optional_body(ViewerRequest)
        if body.viewer_id is None:
            call.user  # noqa: B018 refuses who says nothing of who leaves
        figures = await self._viewers.leave(call.stream_id, call.identity, body.viewer_id)
        return json_answer(LeaveAnswer(viewer_count=figures.viewer_count), headers=NO_STORE)

    async def count(self, call: Call) -> web.Response:
        """GET /api/v1/streams/{id}/viewers."""
        stream = await self._streams.visible(call.stream_id, call.identity)
        return json_answer(ViewersAnswer.model_validate(self._viewers.figures(stream)))

    def _playback_of(self, call: Call, admission: Admission) -> Playback:
        stream = admission.stream
        is_admin = call.identity is not None and call.identity.is_admin
        token = self._playback.issue(
            stream.id, stream.playback_salt, admission.viewer_id, self._clock(), is_admin=is_admin
        )
        return Playback(
            hls_url=self._addresses.hls(call.request, stream.id, token),
            webrtc_url=self._addresses.webrtc(call.request, stream.id, token),
            token=token,
        )
