"""Fields into frames: a picture whose lines were taken at two moments becomes one of the first moment.

FFmpeg's `bwdif` fills in the later field's lines from their neighbours in time and space; it looks one picture ahead,
which is its delay. At 1080 lines it takes 1 ms a picture. `yadif` takes four, since no vector code of it is left.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import av

from transcode.filter import TIME_BASE, open_filter

if TYPE_CHECKING:
    from av.filter import Graph
    from av.video.frame import VideoFrame

OPTIONS = "mode=send_frame:parity=auto:deint=interlaced"
"""One picture for each, the order of fields as the stream says, and pictures that are not interlaced left alone."""

_Shape = tuple[int, int, str]


class Deinterlacer:
    """Passes pictures through until the first interlaced one comes; from there on it holds one back."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._shape: _Shape | None = None

    def receive(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        """Take a picture in display order and yield those that are done."""
        shape = (frame.width, frame.height, frame.format.name)
        if self._graph is not None and shape != self._shape:
            yield from self.drain()
        if self._graph is None:
            if not frame.interlaced_frame:
                yield frame
                return
            self._graph, self._shape = open_filter("bwdif", OPTIONS, *shape), shape
        self._graph.vpush(frame)
        yield from _pull(self._graph)

    def drain(self) -> Iterator[VideoFrame]:
        """Yield the picture that is held back: none follows, or another kind."""
        graph, self._graph = self._graph, None
        if graph is not None:
            graph.vpush(None)
            yield from _pull(graph)

    def discard(self) -> None:
        """Forget the picture that is held back."""
        self._graph = None


def _pull(graph: Graph) -> Iterator[VideoFrame]:
    while True:
        try:
            frame = graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return
        # The filter counts in half ticks, since it could make two pictures of one.
        frame.pts, frame.time_base = (
            round((frame.pts or 0) * (frame.time_base or TIME_BASE) / TIME_BASE),
            TIME_BASE,
        )
        yield frame
