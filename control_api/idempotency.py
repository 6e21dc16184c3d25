"""`Idempotency-Key`: a request that is sent again, since its answer got lost, is answered again and not done again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aiohttp import web

from control_api.call import Call
from control_api.postgres.idempotency_table import IdempotencyTable
from control_api.problem import ProblemError
from media.error import CapacityError

HEADER = "Idempotency-Key"
PATTERN = r"^[!-~]{1,200}$"
KEPT_HEADERS = ("ETag", "Location", "Cache-Control", "Vary", "Content-Type")
Handler = Callable[[Call], Awaitable[web.Response]]


class Idempotency:
    """Answers repeated requests.

    Args:
        answers: keeps what was answered, for a day.
    """

    def __init__(self, answers: IdempotencyTable) -> None:
        self._answers = answers

    async def run(self, call: Call, handler: Handler) -> web.Response:
        """Do what a request asks for unless that was done before; without a key, do it.

        Raises:
            ProblemError: 422 the key is malformed or was used for something else; 409 the first one is under way.
        """
        key = call.request.headers.get(HEADER)
        if key is None:
            return await handler(call)
        if not re.fullmatch(PATTERN, key):
            raise ProblemError(422, "invalid", f"{HEADER}: 1 to 200 visible ASCII characters.")
        digest = hashlib.sha256(
            f"{call.request.method} {call.request.path}\n".encode() + await call.read()
        ).digest()
        user_id = call.user.user_id
        kept = await self._answers.claim(user_id, key, digest)
        if kept is None:
            return await self._begin(call, handler, user_id, key)
        if kept.request_digest != digest:
            raise ProblemError(422, "key_reused", f"{HEADER}: this key was used for another request.")
        if kept.status is None:
            headers = {"Retry-After": "1"}
            raise ProblemError(
                409, "in_progress", "The first request with this key is under way.", headers=headers
            )
        headers = kept.headers | {"Idempotency-Replayed": "true"}
        return web.Response(body=kept.body.encode(), status=kept.status, headers=headers)

    async def tidy(self) -> bool:
        """Forget old answers; there is never more to do."""
        await self._answers.forget_old()
        return False

    async def _begin(self, call: Call, handler: Handler, user_id: str, key: str) -> web.Response:
        try:
            answer = await handler(call)
        except BaseException:
            with suppress(CapacityError):
                await self._answers.drop(user_id, key)
            raise
        headers = {name: answer.headers[name] for name in KEPT_HEADERS if name in answer.headers}
        body = answer.body if isinstance(answer.body, bytes) else b""
        await self._answers.keep(user_id, key, answer.status, headers, body.decode())
        return answer
