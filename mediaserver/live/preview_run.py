"""One unbroken run of a source in a preview: its main video and its sound as they come, on a timeline of their own."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hls.output import HlsOutput
from hls.reader import AUDIO_BANDWIDTH_BPS
from hls.writer import Sample, VideoWriter
from media.aac import STEREO_48K
from media.packet import CLOCK_HZ, AudioTrack, Packet, VideoTrack
from transcode.rung import DEFAULT_FRAME_RATE, MAX_FRAME_RATE

from .clock import SourceClock
from .declaration import COPY_HEADROOM
from .plan import Tracks, suits_copy_video, suits_twin
from .sound import Sound, suits_copy

SOURCE = "source"
"""Name of the only rung. No quality's name: it stays the same when a source of another size takes over."""

PLANNED_BPS = 6_000_000
"""What newcomers are told of a source that says nothing, until it has been measured: OBS's own preset for 1080p."""

MAX_FRAME = CLOCK_HZ
"""So much room a frame is left at the end of a segment."""


def suits_preview(video: VideoTrack) -> bool:
    """Tell whether a source can be shown as it is, if not by every player: nothing is encoded for a preview."""
    return suits_copy_video(video) or suits_twin(video)


class PreviewRenditions:
    """What a preview publishes: one rung and one audio rendition, whatever runs come.

    Args:
        output: the HLS side.
    """

    def __init__(self, output: HlsOutput) -> None:
        self.output = output
        self._writer: VideoWriter | None = None
        self._sound: Sound | None = None

    def begin(
        self, video: VideoTrack, audio: AudioTrack | None, at: int, lead: int
    ) -> tuple[VideoWriter, Sound]:
        """Begin a run at `at`, where a segment begins.

        Args:
            video: its track.
            audio: its track, None for silence.
            at: in ticks.
            lead: ticks by which decoding runs ahead of presentation.
        """
        if self._sound is None:
            self._sound = Sound(self.output.add_audio(audio or STEREO_48K))
        if self._writer is None:
            self._writer = self.output.add_video(
                SOURCE,
                width=video.width,
                height=video.height,
                frame_rate=_frame_rate(video),
                codec_string=video.codec_string,
                bandwidth_bps=_bandwidth_bps(video),
            )
        self.output.redeclare(SOURCE, frame_rate=_frame_rate(video), bandwidth_bps=_bandwidth_bps(video))
        self._writer.set_track(video, at, lead)
        self._sound.begin(audio, at)
        return self._writer, self._sound


class PreviewRun:
    """A run of a source that suits.

    Args:
        renditions: where it is published.
        video: the main track, the only one that is shown.
        tracks: what the source brings.
        first: its first packet, a keyframe of the main track.
        at: where the run begins on the timeline, in ticks.
        now: seconds since the epoch when that packet came.
    """

    def __init__(
        self,
        renditions: PreviewRenditions,
        video: VideoTrack,
        tracks: Tracks,
        first: Packet,
        *,
        at: int,
        now: float,
    ) -> None:
        self.audio = tracks.audio
        self._video = video
        self._track_id = tracks.main_id
        self._timeline = renditions.output.timeline
        self._clock = SourceClock(at, first)
        self._has_changed_sound = False
        self._timeline.begin(at, now)
        sound = tracks.audio if tracks.audio is not None and suits_copy(tracks.audio) else None
        self.is_mute = tracks.audio is not None and sound is None
        """Whether there is sound that cannot be shown as it is."""
        self._writer, self._sound = renditions.begin(video, sound, at, self._clock.lead)

    def receive(self, packet: Packet) -> bool:
        """Take a packet; False when another run has to begin with it, or with the next keyframe.

        Raises:
            PeerError: the source's timestamps stand still.
        """
        if not packet.is_video:
            self._receive_audio(packet)
        elif packet.track_id == self._track_id:
            if self._is_over(packet):
                return False
            self._receive_video(packet)
        return True

    def end(self) -> None:
        """Close the open segment: the source has gone, or changes."""
        at = self._clock.end
        self._timeline.end_segment(at)
        self._writer.advance(at)
        self._sound.end_run(at)

    def _is_over(self, packet: Packet) -> bool:
        if packet.track != self._video or self._clock.is_jump(packet):
            return True
        return self._has_changed_sound if packet.is_keyframe else self._is_overdue()

    def _is_overdue(self) -> bool:
        """Tell whether the segment would be too long with another frame: keyframes are too far apart."""
        segment, limit = self._timeline.open_segment, self._timeline.target_duration - MAX_FRAME
        return segment is not None and self._clock.end - segment.start > limit

    def _receive_video(self, packet: Packet) -> None:
        times = self._clock.video(packet)
        self._timeline.advance(times.dts, packet.is_keyframe)
        self._writer.add(Sample(times.dts, times.pts, packet.data, packet.is_keyframe))
        self._writer.advance(self._timeline.frontier)
        self._sound.advance(self._timeline.position)

    def _receive_audio(self, packet: Packet) -> None:
        if packet.track_id:
            return
        if isinstance(packet.track, AudioTrack) and packet.track != self.audio:
            # A new init segment needs a discontinuity on both renditions: it waits for the next keyframe.
            self.audio = packet.track
            self._has_changed_sound = True
        times = self._clock.audio(packet)
        if times is not None:
            self._sound.receive(replace(packet, dts=times.dts, pts=times.pts))
            self._sound.advance(self._timeline.position)


def _frame_rate(video: VideoTrack) -> Fraction:
    return min(video.frame_rate or DEFAULT_FRAME_RATE, MAX_FRAME_RATE)


def _bandwidth_bps(video: VideoTrack) -> int:
    planned = PLANNED_BPS if video.bitrate_bps is None else int(video.bitrate_bps * COPY_HEADROOM)
    return planned + AUDIO_BANDWIDTH_BPS
