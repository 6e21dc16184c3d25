"""Segments as lines of a playlist; those of the past are rendered, and compressed, once and for all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from weakref import WeakKeyDictionary

from .playlist_body import Stretch
from .view import PastView, SegmentView

Lines = Iterator[str]


@dataclass(frozen=True, slots=True)
class _Rendered:
    before: int | None
    """Generation of the segment before, which decides whether the first one needs an EXT-X-MAP."""
    after: int | None
    stretch: Stretch


class PastText:
    """Renders stretches of the past, once each.

    Args:
        lines: of a segment behind one of some generation.
    """

    def __init__(self, lines: Callable[[SegmentView, int | None], Lines]) -> None:
        self._lines = lines
        self._rendered: WeakKeyDictionary[PastView, _Rendered] = WeakKeyDictionary()

    def render(self, past: Sequence[PastView]) -> tuple[list[Stretch], int | None]:
        """Return the text of what is listed of the past, and the generation of its last segment."""
        generation: int | None = None
        stretches = []
        for view in past:
            known = self._rendered.get(view)
            if known is None or known.before != generation:
                known = self._rendered[view] = self._render(view, generation)
            stretches.append(known.stretch)
            generation = known.after
        return stretches, generation

    def _render(self, view: PastView, before: int | None) -> _Rendered:
        lines: list[str] = []
        generation = before
        for segment in view.segments:
            lines += self._lines(segment, generation)
            generation = segment.generation if segment.has_init else generation
        return _Rendered(before, generation, Stretch("".join(f"{line}\n" for line in lines).encode()))


def segment_lines(segment: SegmentView, generation: int | None, parts: Iterable[str] = ()) -> Lines:
    """Render a segment.

    Args:
        segment: nothing is said of one without parts.
        generation: of the segment before.
        parts: their lines.
    """
    # What belongs to a segment stands before its first part (4.4.4.9).
    if not segment.parts:
        return
    if segment.is_discontinuity:
        yield "#EXT-X-DISCONTINUITY"
    if segment.has_init and segment.generation != generation:
        yield f'#EXT-X-MAP:URI="init-{segment.generation}.mp4"'
    yield date_line(segment)
    if segment.is_complete and segment.is_gap:
        yield "#EXT-X-GAP"
    yield from parts
    if segment.is_complete:
        yield f"#EXTINF:{segment.duration_s:.6f},"
        yield f"{segment.generation}-{segment.msn}.m4s"


def date_line(segment: SegmentView) -> str:
    """Say when a segment begins."""
    milliseconds = round(segment.program_date_time * 1000)
    date = datetime.fromtimestamp(milliseconds // 1000, tz=UTC)
    return f"#EXT-X-PROGRAM-DATE-TIME:{date:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"
