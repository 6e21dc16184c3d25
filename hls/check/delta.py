"""Puts a delta update and the version before it together, as players do (6.2.5.1)."""

from __future__ import annotations

from dataclasses import replace

from .media_playlist import MediaPlaylist, Segment


def merge_delta(before: MediaPlaylist, delta: MediaPlaylist) -> MediaPlaylist | None:
    """Put a delta update together with the version before it.

    Returns:
        What the full playlist would be; None when the version before lacks what is skipped.
    """
    if not delta.skipped:
        return delta
    first = delta.media_sequence + delta.skipped
    skipped = [segment for segment in before.segments if delta.media_sequence <= segment.msn < first]
    if len(skipped) != delta.skipped:
        return None
    known = {segment.msn: segment for segment in before.segments}
    joined = _Join(skipped[-1], delta)
    segments = [_same(known.get(segment.msn), joined.carry(segment)) for segment in delta.segments]
    last = joined.carry(delta.open_segment) if delta.open_segment is not None else None
    return replace(delta, skipped=0, segments=(*skipped, *segments), open_segment=last)


def _same(known: Segment | None, segment: Segment) -> Segment:
    """Return the segment that is known already where it is the same, so that comparing it costs nothing."""
    return known if known == segment else segment


class _Join:
    """Carries over what stands before the skipped segments: map, key, and the discontinuities among them."""

    def __init__(self, last: Segment, delta: MediaPlaylist) -> None:
        self._last = last
        self._discontinuities = last.discontinuity_sequence - delta.discontinuity_sequence
        self._has_key_tag = bool(delta.lines("EXT-X-KEY"))

    def carry(self, segment: Segment) -> Segment:
        """Complete a segment of the delta update."""
        return replace(
            segment,
            init=segment.init if segment.init is not None else self._last.init,
            is_encrypted=segment.is_encrypted if self._has_key_tag else self._last.is_encrypted,
            discontinuity_sequence=segment.discontinuity_sequence + self._discontinuities,
        )
