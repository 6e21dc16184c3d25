"""Viewers who get the same packets at the same time, sorted by the form in which they get them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from webrtc.rtp.burst import Batch
from webrtc.rtp.fanout import FanOut
from webrtc.rtp.line import Line
from webrtc.rtp.variant import Variant

from .viewer import Viewer


class Audience:
    """Those who are live on one flow. The path of every frame: nothing here is done for each viewer but to send."""

    def __init__(self) -> None:
        self._lines: dict[Variant, list[Line]] = {}
        self._viewers: dict[Line, Viewer] = {}

    def __bool__(self) -> bool:
        return bool(self._viewers)

    def __iter__(self) -> Iterator[Viewer]:
        """Iterate over a copy, since viewers leave meanwhile."""
        return iter(list(self._viewers.values()))

    def add(self, line: Line, viewer: Viewer) -> None:
        """Send to `line` from now on."""
        self._viewers[line] = viewer
        self._lines.setdefault(line.variant, []).append(line)

    def remove(self, line: Line) -> None:
        """Send to `line` no longer, if it was here."""
        if self._viewers.pop(line, None) is None:
            return
        lines = self._lines[line.variant]
        lines.remove(line)
        if not lines:
            del self._lines[line.variant]

    def send(self, fanout: FanOut, batches: Callable[[Variant], Sequence[Batch]]) -> list[Viewer]:
        """Send to all.

        Args:
            fanout: that does it.
            batches: makes what goes out in the form that is given.

        Returns:
            Viewers whose packets the kernel did not take.
        """
        refused: list[Line] = []
        for variant, lines in self._lines.items():
            refused += fanout.send(batches(variant), lines)
        return [self._viewers[line] for line in refused]
