"""What fills each rung of a broadcast during one run of a source. Pure.

A rung once listed lives on whatever comes: a smaller source is carried in the larger rungs as it is, a source whose
codec not every player takes is encoded and, beside that, copied into a rung of its own. When such a rung has nothing to
copy any more it is encoded as well: whoever plays the other codec plays H.264.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from media.packet import AudioTrack, VideoTrack
from media.rendition import SHORT_SIDE, TOLERANCE_PX, Rendition, renditions_for, scaled_size, source_name
from transcode.rung import RungSpec, rung_spec

TWIN_CODECS = ("hevc", "av1")
"""What players take in HLS besides H.264, though not all of them (HLS Authoring Specification, 1.2, 1.4); not VP9."""


@dataclass(frozen=True, slots=True)
class Tracks:
    """The tracks of one run of a source."""

    video: VideoTrack | None
    """The main one, None in a run of audio alone."""
    audio: AudioTrack | None = None
    companions: Mapping[int, VideoTrack] = field(default_factory=dict)
    """Other renditions that the streamer sends of the same picture, by track id (Enhanced RTMP, multitrack)."""
    main_id: int = 0
    """Track id of the main video."""
    seen: int = 1
    """How many video tracks had been seen before the run. Whatever of them is not in it has its keyframes elsewhere."""
    may_copy: bool = True
    """Whether keyframes are near enough to each other, as far as anybody knows, for the source to be copied."""


@dataclass(frozen=True, slots=True)
class Copy:
    """The rung carries the source's own bits."""

    track: VideoTrack
    companion: int | None = None
    """Id of the track when it is not the main one."""


@dataclass(frozen=True, slots=True)
class Encode:
    """The rung is encoded, at this size."""

    rendition: Rendition


Feed = Copy | Encode | None
"""None: there is no picture to fill the rung with."""


def suits_copy_video(track: VideoTrack) -> bool:
    """Tell whether every player decodes this source as it is: H.264, 8 bits, 4:2:0."""
    return track.codec == "h264" and track.bit_depth == 8 and track.chroma_format_idc == 1


def suits_twin(track: VideoTrack) -> bool:
    """Tell whether a source is worth a rung in its own codec: 4:2:0 of up to 10 bits, as main profiles have it."""
    return track.codec in TWIN_CODECS and track.chroma_format_idc == 1 and track.bit_depth <= 10


def renditions_of(video: VideoTrack, quality: str) -> list[Rendition]:
    """List the rungs that a source gets, best first, a copy in its own codec behind the encoded rung of its size."""
    rungs = []
    for rung in renditions_for(video.width, video.height, video.sample_aspect_ratio, quality):
        rungs.append(rung)
        if rung.is_source and suits_twin(video):
            rungs.append(rung.twin(video.codec))
    return rungs


def feed_of(rendition: Rendition, tracks: Tracks, *, may_copy: bool | None = None) -> Feed:
    """Say what fills a rung.

    Args:
        rendition: as it was declared.
        tracks: of the run, with a video.
        may_copy: whether the source may be copied, whatever is known of its keyframes; None for what is.
    """
    video = tracks.video
    if may_copy is None:
        may_copy = tracks.may_copy
    if video is None:
        return None
    fits = min(video.width, video.height) <= SHORT_SIDE[rendition.quality] + TOLERANCE_PX
    if rendition.codec != "h264":
        suits = suits_copy_video(video) or video.codec == rendition.codec
    else:
        suits = suits_copy_video(video)
        companion = _companion(rendition, tracks.companions) if may_copy else None
        if companion is not None:
            return Copy(tracks.companions[companion], companion)
    if may_copy and fits and suits:
        return Copy(video)
    return Encode(_carrying(rendition, video) if fits else rendition)


def spec_of(rendition: Rendition, video: VideoTrack) -> RungSpec:
    """Say how a rung is encoded for a source, a rung in another codec as the one of its quality."""
    plain = replace(rendition, name=rendition.quality)
    spec = rung_spec(plain, video.frame_rate, source_pixels=video.width * video.height)
    return replace(spec, name=rendition.name)


def _companion(rendition: Rendition, companions: Mapping[int, VideoTrack]) -> int | None:
    """Find the streamer's own rendition for a rung, the largest one of its name."""
    found = [
        (track.width * track.height, -number)
        for number, track in companions.items()
        if suits_copy_video(track) and source_name(track.width, track.height) == rendition.name
    ]
    return -max(found)[1] if found else None


def _carrying(rendition: Rendition, video: VideoTrack) -> Rendition:
    """Size a rung for a source that is not larger than it: nothing is upscaled."""
    short = min(video.width, video.height)
    width, height = scaled_size(video.width, video.height, video.sample_aspect_ratio, short)
    return replace(rendition, width=width, height=height)
