"""Playlists as text: pure functions of what delivery sees (draft-pantos-hls-rfc8216bis-22)."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import urlencode

from .config import HlsConfig
from .past_text import PastText, segment_lines
from .playlist_body import PlaylistBody
from .start import Start, start_line
from .view import AudioView, MultivariantView, RenditionView, SegmentView, VariantView

VERSION = 9
"""EXT-X-SKIP needs 9 (section 8)."""

AUDIO_GROUP = "audio"

KEYFRAMES = "iframes.m3u8"
"""Name of a rung's I-frame playlist."""

FIRST_VARIANT_BPS = 2_000_000
"""The variant nearest to this is listed first, since players start there (HLS Authoring Specification). It is an H.264
one where there is one: players that know no other codec try the first all the same. It is one that is being made where
there is one: whoever arrives neither waits nor wakes another."""

PARTS_KEPT_TARGETS = 3
"""EXT-X-PART tags are removed when older than three target durations (4.4.4.9)."""


_PAST = PastText(segment_lines)


def render_multivariant(view: MultivariantView, start: Start | None = None) -> PlaylistBody:
    """Render the multivariant playlist; URIs are relative.

    Args:
        view: all renditions.
        start: where players begin; the media playlists say it, since they know what they have.
    """
    query = "" if start is None else f"?{urlencode({'start': start.text})}"
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    audio = view.audio
    if audio is not None and view.variants:
        lines.append(
            f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{AUDIO_GROUP}",NAME="Audio",LANGUAGE="und",DEFAULT=YES,'
            f'AUTOSELECT=YES,CHANNELS="{audio.channels}",URI="{audio.name}/index.m3u8{query}"'
        )
    for variant in _start_first(view.variants):
        lines += _variant(variant, audio, query)
    if view.has_keyframe_playlists:
        lines += [_keyframes(variant) for variant in view.variants if variant.codecs.startswith("avc1.")]
    if audio is not None and not view.variants:
        bandwidth = f"BANDWIDTH={audio.bandwidth_bps},AVERAGE-BANDWIDTH={audio.bandwidth_bps}"
        lines += [f'#EXT-X-STREAM-INF:{bandwidth},CODECS="{audio.codecs}"', f"{audio.name}/index.m3u8{query}"]
    return PlaylistBody(_text(lines))


def _start_first(variants: Sequence[VariantView]) -> list[VariantView]:
    if not variants:
        return []
    everywhere = [variant for variant in variants if variant.codecs.startswith("avc1.")] or variants
    active = [variant for variant in everywhere if variant.is_active] or everywhere
    first = min(active, key=lambda variant: abs(math.log(max(1, variant.bandwidth_bps) / FIRST_VARIANT_BPS)))
    return [first, *(variant for variant in variants if variant is not first)]


def _variant(variant: VariantView, audio: AudioView | None, query: str) -> list[str]:
    codecs = variant.codecs if audio is None else f"{variant.codecs},{audio.codecs}"
    group = "" if audio is None else f',AUDIO="{AUDIO_GROUP}"'
    return [
        f"#EXT-X-STREAM-INF:BANDWIDTH={variant.bandwidth_bps},AVERAGE-BANDWIDTH={variant.average_bandwidth_bps},"
        f'CODECS="{codecs}",RESOLUTION={variant.width}x{variant.height},'
        # Otherwise Shaka looks for captions, also in the segment that is not complete, and fails there.
        f"FRAME-RATE={float(variant.frame_rate):.3f}{group},CLOSED-CAPTIONS=NONE",
        f"{variant.name}/index.m3u8{query}",
    ]


def _keyframes(variant: VariantView) -> str:
    """List the I-frame playlist of a rung: no segment has a higher rate than the one with the keyframe alone."""
    return (
        f"#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={variant.bandwidth_bps},"
        f'CODECS="{variant.codecs}",RESOLUTION={variant.width}x{variant.height},'
        f'URI="{variant.name}/{KEYFRAMES}"'
    )


def render_media(
    view: RenditionView, config: HlsConfig, *, skip: bool = False, start: Start | None = None
) -> PlaylistBody:
    """Render a media playlist.

    Args:
        view: the rendition.
        config: the constants of every playlist.
        skip: whether old segments may be left out (a delta update, 6.2.5.1).
        start: where players begin, None where they like.
    """
    head = _head(view, config)
    if start is not None and (line := start_line(start, view)) is not None:
        head.append(line)
    if not skip:
        past, generation = _PAST.render(view.past)
        lines = _Recent(view.segments, config, view.is_ended).lines(0, generation)
        return PlaylistBody(_text(head), past, _text([*lines, *_tail(view)]))
    newest = _newest(view, config.skip_boundary_s)
    recent = _Recent(newest, config, view.is_ended)
    before = sum(len(past.segments) for past in view.past) + len(view.segments) - len(newest)
    if before + recent.skippable:
        head.append(f"#EXT-X-SKIP:SKIPPED-SEGMENTS={before + recent.skippable}")
    return PlaylistBody(_text(head), tail=_text([*recent.lines(recent.skippable, None), *_tail(view)]))


def _newest(view: RenditionView, length_s: float) -> Sequence[SegmentView]:
    """Return segments up to the end that are at least so long, if there are so many."""
    newest = deque(view.segments)
    length_s -= sum(segment.duration_s for segment in newest)
    for past in reversed(view.past):
        for segment in reversed(past.segments):
            if length_s <= 0:
                return tuple(newest)
            newest.appendleft(segment)
            length_s -= segment.duration_s
    return tuple(newest)


def _head(view: RenditionView, config: HlsConfig) -> list[str]:
    target_s, part_s = config.target_duration_s, config.part_s
    return [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{target_s}",
        f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={3 * part_s:.5f},"
        f"HOLD-BACK={3 * target_s:.1f},CAN-SKIP-UNTIL={config.skip_boundary_s:.1f}",
        f"#EXT-X-PART-INF:PART-TARGET={part_s:.5f}",
        f"#EXT-X-MEDIA-SEQUENCE:{view.media_sequence}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{view.discontinuity_sequence}",
        "#EXT-X-INDEPENDENT-SEGMENTS",
    ]


class _Recent:
    """The newest segments, with their parts as far as they are listed.

    Where live has ended none are: they are for who follows it closely, and hls.js never ends what has parts when
    sound goes on for a frame longer than pictures.
    """

    def __init__(self, segments: Sequence[SegmentView], config: HlsConfig, is_ended: bool) -> None:
        self._segments = segments
        self._is_ended = is_ended
        self._lengths = [segment.duration_s for segment in segments]
        self._length_s = sum(self._lengths)
        self._parts_from_s = self._length_s - PARTS_KEPT_TARGETS * config.target_duration_s
        self._boundary_s = self._length_s - config.skip_boundary_s

    @property
    def skippable(self) -> int:
        """How many of them lie wholly before the skip boundary."""
        end_s, count = 0.0, 0
        for segment, length in zip(self._segments, self._lengths, strict=True):
            end_s += length
            if end_s > self._boundary_s or not segment.is_complete:
                break
            count += 1
        return count

    def lines(self, skipped: int, generation: int | None) -> Iterator[str]:
        """Render what is not skipped, behind a segment of this generation."""
        end_s = sum(self._lengths[:skipped])
        for segment, length_s in zip(self._segments[skipped:], self._lengths[skipped:], strict=True):
            end_s += length_s
            is_listed = not self._is_ended and (end_s >= self._parts_from_s or not segment.is_complete)
            parts = list(_parts(segment)) if is_listed else ()
            yield from segment_lines(segment, generation, parts)
            generation = segment.generation if segment.has_init else generation


def _parts(segment: SegmentView) -> Iterator[str]:
    name = f"{segment.generation}-{segment.msn}"
    for index, part in enumerate(segment.parts):
        flags = ",INDEPENDENT=YES" if part.is_independent else ""
        flags += ",GAP=YES" if part.is_gap else ""
        yield f'#EXT-X-PART:DURATION={part.duration_s:.6f},URI="{name}.{index}.m4s"{flags}'


def _tail(view: RenditionView) -> Iterator[str]:
    if view.is_ended:
        yield "#EXT-X-ENDLIST"
        return
    if view.hint is not None:
        hint = view.hint
        yield f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{hint.generation}-{hint.msn}.{hint.part}.m4s"'
    for report in view.reports:
        yield (
            f'#EXT-X-RENDITION-REPORT:URI="../{report.name}/index.m3u8",'
            f"LAST-MSN={report.last_msn},LAST-PART={report.last_part}"
        )


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
