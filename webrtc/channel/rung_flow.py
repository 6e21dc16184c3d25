"""A rung of a broadcast in this process: its packets, when they go out, and who gets or wants them."""

from __future__ import annotations

from media.error import PeerError
from webrtc.port import Rung, VideoFrame
from webrtc.rtp.burst import Burst
from webrtc.rtp.flow import Flow
from webrtc.rtp.pace import Pacer
from webrtc.rtp.packetiser import packetise_h264

from .audience import Audience
from .place import NEVER_PTS
from .rate import Rate
from .viewer import Viewer

KEEP_S = 2.0
"""What can be asked for again, and how long somebody may be held or refused and still miss nothing."""
MAX_KEPT_BYTES = 1_000_000
_MAX_KEPT_TICKS = 2 * 90_000
"""A joiner gets no more than this: it takes him a third of it to be level."""
_FLOWING_S = 1.0
_BACKLOG_S = 0.3
"""A rung that was not wanted begins with frames that were kept, which all come at once."""
_NEAR_S = 0.5


class RungFlow:
    """One rung. Frames wait here while a large one before them is spread over its time."""

    def __init__(self, rung: Rung, ssrc: int, timestamp_base: int) -> None:
        self.rung = rung
        self.packets = Flow(
            ssrc, timestamp_base, 90_000, first_index=0, keep_s=KEEP_S, max_bytes=MAX_KEPT_BYTES
        )
        self.pacer = Pacer()
        self.live = Audience()
        self.catching: dict[Viewer, None] = {}
        self.wanting: dict[Viewer, None] = {}
        """Viewers who have this among their goals."""
        self.leaving: dict[Viewer, None] = {}
        """Live viewers who go elsewhere as soon as the frame is whole that is on its way."""
        self.sent_index = 0
        """Of the packet that is live next."""
        self.begun_index = 0
        """Behind the newest frame that has begun to go out."""
        self.sent_pts = NEVER_PTS
        self.keyframe_at = -KEEP_S
        """When the newest keyframe began to go out."""
        self._rate = Rate()
        self._newest_at: float | None = None
        self._began_at = 0.0
        self._newest_keyframe: tuple[int, float] | None = None
        self._keyframe_every_s: float | None = None
        self._valid_from = 0
        """What was kept from before does not join on to what comes now."""
        self.newest_pts = NEVER_PTS

    @property
    def name(self) -> str:
        """Return the rung's name."""
        return self.rung.name

    @property
    def bitrate_bps(self) -> int:
        """Return what the rung takes: measured here if there is enough of it."""
        return self._rate.bitrate_bps or self.rung.bitrate_bps

    @property
    def is_between(self) -> bool:
        """Whether no frame is half sent."""
        return self.sent_index == self.begun_index

    def is_flowing(self, now: float) -> bool:
        """Tell whether frames come."""
        return self._newest_at is not None and now - self._newest_at < _FLOWING_S

    def silent_s(self, now: float) -> float:
        """Return for how long nothing has come; 0 before the first frame."""
        return now - self._newest_at if self._newest_at is not None else 0.0

    def is_backlog(self, now: float) -> bool:
        """Tell whether what comes now may be what was kept, and so should not go out at the pace it comes."""
        return now - self._began_at < _BACKLOG_S

    def is_keyframe_near(self, now: float) -> bool:
        """Tell whether the next keyframe is due soon, going by those before."""
        if self._newest_keyframe is None or self._keyframe_every_s is None:
            return False
        left_s = self._newest_keyframe[1] + self._keyframe_every_s - now
        return -_NEAR_S < left_s < _NEAR_S

    def take(self, frame: VideoFrame, now: float) -> Burst | None:
        """Take a frame; return its packets, or None where it has none or is of no use."""
        if not self.is_flowing(now):
            self._began_at = now
        self._newest_at = now
        if frame.pts <= self.newest_pts or not (frame.is_keyframe or self._newest_keyframe):
            return None
        payloads = self._packetise(frame)
        if not payloads:
            return None
        self.newest_pts = frame.pts
        burst = self.packets.add(payloads, frame.pts, now, is_keyframe=frame.is_keyframe)
        self._rate.add(burst.size_bytes, frame.pts)
        if frame.is_keyframe:
            if self._newest_keyframe is not None:
                self._keyframe_every_s = (frame.pts - self._newest_keyframe[0]) / 90_000
            self._newest_keyframe = (frame.pts, now)
        return burst

    def _packetise(self, frame: VideoFrame) -> list[bytes]:
        try:
            return packetise_h264(frame.data)
        except PeerError:
            return []  # a publisher's frame that is none; what refers to it heals at the next keyframe

    def begin(self, burst: Burst, now: float) -> None:
        """Note that a frame begins to go out."""
        self.begun_index = burst.index + burst.count
        self.sent_pts = burst.pts
        if burst.is_keyframe:
            self.keyframe_at = now

    def skip(self, burst: Burst) -> None:
        """Note that nobody was there to get a frame."""
        self.sent_index = self.begun_index = burst.index + burst.count

    def kept_keyframe(self, after_pts: int) -> Burst | None:
        """Return the newest keyframe if it is behind `after_pts`, and what follows is little enough for joiners."""
        kept = self.packets.since_keyframe()
        if not kept or kept[0].index < self._valid_from or kept[0].pts <= after_pts:
            return None
        if self.newest_pts - kept[0].pts > _MAX_KEPT_TICKS:
            return None
        return kept[0]

    def forget(self) -> None:
        """Let nobody join on to what was kept, as nobody wants the rung: what comes later has a hole before it."""
        self.pacer = Pacer()
        self._valid_from = self.sent_index = self.begun_index = self.packets.next_index
        self.newest_pts = self.sent_pts = NEVER_PTS
        self._newest_at = self._newest_keyframe = None
        self._rate = Rate()
