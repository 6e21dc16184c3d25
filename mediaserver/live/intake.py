"""Which tracks does this source have? Decided from its packets, never from its metadata.

A broadcast's renditions are declared once, at its first keyframe, so the start waits a moment for the audio
that nearly every source has; it never waits for long.
"""

from __future__ import annotations

from media.packet import CLOCK_HZ, AudioTrack, Packet, VideoTrack

AUDIO_WAIT = CLOCK_HZ
"""Media time, from the first keyframe on, in which audio has to show up to be part of the start. Encoders send
both within a few frames; one second keeps "publish to first part" below 1.5 s even for a silent source."""


class Intake:
    """Holds a source's first packets until its tracks are known.

    Feed packets to `receive` until `is_decided`; it then hands back everything from the first keyframe on.
    """

    def __init__(self, audio: AudioTrack | None = None) -> None:
        self.video: VideoTrack | None = None
        self.audio = audio
        self._held: list[Packet] = []
        self._newest = 0

    @property
    def is_decided(self) -> bool:
        """Whether the tracks are known."""
        if not self._held:
            return False
        return self.audio is not None or self._newest - self._held[0].dts >= AUDIO_WAIT

    def receive(self, packet: Packet) -> None:
        """Take a packet; those before the first keyframe are only looked at."""
        if isinstance(packet.track, AudioTrack):
            self.audio = packet.track
            if self._held:
                self._held.append(packet)
            return
        if not self._held and not packet.is_keyframe:
            return
        self.video = packet.track
        self._newest = packet.dts
        self._held.append(packet)

    def release(self) -> list[Packet]:
        """Hand over the held packets in their order; the first one is a video keyframe."""
        held, self._held = self._held, []
        return held
