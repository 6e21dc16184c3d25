"""Somebody who watches over a socket that is open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from control_api.stream.record import Stream
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
