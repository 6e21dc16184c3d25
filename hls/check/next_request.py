"""What a player asks for next, by the playlist that it has."""

from __future__ import annotations

from .media_playlist import MediaPlaylist, Resource

SAMPLED = 6
"""Segments of a long playlist that has ended, when not all are wanted: two each at its begin, middle and end."""
NEWEST = 3
"""Listed segments of a live playlist that are fetched at first, beside the oldest one."""


def choose(playlist: MediaPlaylist, *, is_all: bool) -> set[int]:
    """Choose what is fetched of a playlist that is seen for the first time, by number of the segment."""
    numbers = [segment.msn for segment in playlist.all_segments]
    if not playlist.is_ended:
        return {*numbers[:1], *numbers[-NEWEST:]}
    if is_all or len(numbers) <= SAMPLED:
        return set(numbers)
    middle = len(numbers) // 2
    return {*numbers[:2], *numbers[middle : middle + 2], *numbers[-2:]}


def newer(before: MediaPlaylist, now: MediaPlaylist) -> set[int]:
    """Return the numbers of segments that are new or were open."""
    return {segment.msn for segment in now.all_segments if segment.msn >= before.next_msn}


def following(playlist: MediaPlaylist) -> tuple[int, int | None]:
    """Return what a blocking reload asks for: the part behind the last one, or the next segment."""
    if not playlist.is_low_latency:
        return playlist.next_msn, None
    if playlist.open_segment is not None:
        return playlist.open_segment.msn, len(playlist.open_segment.parts)
    return playlist.next_msn, 0


def hinted(playlist: MediaPlaylist) -> Resource | None:
    """Return the part that is hinted at."""
    for line in playlist.lines("EXT-X-PRELOAD-HINT"):
        if line.text_of("TYPE") == "PART" and "URI" in line.attributes:
            # A hint of a range without end is known only when its part is listed.
            return None if "BYTERANGE-START" in line.attributes else Resource(line.text_of("URI"))
    return None
