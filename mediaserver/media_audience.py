"""Who watches over WebRTC: let in and counted by the token that they bring."""

from __future__ import annotations

from typing import Protocol, TypeGuard

import structlog

from control_api.stream.record import Identity
from control_api.stream.service import StreamService
from control_api.token.access import TokenError, TokenVerifier
from control_api.viewer.attending import Attending
from control_api.viewer.service import ViewerService
from media.error import CapacityError, StreamError

log = structlog.get_logger(__name__)


class Access(Protocol):
    """Knows playback tokens; `mediaserver.live.stage.Stage`."""

    def check(self, stream_id: str, token: str | None) -> None:
        """Let somebody pass.

        Raises:
            StreamError: `not_found`: the stream is not for whoever has no better one.
        """

    def viewer_of(self, stream_id: str, token: str | None) -> str | None:
        """Say whom a playback token names.

        Raises:
            StreamError: as `check`.
        """


class _Uncounted:
    """Somebody who watches while nobody can count."""

    def close(self) -> None:
        """Let the viewer go."""


class _Counted:
    """Somebody who is present."""

    def __init__(self, attending: Attending) -> None:
        self._attending = attending

    def close(self) -> None:
        """Let the viewer go."""
        self._attending.close(has_left=True)


class MediaAudience:
    """Lets viewers in; `webrtc.port.Audience`.

    Args:
        access: knows playback tokens.
        streams: knows who may see what.
        verifier: knows access tokens.
        viewers: counts.
    """

    def __init__(
        self, access: Access, streams: StreamService, verifier: TokenVerifier, viewers: ViewerService
    ) -> None:
        self._access = access
        self._streams = streams
        self._verifier = verifier
        self._viewers = viewers

    async def authorize(self, stream_id: str, token: str | None) -> None:
        """Let somebody watch who may.

        Raises:
            StreamError: `not_found`; `unauthorized`, an access token is not good.
            CapacityError: an access token cannot be verified at the moment.
        """
        if _is_access_token(token):
            await self._streams.visible(stream_id, await self._identify(token))
        else:
            self._access.check(stream_id, token)

    async def attend(self, stream_id: str, token: str | None) -> _Counted | _Uncounted:
        """Count somebody as present until what this returns is closed.

        Media goes on without the database: then nobody is counted.

        Raises:
            StreamError, CapacityError: as `authorize`.
        """
        try:
            if _is_access_token(token):
                identity = await self._identify(token)
                return _Counted(await self._viewers.attend(stream_id, identity, None))
            viewer_id = self._access.viewer_of(stream_id, token)
            return _Counted(await self._viewers.attend_media(stream_id, viewer_id))
        except CapacityError as error:
            log.warning("viewer is not counted", stream_id=stream_id, reason=error.detail)
            return _Uncounted()

    async def _identify(self, token: str) -> Identity:
        try:
            return await self._verifier.verify(token)
        except TokenError as error:
            raise StreamError("unauthorized", str(error)) from error


def _is_access_token(token: str | None) -> TypeGuard[str]:
    """Tell a JSON Web Token, which has three parts (RFC 7515, 7.1), from a playback token, which has two."""
    return token is not None and token.count(".") == 2
