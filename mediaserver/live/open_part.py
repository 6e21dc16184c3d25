"""How much of a source's video is in the part that is open."""

from __future__ import annotations

from media.error import PeerError


class OpenPart:
    """Counts what has come since the last part closed: media whose time hardly passes would pile up there.

    Args:
        limit_bytes: what a part may have.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._begin = 0
        self._size_bytes = 0

    def add(self, size_bytes: int, begin: int) -> None:
        """Count a packet of video, while the open part begins at `begin`.

        Raises:
            PeerError: the part has too many bytes.
        """
        if begin != self._begin:
            self._begin, self._size_bytes = begin, 0
        self._size_bytes += size_bytes
        if self._size_bytes > self._limit_bytes:
            raise PeerError("the video has far too many bytes for its time")
