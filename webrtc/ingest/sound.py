"""The sound of a publisher: from its RTP stream to packets of Opus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from media.opus import MAX_PACKET_SAMPLES, opus_track, packet_samples, with_packet_duration
from media.packet import AudioTrack, Packet
from webrtc.sdp.description import MediaSection

from .packet import Hole, MediaPacket
from .stream import IncomingStream
from .timeline import Timeline

CHANNELS = 2
"""Whatever the packets hold: encoders change between mono and stereo from packet to packet, and a decoder for two
channels takes both. A change of the track would be a discontinuity for all viewers."""


class Sound:
    """Keeps what sound needs.

    Args:
        section: of the publisher's offer.
        timeline: where packets lie.
    """

    def __init__(self, section: MediaSection, timeline: Timeline) -> None:
        self.stream = IncomingStream(section, 48_000)
        self.counters: Counter[str] = Counter()
        self._timeline = timeline
        self._track: AudioTrack | None = None
        self._last_pts: int | None = None

    def read(self, now: float) -> Iterator[Packet]:
        """Give the packets whose turn it is. A hole stays one: silence is for those to put there who mix."""
        while (item := self.stream.pop(now)) is not None:
            if isinstance(item, Hole):
                self.counters["ingest_sounds_lost"] += item.packets
                continue
            packet = self._place(item)
            if packet is not None:
                yield packet

    def _place(self, item: MediaPacket) -> Packet | None:
        if not 0 < packet_samples(item.payload) <= MAX_PACKET_SAMPLES:
            self.counters["ingest_sounds_malformed"] += bool(item.payload)
            return None
        if self._track is None:
            # For good: what differs later is placed by its time, and another track would be a discontinuity.
            self._track = with_packet_duration(opus_track(CHANNELS), item.payload)
        pts = self._timeline.place_audio(item.timestamp, item.arrived_at)
        if self._last_pts is not None and pts <= self._last_pts:
            self.counters["ingest_sounds_reordered"] += 1
            return None
        self._last_pts = pts
        self.counters["ingest_sounds"] += 1
        return Packet(self._track, pts, pts, item.payload, is_keyframe=True)
