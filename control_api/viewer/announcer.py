"""How many watch, told to the other servers: the first change at once, what follows on its heels together."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from math import inf

from control_api.realtime.bus import Bus
from control_api.viewer.audience import Figures
from control_api.viewer.shared import SharedFigures

TOPIC = "viewers"

INTERVAL_S = 0.05
"""Between two messages about a stream: faster than anybody reads a number."""


class Announcer:
    """Publishes figures.

    Args:
        bus: to the other servers.
        latest: gives the newest figures of a stream; None where there are none any more.
    """

    def __init__(self, bus: Bus, latest: Callable[[str], SharedFigures | None]) -> None:
        self._bus = bus
        self._latest = latest
        self._resting: dict[str, asyncio.TimerHandle] = {}
        """Streams of which something has just been published."""
        self._again: set[str] = set()

    def announce(self, stream_id: str) -> None:
        """Publish how many watch a stream, now or in a moment."""
        if stream_id in self._resting:
            self._again.add(stream_id)
        else:
            self._publish(stream_id)

    def tell_left(self, stream_id: str, key: str, at: float) -> None:
        """Publish that a viewer has left whom another server counts as present."""
        self._bus.publish(TOPIC, json.dumps({"stream_id": stream_id, "left": key, "at": at}).encode())

    def close(self) -> None:
        """Publish no more."""
        for timer in self._resting.values():
            timer.cancel()
        self._resting.clear()

    def _publish(self, stream_id: str) -> None:
        shared = self._latest(stream_id)
        if shared is None:
            return
        due_at = shared.due_at if shared.due_at < inf else None
        figures = asdict(shared.figures)
        message = {"stream_id": stream_id, "version": shared.version, "due_at": due_at, **figures}
        self._bus.publish(TOPIC, json.dumps(message).encode())
        loop = asyncio.get_running_loop()
        self._resting[stream_id] = loop.call_later(INTERVAL_S, self._rested, stream_id)

    def _rested(self, stream_id: str) -> None:
        del self._resting[stream_id]
        if stream_id in self._again:
            self._again.remove(stream_id)
            self._publish(stream_id)


def read_figures(message: Mapping[str, object]) -> SharedFigures:
    """Read what another server has published.

    Raises:
        KeyError, TypeError, ValueError: it is no such message.
    """
    count, peak, unique = (
        int(str(message[name])) for name in ("viewer_count", "peak_viewers", "unique_viewers")
    )
    due_at = inf if message["due_at"] is None else float(str(message["due_at"]))
    return SharedFigures(Figures(count, peak, unique), int(str(message["version"])), due_at)
