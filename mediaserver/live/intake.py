"""Which tracks does this source have? Decided from its packets, never from its metadata.

A broadcast's renditions are declared once, at its first keyframe, so the start waits a moment for the audio
that nearly every source has; it never waits for long.
"""

from __future__ import annotations

from media.packet import CLOCK_HZ, AudioTrack, Packet

AUDIO_WAIT = CLOCK_HZ
"""Media time, from the first keyframe on, in which audio has to show up to be part of the start. Encoders send
both within a few frames; one second keeps "publish to first part" below 1.5 s even for a silent source."""

MAX_HELD = 600
"""Packets; what a source of 240 frames a second sends while it is waited for, with its audio, and room to spare. One
whose timestamps stand still is decided by this."""


class Intake:
    """Holds a source's first packets until its tracks are known.

    Feed packets to `receive` until `is_decided`; it then hands back everything from the first keyframe on.
    """

    def __init__(self, audio: AudioTrack | None = None) -> None:
        self.audio = audio
        self.has_seen_audio = False
        """Whether audio has come, be it alone."""
        self._held: list[Packet] = []
        self._newest = 0

    @property
    def is_decided(self) -> bool:
        """Whether the tracks are known."""
        if not self._held:
            return False
        return self.audio is not None or self.waited >= AUDIO_WAIT or len(self._held) >= MAX_HELD

    @property
    def waited(self) -> int:
        """Media time since the first keyframe, in ticks."""
        return min(AUDIO_WAIT, abs(self._newest - self._held[0].dts)) if self._held else 0

    def receive(self, packet: Packet) -> None:
        """Take a packet; those before the first keyframe are only looked at."""
        if isinstance(packet.track, AudioTrack):
            self.audio = packet.track
            self.has_seen_audio = True
            if self._held:
                self._held.append(packet)
        elif self._held or packet.is_keyframe:
            self._newest = packet.dts
            self._held.append(packet)

    def release(self) -> list[Packet]:
        """Hand over the held packets in their order; the first one is a video keyframe."""
        held, self._held = self._held, []
        return held
