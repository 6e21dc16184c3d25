"""The pictures of a publisher: from its RTP stream to packets."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator

from media.error import PeerError
from media.packet import Packet
from webrtc.sdp.description import MediaSection

from .depacketiser import Depacketiser
from .keyframe_request import KeyframeRequests
from .packet import AccessUnit, Hole
from .picture import PictureAssembler
from .stream import IncomingStream
from .timeline import Timeline

MAX_REORDERED, REORDERED_WITHIN_S = 3, 60.0
"""So many pictures that go before the one that came first are no accident."""

REORDERED = "The encoder sends B-frames, which WebRTC does not have: turn them off, or publish over RTMP."


class Video:
    """Keeps what pictures need.

    Args:
        section: of the publisher's offer.
        timeline: where pictures lie.
    """

    def __init__(self, section: MediaSection, timeline: Timeline) -> None:
        self.stream = IncomingStream(section, 90_000)
        self.keyframes = KeyframeRequests()
        self.counters: Counter[str] = Counter()
        self._depacketiser = Depacketiser()
        self._pictures = PictureAssembler(section.codec.fmtp if section.codec is not None else "")
        self._timeline = timeline
        self._last_pts: int | None = None
        self._reordered_at: deque[float] = deque(maxlen=MAX_REORDERED)

    @property
    def dropped(self) -> int:
        """Frames that were left out since the first one."""
        return self._depacketiser.dropped

    def read(self, now: float) -> Iterator[Packet]:
        """Give the frames that are complete.

        Raises:
            PeerError: the stream cannot be taken.
        """
        while (item := self.stream.pop(now)) is not None:
            if isinstance(item, Hole):
                self.counters["ingest_packets_lost"] += item.packets
                self._depacketiser.note_hole()
                continue
            for unit in self._depacketiser.receive(item):
                packet = self._place(unit)
                if packet is not None:
                    if packet.is_keyframe:
                        self.keyframes.note_keyframe(now)
                    yield packet
        if self._depacketiser.has_lost:
            self.keyframes.need(now)

    def _place(self, unit: AccessUnit) -> Packet | None:
        frame = self._pictures.take(unit)
        if frame is None:
            if unit.is_keyframe:
                self._depacketiser.require_keyframe()  # this one cannot be decoded for want of parameter sets
            return None
        pts = self._timeline.place_video(unit.timestamp, unit.arrived_at)
        if self._last_pts is not None and pts <= self._last_pts:
            self._note_reordered(unit.arrived_at)
            return None
        self._last_pts = pts
        self.counters["ingest_frames"] += 1
        self.counters["ingest_keyframes"] += unit.is_keyframe
        return Packet(frame.track, pts, pts, frame.data, unit.is_keyframe)

    def _note_reordered(self, arrived_at: float) -> None:
        """Count a picture that goes before one that came first; it is left out, and with it what refers to it."""
        self.counters["ingest_frames_reordered"] += 1
        self._depacketiser.require_keyframe()
        self._reordered_at.append(arrived_at)
        if (
            len(self._reordered_at) == MAX_REORDERED
            and arrived_at - self._reordered_at[0] < REORDERED_WITHIN_S
        ):
            raise PeerError(REORDERED)
