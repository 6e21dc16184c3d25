"""Routes of comments and reactions."""

from __future__ import annotations

from aiohttp import web

from control_api.call import Call
from control_api.chat.model import (
    CommentAnswer,
    CommentCreation,
    CommentFilter,
    CommentList,
    ReactionAnswer,
    ReactionCreation,
)
from control_api.chat.service import ChatService
from control_api.chat.store import Comment
from control_api.page import bad_cursor, decode_cursor, encode_cursor
from control_api.route import Route, json_answer
from control_api.stream.record import is_stream_id
from control_api.stream.route import STREAM
from media.error import StreamError

COMMENTS = f"{STREAM}/comments"
COMMENT = f"{COMMENTS}/{{comment_id}}"


class ChatRoutes:
    """Handlers of the comments and reactions of a stream.

    Args:
        chat: does what is asked.
    """

    def __init__(self, chat: ChatService) -> None:
        self._chat = chat

    def table(self) -> list[Route]:
        """List the routes."""
        return [
            Route(method="POST", path=COMMENTS, handler=self.comment, summary="Comment on a live stream",
                  is_once=True, needs_user=True, body=CommentCreation, answers={201: CommentAnswer},
                  problems=(403, 404, 409, 429)),
            Route(method="GET", path=COMMENTS, handler=self.list_comments, query=CommentFilter,
                  summary="List comments, the newest last; the next page is older",
                  answers={200: CommentList}, problems=(404,)),
            Route(method="POST", path=f"{COMMENT}/pin", handler=self.pin, needs_user=True,
                  summary="Pin a comment instead of the one that is pinned", answers={200: CommentAnswer},
                  problems=(403, 404)),
            Route(method="DELETE", path=f"{COMMENT}/pin", handler=self.unpin, needs_user=True,
                  summary="Pin a comment no more", answers={204: None}, problems=(403, 404)),
            Route(method="DELETE", path=COMMENT, handler=self.delete, needs_user=True,
                  summary="Delete a comment: its author, the owner and moderators may", answers={204: None},
                  problems=(403, 404)),
            Route(method="POST", path=f"{STREAM}/reactions", handler=self.react, needs_user=True,
                  summary="React to a live stream; another reaction replaces the one before",
                  body=ReactionCreation, answers={200: ReactionAnswer}, problems=(404, 409, 429)),
        ]  # fmt: skip

    async def comment(self, call: Call) -> web.Response:
        """POST /api/v1/streams/{id}/comments."""
        body = await call.body(CommentCreation)
        comment = await self._chat.comment(call.stream_id, call.user, body.content, address=call.address)
        return json_answer(_answer(comment), 201)

    async def list_comments(self, call: Call) -> web.Response:
        """GET /api/v1/streams/{id}/comments."""
        stream_id, wanted = call.stream_id, call.query(CommentFilter)
        before = _before(wanted.cursor, stream_id) if wanted.cursor else None
        found = await self._chat.history(stream_id, call.identity, before=before, limit=wanted.limit)
        return json_answer(
            CommentList(
                comments=[_answer(comment) for comment in found.comments],
                pinned=None if found.pinned is None else _answer(found.pinned),
                next_cursor=encode_cursor(found.comments[0].seq, stream_id) if found.has_older else None,
            )
        )

    async def pin(self, call: Call) -> web.Response:
        """POST /api/v1/streams/{id}/comments/{comment_id}/pin."""
        return json_answer(_answer(await self._chat.pin(call.stream_id, call.user, _comment_id(call))))

    async def unpin(self, call: Call) -> web.Response:
        """DELETE /api/v1/streams/{id}/comments/{comment_id}/pin."""
        await self._chat.unpin(call.stream_id, call.user, _comment_id(call))
        return web.Response(status=204)

    async def delete(self, call: Call) -> web.Response:
        """DELETE /api/v1/streams/{id}/comments/{comment_id}."""
        await self._chat.delete(call.stream_id, call.user, _comment_id(call))
        return web.Response(status=204)

    async def react(self, call: Call) -> web.Response:
        """POST /api/v1/streams/{id}/reactions."""
        body = await call.body(ReactionCreation)
        counts = await self._chat.react(call.stream_id, call.user, body.type, address=call.address)
        answer = ReactionAnswer(type=body.type, counts=dict(counts), reactions_count=sum(counts.values()))
        return json_answer(answer)


def _answer(comment: Comment) -> CommentAnswer:
    return CommentAnswer.model_validate(comment)


def _comment_id(call: Call) -> str:
    comment_id = call.request.match_info["comment_id"].lower()
    if not is_stream_id(comment_id):
        raise StreamError("not_found", "There is no such comment.")
    return comment_id


def _before(cursor: str, stream_id: str) -> int:
    """Read where the page before ended. A cursor holds the stream too: another stream's means nothing here."""
    seq, listed_id = decode_cursor(cursor)
    if listed_id != stream_id:
        raise bad_cursor()
    return seq
