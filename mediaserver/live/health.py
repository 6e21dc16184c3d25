"""How an encoder's signal arrives: figures, and what is wrong in words with the remedy.

Measured before anything is repaired, on the encoder's own timestamps. Pure: `now` is an argument.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from media.packet import CLOCK_HZ, AudioTrack, Packet, VideoTrack

from .advice import about_arrival, about_bitrate, about_frames, about_keyframes
from .pace import Cadence, Jitter, Rates, RateWindow

SETTLED_S = 6.0
"""Nothing is said about rates before: encoders begin with what has piled up while they connected."""

MISSING_S = 2.0
"""Audio or video of which nothing has come for so long is missing; encoders interleave within a second."""

RECENT_S = 30.0
"""How long a single event is spoken of."""

MAX_EXTRA_TRACKS = 16
"""Of which the numbers are kept: nobody sends more."""


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """The video as it is declared; see `media.packet.VideoTrack`."""

    codec: str
    codec_string: str
    width: int
    height: int
    frame_rate: float | None
    bit_depth: int
    announced_bitrate_bps: int | None


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """The sound as it is declared; see `media.packet.AudioTrack`."""

    codec: str
    codec_string: str
    sample_rate: int
    channels: int
    announced_bitrate_bps: int | None
    loudness_lufs: float | None = None
    """Of a few seconds now and then; see `loudness`, also for the others."""
    momentary_lufs: float | None = None
    integrated_lufs: float | None = None
    peak_dbfs: float | None = None


@dataclass(frozen=True, slots=True)
class HealthReport:
    """An encoder's signal at a moment; `dataclasses.asdict` makes it fit for JSON. None is not known (yet)."""

    bitrate_bps: int | None
    """All tracks together."""
    video_bitrate_bps: int | None
    audio_bitrate_bps: int | None
    fps: float | None
    keyframe_interval_s: float | None
    max_keyframe_interval_s: float | None
    jitter_ms: float | None
    idle_s: float | None
    """Since the last packet."""
    dropped_frames: int
    repaired_timestamps: int
    video: VideoFacts | None
    audio: AudioFacts | None
    warnings: tuple[str, ...]


class IngestHealth:
    """Looks at every packet of one publisher.

    Args:
        now: seconds on the clock of all other calls, which never goes back.
    """

    def __init__(self, now: float) -> None:
        self._now = now
        self._first: float | None = None
        self._window = RateWindow(now)
        self._jitter = Jitter()
        self._cadence = Cadence()
        self._video: VideoTrack | None = None
        self._audio: AudioTrack | None = None
        self._video_at = self._audio_at = now
        self._extra_audio: set[int] = set()
        self._dropped = self._repaired = 0
        self._dropped_at = self._repaired_at = float("-inf")

    def receive(self, packet: Packet, now: float) -> None:
        """Take note of a packet as it came, before its times are changed."""
        if self._first is None:
            # The time without media before says nothing about rates.
            self._first = self._video_at = self._audio_at = now
            self._window = RateWindow(now)
        self._now = now
        size, bucket = len(packet.data), self._window.bucket(now)
        bucket.total += size
        if isinstance(packet.track, AudioTrack):
            if packet.track_id:
                self._note_extra(packet.track_id)
                return
            bucket.audio += size
            self._audio, self._audio_at = packet.track, now
            if self._video is None:
                self._jitter.receive(packet.dts, now, bucket)
        elif not packet.track_id:
            bucket.video += size
            bucket.frames += 1
            bucket.ticks += self._cadence.receive(packet.dts, is_keyframe=packet.is_keyframe)
            self._video, self._video_at = packet.track, now
            self._jitter.receive(packet.dts, now, bucket)

    def note_repaired(self) -> None:
        """Take note that a timestamp of the newest packet had to be changed."""
        self._repaired += 1
        self._repaired_at = self._now

    def note_dropped(self, count: int) -> None:
        """Take note that frames were dropped, since this server could not take them in time."""
        self._dropped += count
        self._dropped_at = self._now

    def keyframes(self) -> tuple[int, int]:
        """Tell how far apart keyframes were at most, and of how much media that is known, in ticks."""
        longest = max(self._cadence.longest_keyframe_interval or 0, self._cadence.since_keyframe)
        return longest, self._cadence.grouped

    def report(self, now: float) -> HealthReport:
        """Sum up what is known at `now`."""
        rates = self._window.rates(now) if self._first is not None else None
        return HealthReport(
            bitrate_bps=rates.total_bps if rates is not None else None,
            video_bitrate_bps=rates.video_bps if rates is not None else None,
            audio_bitrate_bps=rates.audio_bps if rates is not None else None,
            fps=round(rates.fps, 1) if rates is not None and self._video is not None else None,
            keyframe_interval_s=_seconds(self._cadence.keyframe_interval),
            max_keyframe_interval_s=_seconds(self._cadence.longest_keyframe_interval),
            jitter_ms=round(1000 * self._jitter.seconds, 1) if rates is not None else None,
            idle_s=round(now - self._now, 2) if self._first is not None else None,
            dropped_frames=self._dropped,
            repaired_timestamps=self._repaired,
            video=_video_facts(self._video) if self._video is not None else None,
            audio=_audio_facts(self._audio) if self._audio is not None else None,
            warnings=tuple(self._warnings(rates, now)),
        )

    def _note_extra(self, track_id: int) -> None:
        if len(self._extra_audio) < MAX_EXTRA_TRACKS:
            self._extra_audio.add(track_id)

    def _warnings(self, rates: Rates | None, now: float) -> Iterator[str]:
        if self._first is None:
            return
        if now - self._now > MISSING_S:
            yield (
                f"Nothing has arrived for {now - self._now:.0f} s: look whether the encoder still sends, "
                "and at its connection."
            )
            return
        yield from self._missing(now)
        yield from about_keyframes(self._cadence)
        has_video = now - self._video_at <= MISSING_S
        if rates is not None and self._video is not None and has_video and now - self._first >= SETTLED_S:
            yield from about_frames(self._video, rates, self._cadence)
            yield from about_bitrate(self._video, rates)
            yield from about_arrival(rates)
        yield from self._events(now)

    def _missing(self, now: float) -> Iterator[str]:
        if now - self._video_at > MISSING_S:
            yield "Only audio arrives: viewers see no picture. Look at the encoder's video source."
        if now - self._audio_at > MISSING_S:
            yield (
                "No audio arrives: viewers hear silence. Choose an audio track "
                "(OBS → Settings → Output → Streaming → Audio Track)."
            )
        if self._extra_audio:
            count = len(self._extra_audio)
            tracks = (
                "1 more audio track arrives and is"
                if count == 1
                else f"{count} more audio tracks arrive and are"
            )
            yield f"{tracks} ignored: viewers hear the first one. Send only that to save upload."

    def _events(self, now: float) -> Iterator[str]:
        if now - self._repaired_at < RECENT_S:
            times = "once" if self._repaired == 1 else f"{self._repaired} times"
            yield (
                f"The encoder's timestamps stand still or go back, {times} so far; they are repaired. "
                "Restart the encoder; if that is no help, update it."
            )
        if now - self._dropped_at < RECENT_S:
            yield (
                f"{self._dropped} frames were dropped, since they came faster than this server could take them. "
                "Lower the bitrate or the resolution."
            )


def _seconds(ticks: int | None) -> float | None:
    return round(ticks / CLOCK_HZ, 2) if ticks is not None else None


def _video_facts(track: VideoTrack) -> VideoFacts:
    return VideoFacts(
        track.codec,
        track.codec_string,
        track.width,
        track.height,
        round(float(track.frame_rate), 3) if track.frame_rate is not None else None,
        track.bit_depth,
        track.bitrate_bps,
    )


def _audio_facts(track: AudioTrack) -> AudioFacts:
    return AudioFacts(track.codec, track.codec_string, track.sample_rate, track.channels, track.bitrate_bps)
