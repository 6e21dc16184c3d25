"""Where HLS delivery finds previews, and who may see them."""

from __future__ import annotations

from collections.abc import Callable

from hls.output import HlsOutput
from media.error import StreamError

from .access import AccessRules
from .preview import NO_ENCODER, Preview


class Previews:
    """The previews of this server, as `hls.port.Broadcasts`.

    Args:
        access: knows whose streams they are.
        get: the preview of a stream, None while no encoder has connected.
    """

    def __init__(self, access: AccessRules, get: Callable[[str], Preview | None]) -> None:
        self._access = access
        self._get = get

    def check(self, stream_id: str, token: str | None) -> None:
        """Let a request of a stream's owner or of an admin pass.

        Raises:
            StreamError: `not_found`, as for a stream that does not exist.
        """
        self._access.check_preview(stream_id, token)

    def find(self, stream_id: str) -> HlsOutput:
        """Find the HLS side of a preview, also for a moment when it is over.

        Raises:
            StreamError: there is none, with a sentence: `no_media_yet`, or `not_found` when none will come.
        """
        preview = self._get(stream_id)
        if preview is not None and preview.output is not None:
            return preview.output
        if not self._access.is_upcoming(stream_id):
            raise StreamError("not_found", "The preview has ended: it is of what comes before the start.")
        raise StreamError("no_media_yet", preview.absence if preview is not None else NO_ENCODER)
