"""The keyframe with which a segment begins, as a segment of its own: what I-frame playlists list (4.4.3.6)."""

from __future__ import annotations

from .config import HlsConfig
from .fragment import FragmentSample, fragment
from .past_text import Lines, PastText, date_line
from .playlist_body import PlaylistBody
from .timeline import Segment
from .view import RenditionView, SegmentView

VERSION = 8
"""EXT-X-GAP needs it (section 8)."""


def keyframe_fragment(segment: Segment, picture: bytes) -> bytes:
    """Package the first picture of a closed segment; it lasts as long as the segment.

    Args:
        segment: that it begins.
        picture: the access unit, as in `Packet.data`.
    """
    sample = FragmentSample(picture, segment.end - segment.start, is_sync=True, composition_offset=0)
    return fragment(segment.msn, segment.start, [sample])


def render_keyframes(view: RenditionView, config: HlsConfig) -> PlaylistBody:
    """Render the I-frame playlist of a video rung: the first picture of each complete segment."""
    head = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{config.target_duration_s}",
        f"#EXT-X-MEDIA-SEQUENCE:{view.media_sequence}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{view.discontinuity_sequence}",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        "#EXT-X-I-FRAMES-ONLY",
    ]
    past, generation = _PAST.render(view.past)
    tail: list[str] = []
    for segment in view.segments:
        if segment.is_complete:
            tail += _lines(segment, generation)
            generation = segment.generation if segment.has_init else generation
    if view.is_ended:
        tail.append("#EXT-X-ENDLIST")
    return PlaylistBody("".join(f"{line}\n" for line in head), past, "".join(f"{line}\n" for line in tail))


def _lines(segment: SegmentView, generation: int | None) -> Lines:
    if segment.is_discontinuity:
        yield "#EXT-X-DISCONTINUITY"
    if segment.has_init and segment.generation != generation:
        yield f'#EXT-X-MAP:URI="init-{segment.generation}.mp4"'
    yield date_line(segment)
    if segment.is_gap or (segment.parts and segment.parts[0].is_gap):
        yield "#EXT-X-GAP"
    yield f"#EXTINF:{segment.duration_s:.6f},"
    yield f"{segment.generation}-{segment.msn}.key.m4s"


_PAST = PastText(_lines)
