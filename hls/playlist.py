"""Playlists as text: pure functions of what delivery sees (draft-pantos-hls-rfc8216bis-22)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from .config import HlsConfig
from .view import AudioView, MultivariantView, RenditionView, SegmentView, VariantView

VERSION = 9
"""EXT-X-SKIP needs 9 (section 8)."""

AUDIO_GROUP = "audio"

FIRST_VARIANT_BPS = 2_000_000
"""The variant nearest to this is listed first, since players start there (HLS Authoring Specification). It is an H.264
one where there is one: players that know no other codec try the first all the same. It is one that is being made where
there is one: whoever arrives neither waits nor wakes another."""

PARTS_KEPT_TARGETS = 3
"""EXT-X-PART tags are removed when older than three target durations (4.4.4.9)."""


def render_multivariant(view: MultivariantView) -> str:
    """Render the multivariant playlist; URIs are relative."""
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    audio = view.audio
    if audio is not None and view.variants:
        lines.append(
            f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{AUDIO_GROUP}",NAME="Audio",LANGUAGE="und",DEFAULT=YES,'
            f'AUTOSELECT=YES,CHANNELS="{audio.channels}",URI="{audio.name}/index.m3u8"'
        )
    for variant in _start_first(view.variants):
        lines += _variant(variant, audio)
    if audio is not None and not view.variants:
        bandwidth = f"BANDWIDTH={audio.bandwidth_bps},AVERAGE-BANDWIDTH={audio.bandwidth_bps}"
        lines += [f'#EXT-X-STREAM-INF:{bandwidth},CODECS="{audio.codecs}"', f"{audio.name}/index.m3u8"]
    return "\n".join(lines) + "\n"


def _start_first(variants: Sequence[VariantView]) -> list[VariantView]:
    if not variants:
        return []
    everywhere = [variant for variant in variants if variant.codecs.startswith("avc1.")] or variants
    active = [variant for variant in everywhere if variant.is_active] or everywhere
    first = min(active, key=lambda variant: abs(math.log(max(1, variant.bandwidth_bps) / FIRST_VARIANT_BPS)))
    return [first, *(variant for variant in variants if variant is not first)]


def _variant(variant: VariantView, audio: AudioView | None) -> list[str]:
    codecs = variant.codecs if audio is None else f"{variant.codecs},{audio.codecs}"
    group = "" if audio is None else f',AUDIO="{AUDIO_GROUP}"'
    return [
        f"#EXT-X-STREAM-INF:BANDWIDTH={variant.bandwidth_bps},AVERAGE-BANDWIDTH={variant.average_bandwidth_bps},"
        f'CODECS="{codecs}",RESOLUTION={variant.width}x{variant.height},'
        # Otherwise Shaka looks for captions, also in the segment that is not complete, and fails there.
        f"FRAME-RATE={float(variant.frame_rate):.3f}{group},CLOSED-CAPTIONS=NONE",
        f"{variant.name}/index.m3u8",
    ]


def render_media(view: RenditionView, config: HlsConfig, *, skip: bool = False) -> str:
    """Render a media playlist.

    Args:
        view: the rendition.
        config: the constants of every playlist.
        skip: whether old segments may be left out (a delta update, 6.2.5.1).
    """
    lengths = [segment.duration_s for segment in view.segments]
    length_s = sum(lengths)
    skipped = _count_skippable(view, lengths, length_s - config.skip_boundary_s) if skip else 0
    lines = _head(view, config)
    if skipped:
        lines.append(f"#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")
    parts_from_s = length_s - PARTS_KEPT_TARGETS * config.target_duration_s
    generation = None
    end_s = sum(lengths[:skipped])
    for segment, segment_s in zip(view.segments[skipped:], lengths[skipped:], strict=True):
        end_s += segment_s
        has_new_init = segment.has_init and segment.generation != generation
        generation = segment.generation if has_new_init else generation
        lines += _segment(segment, segment_s, has_new_init=has_new_init, has_parts=end_s >= parts_from_s)
    lines += _tail(view)
    return "\n".join(lines) + "\n"


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


def _count_skippable(view: RenditionView, lengths: Sequence[float], boundary_s: float) -> int:
    """Count the segments that lie wholly before the skip boundary."""
    end_s, count = 0.0, 0
    for segment, length in zip(view.segments, lengths, strict=True):
        end_s += length
        if end_s > boundary_s or not segment.is_complete:
            break
        count += 1
    return count


def _segment(segment: SegmentView, length_s: float, *, has_new_init: bool, has_parts: bool) -> Iterator[str]:
    # What belongs to a segment stands before its first part (4.4.4.9).
    name = f"{segment.generation}-{segment.msn}"
    if not segment.parts:
        return
    if segment.is_discontinuity:
        yield "#EXT-X-DISCONTINUITY"
    if has_new_init:
        yield f'#EXT-X-MAP:URI="init-{segment.generation}.mp4"'
    yield f"#EXT-X-PROGRAM-DATE-TIME:{_date(segment.program_date_time)}"
    if segment.is_complete and segment.is_gap:
        yield "#EXT-X-GAP"
    if has_parts or not segment.is_complete:
        yield from _parts(segment, name)
    if segment.is_complete:
        yield f"#EXTINF:{length_s:.6f},"
        yield f"{name}.m4s"


def _parts(segment: SegmentView, name: str) -> Iterator[str]:
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


def _date(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    date = datetime.fromtimestamp(milliseconds // 1000, tz=UTC)
    return f"{date:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"
