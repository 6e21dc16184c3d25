"""What the control plane needs from the media plane. Implemented by `mediaserver.live`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from control_api.stream.record import Stream


class Broadcasts(Protocol):
    """The broadcasts of this server, by stream id.

    `start` and `end` are awaited while the stream is locked: they must not call the service for the same
    stream before they return.
    """

    def media(self, stream_id: str) -> Mapping[str, object]:
        """Describe what arrives for a stream: `connected` (bool) and what else is known, fit for JSON.

        `last_error` (str or None) is for its owner, everything else for everybody.
        """
        ...

    def health(self, stream_id: str) -> Mapping[str, object]:
        """Describe the ingest for the stream's owner: fields of `control_api.stream.health.StreamHealthAnswer`.

        `connected` at least. Times are Unix times in seconds; a stream that nothing is known of is not connected.
        """
        ...

    async def start(self, stream: Stream) -> None:
        """Take note that a stream is live now. Does not wait for media."""
        ...

    async def end(self, stream_id: str, reason: str) -> None:
        """Close the ingest and the playlists of a stream; nothing happens when there is no broadcast."""
        ...
