"""Somebody who watches over a socket that is open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from control_api.stream.record import Status, Stream
from control_api.viewer.audience import Figures, Viewer
from control_api.viewer.presence import Presence


@dataclass(frozen=True, slots=True)
class Admission:
    """What somebody gets who joins."""

    stream: Stream
    viewer_id: str
    figures: Figures


class Attending:
    """Keeps a viewer present until it is closed; counts nothing while the stream is not live.

    Args:
        stream_id: of the stream.
        key: of the viewer.
        presence: counts.
        clock: Unix time.
        end: is called when it has been closed.
    """

    admission: Admission
    """As it was at the beginning."""

    def __init__(
        self,
        stream_id: str,
        key: str,
        presence: Presence,
        clock: Callable[[], float],
        end: Callable[[Attending], None],
    ) -> None:
        self.stream_id = stream_id
        self._key = key
        self._presence = presence
        self._clock = clock
        self._end = end
        self._viewer: Viewer | None = None
        self._is_closed = False

    def begin(self) -> None:
        """Count from now on; the stream is live."""
        if self._viewer is None and not self._is_closed:
            self._viewer = self._presence.attach(self.stream_id, self._key, self._clock())

    def close(self, *, has_left: bool) -> None:
        """End it; nothing happens the second time.

        Args:
            has_left: whether the viewer has said so: gone at once, unless another socket is open. Otherwise the
                connection was lost, and the viewer is gone after 30 s unless something is heard until then.
        """
        if self._is_closed:
            return
        self._is_closed = True
        if self._viewer is not None:
            self._presence.detach(self._viewer, self._clock(), has_left=has_left)
        self._end(self)


class Sockets:
    """Those who watch over sockets, of streams that are live or may be some day; as many as there are sockets.

    Args:
        presence: counts.
        clock: Unix time.
        settle: is called when somebody has gone.
    """

    def __init__(self, presence: Presence, clock: Callable[[], float], settle: Callable[[], None]) -> None:
        self._presence = presence
        self._clock = clock
        self._settle = settle
        self._open: dict[str, dict[Attending, None]] = {}

    def open(self, stream: Stream, key: str) -> Attending:
        """Add somebody, who is not counted before `Attending.begin`."""
        attending = Attending(stream.id, key, self._presence, self._clock, self._end)
        if stream.status is Status.LIVE or stream.is_upcoming:
            self._open.setdefault(stream.id, {})[attending] = None
        return attending

    def begin(self, stream_id: str) -> None:
        """Count everybody who has waited for a stream."""
        for attending in self._open.get(stream_id, ()):
            attending.begin()

    def forget(self, stream_id: str) -> None:
        """Take note that a stream will never be live again."""
        self._open.pop(stream_id, None)

    def waiting(self) -> set[str]:
        """List the streams that somebody waits for."""
        return {stream_id for stream_id in self._open if self._presence.audience(stream_id) is None}

    def _end(self, attending: Attending) -> None:
        known = self._open.get(attending.stream_id, {})
        known.pop(attending, None)
        if not known:
            self._open.pop(attending.stream_id, None)
        self._settle()
