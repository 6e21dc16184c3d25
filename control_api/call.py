"""One request to the control API: who asks, and what for, checked."""

from __future__ import annotations

import re
from typing import TypeVar

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import BaseModel, ValidationError

from control_api.problem import Fault, ProblemError
from control_api.stream.record import Identity, is_stream_id
from control_api.token.access import TokenError, TokenVerifier, is_user_id
from media.error import StreamError

MAX_BODY = 256 * 1024
"""Bytes. A description of 5000 characters, each written as two `\\uXXXX`, is 60 KB."""

MAX_FAULTS = 20
"""So many faults are told at once; more help nobody."""

Model = TypeVar("Model", bound=BaseModel)


class Call:
    """What handlers see of a request.

    Args:
        request: as it came.
        identity: who asks; None for somebody without a token.
    """

    def __init__(self, request: web.Request, identity: Identity | None) -> None:
        self.request = request
        self.identity = identity
        self._data: bytes | None = None

    @property
    def user(self) -> Identity:
        """Who asks.

        Raises:
            ProblemError: 401, nobody did with a token.
        """
        if self.identity is None:
            raise unauthorized("This needs an access token: send `Authorization: Bearer TOKEN`.")
        return self.identity

    @property
    def stream_id(self) -> str:
        """The stream id in the path, in lower case.

        Raises:
            StreamError: `not_found`, since no stream has an id that is no UUID.
        """
        stream_id = self.request.match_info["id"].lower()
        if not is_stream_id(stream_id):
            raise StreamError("not_found", "There is no such stream.")
        return stream_id

    @property
    def user_id(self) -> str:
        """The user id in the path; `me` is who asks.

        Raises:
            StreamError: `invalid`.
        """
        user_id = self.request.match_info["user_id"]
        if not is_user_id(user_id):
            raise StreamError("invalid", "user_id: 1 to 128 characters, none of them a control character.")
        return self.user.user_id if user_id == "me" else user_id

    @property
    def address(self) -> str | None:
        """Where the request comes from, as far as this server can see."""
        return self.request.remote

    @property
    def wanted_revision(self) -> int | None:
        """The revision that `If-Match` asks for; None when any will do.

        Raises:
            StreamError: `precondition_failed` for what cannot be an ETag of a stream.
        """
        header = self.request.headers.get("If-Match", "*").strip()
        if header == "*":
            return None
        match = re.fullmatch(r'"r(\d{1,18})"', header)
        if match is None:
            raise StreamError("precondition_failed", "If-Match: this is no ETag of a stream.")
        return int(match[1])

    async def body(self, model: type[Model]) -> Model:
        """Read the body as JSON of the shape of `model`.

        Raises:
            ProblemError: 400 no JSON, 413 too large, 422 does not fit.
        """
        return parse_body(await self.read(), model)

    async def optional_body(self, model: type[Model]) -> Model:
        """Read the body like `body`; an empty one stands for `{}`."""
        return parse_body(await self.read() or b"{}", model)

    def query(self, model: type[Model]) -> Model:
        """Read the query as the shape of `model`.

        Raises:
            ProblemError: 422.
        """
        try:
            return model.model_validate(dict(self.request.query))
        except ValidationError as error:
            raise misfit("The query", error) from None

    async def read(self) -> bytes:
        """Read the body.

        Raises:
            ProblemError: 400 it does not arrive, 413 too large.
        """
        if self._data is None:
            self._data = await self._read()
        return self._data

    async def _read(self) -> bytes:
        length = self.request.content_length
        data = b""
        try:
            while (length or 0) <= MAX_BODY and len(data) <= MAX_BODY:
                chunk = await self.request.content.readany()
                if not chunk:
                    return data
                data += chunk
        except (web.RequestPayloadError, HttpProcessingError, ConnectionError):
            raise ProblemError(400, "no_json", "The body cannot be read.") from None
        raise ProblemError(413, "too_large", f"The body is larger than {MAX_BODY // 1024} KiB.")


def bearer_token(request: web.Request) -> str | None:
    """Read `Authorization: Bearer TOKEN` (RFC 6750, 2.1); None when there is no such header."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


async def identify(request: web.Request, verifier: TokenVerifier) -> Identity | None:
    """Find out who asks.

    Returns:
        None when there is no token.

    Raises:
        ProblemError: 401, there is a token, and it is bad: nobody is quietly taken for somebody else.
        CapacityError: whether it is bad cannot be known at the moment.
    """
    token = bearer_token(request)
    if token is None:
        return None
    try:
        return await verifier.verify(token)
    except TokenError as error:
        raise unauthorized(str(error), error="invalid_token") from None


def unauthorized(detail: str, error: str = "") -> ProblemError:
    """Make a 401 with its challenge (RFC 6750, 3)."""
    challenge = f'Bearer realm="mediaserver", error="{error}"' if error else 'Bearer realm="mediaserver"'
    return ProblemError(401, "unauthorized", detail, headers={"WWW-Authenticate": challenge})


def parse_body(data: bytes, model: type[Model]) -> Model:
    """Read JSON of the shape of `model`.

    Raises:
        ProblemError: 400 no JSON, 422 does not fit.
    """
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        if error.errors(include_url=False, include_input=False)[0]["type"] == "json_invalid":
            raise ProblemError(400, "no_json", "The body is not JSON.") from None
        raise misfit("The body", error) from None


def misfit(what: str, error: ValidationError) -> ProblemError:
    """Make a 422 that names every field at fault, without repeating what was sent."""
    faults = [
        Fault(".".join(str(step) for step in fault["loc"]), fault["msg"].removeprefix("Value error, "))
        for fault in error.errors(include_url=False, include_input=False)[:MAX_FAULTS]
    ]
    words = "; ".join(f"{fault.field}: {fault.message}" if fault.field else fault.message for fault in faults)
    return ProblemError(422, "invalid", f"{what} does not fit: {words}.", faults)
