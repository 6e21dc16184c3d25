"""From a worker's messages to the sink: only what is wanted, never twice, gaps said in their order."""

from __future__ import annotations

from media.aac import STEREO_48K
from media.h264 import h264_track
from media.opus import opus_track
from media.packet import AudioTrack, Packet, VideoTrack
from transcode.gap import Gap
from transcode.message import EncodedAudio, EncodedFrame, Frames, RungOpened
from transcode.port import TranscoderSink
from transcode.wanted import Wanted

AUDIO_TRACKS: dict[str, AudioTrack] = {"aac": STEREO_48K, "opus": opus_track(2)}
"""What `transcode.audio` makes, always: AAC-LC 48 kHz stereo, and Opus stereo."""


class Delivery:
    """Hands encoded media to the sink.

    Args:
        sink: takes it.
        wanted: says what is wanted, and is told what has come.
    """

    def __init__(self, sink: TranscoderSink, wanted: Wanted) -> None:
        self._sink = sink
        self._wanted = wanted
        self._tracks: dict[str, VideoTrack] = {}  # those that the sink knows
        self._opening: dict[str, VideoTrack] = {}  # those of the frames that come next
        self._last: dict[str, int] = {}  # pts of the newest frame of each rung
        self.gap = Gap()

    def open_rung(self, message: RungOpened) -> None:
        """Tell of a rung's parameter sets; of another set only with the first frame that needs it.

        A worker may die between the two, and its successor goes on with the frames before.
        """
        if message.rung not in self._wanted.rungs:
            return
        self._opening[message.rung] = h264_track(message.config)
        if message.rung not in self._tracks:
            self._announce(message.rung, self._wanted.start_of(message.rung))

    def close_rung(self, rung: str) -> None:
        """Forget a rung: when it comes back, the sink is told again."""
        self._tracks.pop(rung, None)
        self._opening.pop(rung, None)
        self._last.pop(rung, None)

    def open_audio(self, output: str) -> None:
        """Tell of an audio output's configuration, which is constant."""
        self._sink.on_audio_opened(output, AUDIO_TRACKS[output])

    def deliver_frames(self, message: Frames) -> None:
        """Hand over the rungs of one source frame."""
        pts = message.pts
        taken = [
            frame
            for frame in message.frames
            if frame.rung in self._tracks and self._wanted.take_frame(frame.rung, pts, frame.is_keyframe)
        ]
        frames = {frame.rung: self._packet(frame, pts) for frame in taken}
        self._wanted.forget_keyframes(pts)
        if frames:
            self._sink.on_video(pts, frames)

    def _packet(self, frame: EncodedFrame, pts: int) -> Packet:
        """Make a packet. Another encoder may go on in the middle: its track holds from its first frame on."""
        rung = frame.rung
        start = self._wanted.start_of(rung)
        begins = self._last.get(rung, start - 1) < start
        if frame.config:
            self._opening[rung] = h264_track(frame.config)
        self._announce(rung, start if begins else pts)
        self._last[rung] = pts
        return Packet(self._tracks[rung], pts, pts, frame.data, frame.is_keyframe)

    def _announce(self, rung: str, from_pts: int) -> None:
        track = self._opening.pop(rung, None)
        if track is not None and track != self._tracks.get(rung):
            self._tracks[rung] = track
            self._sink.on_rung_opened(rung, track, from_pts)

    def deliver_audio(self, message: EncodedAudio) -> None:
        """Hand over an audio packet."""
        if self._wanted.take_audio(message):
            track = AUDIO_TRACKS[message.output]
            packet = Packet(track, message.pts, message.pts, message.data, is_keyframe=True)
            self._sink.on_audio(message.output, packet)

    def extend_gap(self, until_pts: int | None, *, is_open: bool) -> None:
        """Say that frames are lost, now or when those before them are there; None: none are."""
        if until_pts is None or not self._wanted.rungs:
            return
        self.gap.extend(until_pts, is_open=is_open)
        if self.gap.is_known:
            self._sink.on_gap(self._wanted.rungs, self.gap.until_pts)
