"""What the owner of a stream is told about its ingest: the shape of `GET /api/v1/streams/{id}/health`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field


class VideoHealth(BaseModel):
    """The video as the encoder sends it."""

    codec: str = Field(description="`h264`, `hevc`, `av1` or `vp9`.")
    codec_string: str = Field(description="RFC 6381, such as `avc1.64001f`: codec, profile and level.")
    width: int = Field(description="Pixels.")
    height: int = Field(description="Pixels.")
    frame_rate: float | None = Field(None, description="Frames a second as declared; null when it is not.")
    bit_depth: int = Field(description="Bits of a sample: 8 or more.")
    announced_bitrate_bps: int | None = Field(None, description="What the encoder meant to send.")


class AudioHealth(BaseModel):
    """The sound as the encoder sends it."""

    codec: str = Field(description="`aac`, `opus`, `flac`, `mp3`, `ac3` or `eac3`.")
    codec_string: str = Field(description="RFC 6381, such as `mp4a.40.2`.")
    sample_rate: int = Field(description="Hz.")
    channels: int = Field(description="How many.")
    announced_bitrate_bps: int | None = Field(None, description="What the encoder meant to send.")
    loudness_lufs: float | None = Field(
        None,
        description="Short-term loudness (3 s, EBU R 128, as stereo) of the newest piece that was measured: "
        "one every 18 s.",
    )
    momentary_lufs: float | None = Field(None, description="The loudest 0.4 s in it.")
    integrated_lufs: float | None = Field(
        None, description="Gated loudness of all pieces since the encoder connected."
    )
    peak_dbfs: float | None = Field(
        None, description="The highest sample in the newest piece; above 0 it clips where it is played."
    )


class TranscodeHealth(BaseModel):
    """How the codec worker does."""

    speed: float | None = Field(
        default=None,
        description="Media time encoded in a second; below 1 it falls behind. Null when nothing is encoded.",
    )
    lag_s: float | None = Field(default=None, description="How far encoded rungs are behind the source.")
    cost: float | None = Field(
        default=None, description="Processor cores that decoding and the encoders take; null while unknown."
    )
    restarts: int = Field(default=0, description="Workers that had to be replaced.")
    skipped_gops: int = Field(
        default=0, description="Groups of pictures given up, since they ended a worker twice."
    )
    encoders_failed: list[str] = Field(
        default_factory=list,
        description="Hardware encoders that were given up in this broadcast, and why; x264 goes on in their place.",
    )


class RungHealth(BaseModel):
    """What a rung is made of at the moment."""

    name: str = Field(description="`2160p` … `144p`, or a copied twin such as `1080p-hevc`.")
    kind: Literal["copied", "encoded", "dormant", "shed", "idle", "slate"] = Field(
        description="The source's own bits; encoded; made once somebody watches; left out until the machine has time "
        "again; nothing can fill it; the slate of a lost encoder."
    )
    width: int = Field(description="Pixels.")
    height: int = Field(description="Pixels.")
    quality_db: float | None = Field(
        None,
        description="PSNR of brightness over the last seconds, against what was encoded: 35 shows flaws, 40 and more "
        "few of them. Null when the rung is not encoded at the moment, or its encoder does not measure.",
    )
    preset: str | None = Field(default=None, description="How it is encoded; null while it is not.")
    cost: float | None = Field(
        default=None, description="Processor cores that its encoder takes; null while unknown."
    )


class RewindHealth(BaseModel):
    """How far viewers can rewind."""

    available_s: float = Field(description="From the newest picture back, at present.")
    disk_bytes: int = Field(description="What that takes on disk, all qualities together.")


class LastError(BaseModel):
    """Why an encoder was turned away or lost."""

    at: datetime = Field(description="When.")
    message: str = Field(description="A sentence; an encoder that could still be told was told the same.")


class StreamHealthAnswer(BaseModel):
    """The ingest of a stream, measured over the last seconds; null is what is not known (yet)."""

    connected: bool = Field(description="Whether an encoder is there.")
    encoder: str | None = Field(None, description="What it calls itself.")
    peer: str | None = Field(None, description="Its address, `host:port`.")
    since: datetime | None = Field(None, description="When it connected.")
    bitrate_bps: int | None = Field(None, description="All that arrives.")
    video_bitrate_bps: int | None = Field(None, description="Of the video.")
    audio_bitrate_bps: int | None = Field(None, description="Of the sound.")
    fps: float | None = Field(None, description="Frames that arrive in a second.")
    keyframe_interval_s: float | None = Field(None, description="Between the last two keyframes.")
    max_keyframe_interval_s: float | None = Field(None, description="The longest since it connected.")
    jitter_ms: float | None = Field(
        None, description="How irregularly frames arrive, against their own times (as RFC 3550, 6.4.1)."
    )
    idle_s: float | None = Field(None, description="Since the last packet.")
    dropped_frames: int = Field(0, description="That this server had no time for.")
    repaired_timestamps: int = Field(0, description="That stood still or went back.")
    video: VideoHealth | None = Field(None, description="Null before the first keyframe.")
    audio: AudioHealth | None = Field(None, description="Null without sound.")
    transcode: TranscodeHealth = Field(default_factory=TranscodeHealth, description="The codec worker.")
    rungs: list[RungHealth] = Field(default_factory=list, description="The qualities, best first.")
    on_slate: bool = Field(False, description="Whether viewers see the slate of a lost encoder.")
    rewind: RewindHealth | None = Field(None, description="Null before the start.")
    warnings: list[str] = Field(
        default_factory=list, description="What is wrong, with the remedy, for people."
    )
    last_error: LastError | None = Field(
        None, description="Of this stream's ingest since the server started."
    )
