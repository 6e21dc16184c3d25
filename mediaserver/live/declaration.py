"""Which renditions a broadcast gets: said once, at its first keyframe, and kept to its end."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from hls.output import HlsOutput
from hls.writer import VideoWriter
from media.aac import STEREO_48K
from media.packet import AudioTrack, VideoTrack
from media.rendition import LADDER, Rendition, renditions_for, source_name
from transcode.rung import codec_string, peak_bitrate_bps, rung_spec

from .sound import Sound, suits_copy

AUDIO_BITRATE_BPS = 160_000
"""Counted into each rung's BANDWIDTH: what encoders send and our own encoder makes, rounded up."""

COPY_HEADROOM = Fraction(5, 4)
"""BANDWIDTH of a copied rung over its announced rate: encoders hold a rate over seconds, not over a segment."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """What the multivariant playlist lists, with what fills it; empty before the first keyframe."""

    renditions: Sequence[Rendition] = ()
    writers: Mapping[str, VideoWriter] = field(default_factory=dict)
    sound: Sound | None = None

    @property
    def names(self) -> list[str]:
        """The video rungs, best first."""
        return [rendition.name for rendition in self.renditions]

    @property
    def own(self) -> Rendition | None:
        """The source's own rung, where there is one."""
        return next((rendition for rendition in self.renditions if rendition.is_source), None)

    def can_copy(self, video: VideoTrack) -> bool:
        """Tell whether the source's own rung can carry this source as it is: a smaller one, but no larger one."""
        if self.own is None or not suits_copy_video(video):
            return False
        return LADDER.index(source_name(video.width, video.height)) >= LADDER.index(self.own.name)


def suits_copy_video(track: VideoTrack) -> bool:
    """Tell whether every player decodes this source as it is: H.264, 8 bits, 4:2:0."""
    return track.codec == "h264" and track.bit_depth == 8 and track.chroma_format_idc == 1


def declare(
    output: HlsOutput,
    video: VideoTrack,
    audio: AudioTrack | None,
    *,
    quality: str,
    wanted: Collection[str] | None,
) -> Declaration:
    """Declare the renditions of a source.

    Args:
        output: where they are published.
        video: the source's video.
        audio: the source's audio, None for silence.
        quality: the best rung.
        wanted: the rungs to make at all, None for all. A source that would get none gets its best.
    """
    rungs = renditions_for(video.width, video.height, video.sample_aspect_ratio, quality)
    if wanted is not None:
        rungs = [rung for rung in rungs if rung.name in wanted] or rungs[:1]
    writers = {rung.name: _declare_rung(output, rung, video) for rung in rungs}
    track = audio if audio is not None and suits_copy(audio) else STEREO_48K
    return Declaration(rungs, writers, Sound(output.add_audio(track)))


def _declare_rung(output: HlsOutput, rung: Rendition, video: VideoTrack) -> VideoWriter:
    spec = rung_spec(rung, video.frame_rate)
    bandwidth = peak_bitrate_bps(spec, output.config.segment_s)
    codecs = codec_string(spec)
    if rung.is_source and suits_copy_video(video):
        codecs = video.codec_string
        if video.bitrate_bps is not None:
            bandwidth = int(video.bitrate_bps * COPY_HEADROOM)
    return output.add_video(
        rung.name,
        width=rung.width,
        height=rung.height,
        frame_rate=spec.frame_rate,
        codec_string=codecs,
        bandwidth_bps=bandwidth + AUDIO_BITRATE_BPS,
    )
