"""Which tracks does this source have? Decided from its packets, never from its metadata alone.

A run of a source begins with all its tracks, so the start waits a moment for the audio that nearly every source has,
and for the other renditions that some encoders send beside the main one; it never waits for long.
"""

from __future__ import annotations

from media.packet import CLOCK_HZ, AudioTrack, Packet, VideoTrack

from .plan import Tracks

AUDIO_WAIT = CLOCK_HZ
"""Media time, from the first keyframe on, in which audio has to show up to be part of the start. Encoders send
both within a few frames; one second keeps "publish to first part" below 1.5 s even for a silent source."""

VIDEO_WAIT = 2 * CLOCK_HZ
"""Media time of audio without any video after which a source counts as one of audio alone."""

TRACKS_WAIT = CLOCK_HZ // 2
"""Media time in which the other renditions that were announced have to show up."""

MAX_HELD = 600
"""Packets; what a source of 240 frames a second sends while it is waited for, with its audio, and room to spare. One
whose timestamps stand still is decided by this."""

MAX_HELD_BYTES = 64 << 20
"""Of packets; two seconds at the highest bitrate that RTMP lets in, and a keyframe of the largest size."""

MAX_TRACKS = 8
"""Video tracks of one source; there are eight qualities."""

NEARLY = CLOCK_HZ // 50
"""So much earlier than the main one a companion's first keyframe may lie: rounding, not another picture."""


class Intake:
    """Holds a source's first packets until its tracks are known.

    Feed packets to `receive` until `is_decided`; `release` then hands back everything from the first keyframe on.

    Args:
        audio: the track that the source is known to have.
        tracks: video tracks that it is known to have; None when nobody knows: then the second frame of one tells, since
            muxers send the first frames of all tracks before it.
        needs_video: whether a source of audio alone is of no use.
    """

    def __init__(
        self, audio: AudioTrack | None = None, *, tracks: int | None = None, needs_video: bool = False
    ) -> None:
        self.audio = audio
        self.tracks = tracks
        self._seen = tracks or 1
        self.has_seen_audio = False
        """Whether audio has come, be it alone."""
        self._needs_video = needs_video
        self._has_seen_video = False
        self._held: list[Packet] = []
        self._held_bytes = 0
        self._keyframes: dict[int, Packet] = {}  # the first one of each video track
        self._newest = 0
        self._has_second_frame = False

    @property
    def is_decided(self) -> bool:
        """Whether the tracks are known."""
        if not self._held:
            return False
        if len(self._held) >= MAX_HELD or self._held_bytes >= MAX_HELD_BYTES:
            return True
        if not self._keyframes:
            return self._span() >= VIDEO_WAIT  # nothing is held before a keyframe but audio that is alone
        return self._has_all_tracks() and (self.audio is not None or self._span() >= AUDIO_WAIT)

    @property
    def waited(self) -> int:
        """Media time since the first packet that is held, in ticks."""
        return min(VIDEO_WAIT, self._span())

    def receive(self, packet: Packet) -> None:
        """Take a packet; those before the first keyframe are only looked at, unless there is no video at all."""
        if packet.is_video:
            self._receive_video(packet)
        elif isinstance(packet.track, AudioTrack) and not packet.track_id:
            self._receive_audio(packet, packet.track)

    def release(self) -> tuple[Tracks, list[Packet]]:
        """Hand over the tracks and the held packets in their order; the first one is a keyframe of the main video."""
        held, self._held = self._held, []
        videos = {number: packet.track for number, packet in self._keyframes.items()}
        sizes = {number: _pixels(track) for number, track in videos.items() if isinstance(track, VideoTrack)}
        if not sizes:
            return Tracks(None, self.audio), held
        main = max(sizes, key=lambda number: (sizes[number], -number))
        first = self._keyframes[main]
        companions = {number: track for number, track in videos.items() if number != main}
        tracks = Tracks(first.track, self.audio, companions, main, self._seen)  # type: ignore[arg-type]  # all are of video
        late = [
            item
            for item in held
            if item is not first and (not item.is_video or item.dts >= first.dts - NEARLY)
        ]
        return tracks, [first, *late]

    def _has_all_tracks(self) -> bool:
        if self.tracks is None:
            return self._has_second_frame
        return len(self._keyframes) >= self.tracks or self._span() >= TRACKS_WAIT

    def _receive_video(self, packet: Packet) -> None:
        if not self._has_seen_video:
            self._has_seen_video = True
            self._drop_held()
        if packet.track_id not in self._keyframes:
            if not packet.is_keyframe or len(self._keyframes) >= MAX_TRACKS:
                return
            self._keyframes[packet.track_id] = packet
        else:
            self._has_second_frame = True
        self._hold(packet)

    def _receive_audio(self, packet: Packet, track: AudioTrack) -> None:
        is_alone = not self._has_seen_video and not self._needs_video
        if is_alone and track != self.audio:
            self._drop_held()  # a run of audio alone has one track, and begins with it
        self.audio = track
        self.has_seen_audio = True
        if self._keyframes or is_alone:
            self._hold(packet)

    def _drop_held(self) -> None:
        self._held.clear()
        self._held_bytes = 0

    def _hold(self, packet: Packet) -> None:
        self._held.append(packet)
        self._held_bytes += len(packet.data)
        if packet.is_video or not self._keyframes:
            self._newest = packet.dts

    def _span(self) -> int:
        first = next((item for item in self._held if item.is_video or not self._keyframes), None)
        return abs(self._newest - first.dts) if first is not None else 0


def _pixels(track: VideoTrack) -> int:
    return track.width * track.height
