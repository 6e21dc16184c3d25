"""A broadcast in one WebRTC process: frames come in, every viewer gets what suits him."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from random import Random

from webrtc.port import Rung, VideoFrame
from webrtc.rtp.fanout import FanOut
from webrtc.rtp.flow import MAX_PACKET_PAYLOAD, Flow
from webrtc.rtp.line import Path, Protection

from .audience import Audience
from .demand import Demand
from .event import ChannelEvent
from .ladder import Ladder
from .place import NEVER_PTS
from .responder import Responder
from .sender import AUDIO_HZ, Sender, TimestampBases
from .ssrc import draw_ssrcs
from .switchboard import Switchboard
from .viewer import Track, Viewer

_KEEP_AUDIO_S = 1.0


class Channel:
    """Takes what a broadcast has and what its viewers say, and sends through `fanout`.

    `now` is monotonic seconds everywhere. What others are to know is in `next_event`, which is to be asked after every
    call until it has nothing more.
    """

    def __init__(self, stream_id: str, fanout: FanOut, *, now: float, random: Random) -> None:
        self.stream_id = stream_id
        self.ssrcs = draw_ssrcs(random)
        self.msid = random.randbytes(8).hex()
        self.cname = random.randbytes(12).hex()
        """Says nothing about anybody (RFC 7022). aiortc reads the names of two sources only if they are of a length
        that four divides."""
        self.viewers: dict[Viewer, None] = {}
        self._fanout = fanout
        self._random = random
        self._events: deque[ChannelEvent] = deque()
        bases = TimestampBases(random)
        self._ladder = Ladder(self.ssrcs.video, bases.video)
        self._switchboard = Switchboard(fanout, self._ladder, self._events)
        self._sound = Flow(
            self.ssrcs.audio, bases.audio, AUDIO_HZ, first_index=0, keep_s=_KEEP_AUDIO_S, max_bytes=0
        )
        self._responder = Responder(fanout, self.ssrcs, self._switchboard, self._sound)
        self._sender = Sender(
            fanout, self.ssrcs, bases, self.cname, newest=self._ladder.newest, random=random
        )
        self._demand = Demand(self._switchboard, self.viewers, now)
        self._sound_pts = NEVER_PTS
        self._listeners = Audience()
        self._now = now

    # --- the broadcast

    def declare(self, rungs: Sequence[Rung], now: float) -> None:
        """Learn which rungs there are, best first; again whenever one of them has changed."""
        self._now = now
        self._switchboard.declare(rungs, now)
        self._demand.is_stale = True

    def receive_video(self, rung: str, frame: VideoFrame, now: float) -> None:
        """Take a frame and send it to whom it is for; one of a rung that is not wanted is too late, or too early."""
        self._now = now
        if self._demand.includes(rung):
            self._switchboard.receive(rung, frame, now)

    def receive_audio(self, pts: int, data: bytes, now: float) -> None:
        """Take an Opus packet, `pts` in ticks of 90 kHz, and send it to all who listen."""
        self._now = now
        if pts <= self._sound_pts or not 0 < len(data) <= MAX_PACKET_PAYLOAD:
            return
        self._sound_pts = pts
        self._ladder.note_media(pts, now)
        burst = self._sound.add([data], pts, now, is_keyframe=False)
        for viewer in self._listeners.send(self._fanout, burst.batches):
            viewer.counters.refused += 1

    # --- viewers

    def add(self, viewer: Viewer, now: float) -> None:
        """Have ready what a viewer will get who is about to connect."""
        self._now = now
        self.viewers[viewer] = None
        self._demand.is_stale = True
        if viewer.video_choice is not None:
            self._switchboard.add(viewer, now)

    def connect(self, viewer: Viewer, srtp: Protection, route: Path, now: float) -> None:
        """Send to a viewer from now on."""
        self._now = now
        viewer.connect(srtp, route, self._random)
        if viewer.audio is not None:
            self._listen(viewer, viewer.audio)
        if viewer.video is not None:
            self._switchboard.connect(viewer, now)
        self._sender.add(viewer, now)

    def _listen(self, viewer: Viewer, track: Track) -> None:
        track.history.begin(self._sound, self._sound.next_index)
        track.line.offset = track.history.offset & 0xFFFF
        self._listeners.add(track.line, viewer)

    def remove(self, viewer: Viewer, now: float) -> None:
        """Let a viewer go, and say so to him; any number of times."""
        self._now = now
        if viewer not in self.viewers:
            return
        del self.viewers[viewer]
        viewer.has_ended = True
        self._switchboard.remove(viewer)
        if viewer.audio is not None:
            self._listeners.remove(viewer.audio.line)
        self._sender.say_bye(viewer, now)
        self._demand.is_stale = True

    def close(self, now: float) -> None:
        """Let all viewers go: the broadcast is over."""
        for viewer in list(self.viewers):
            self.remove(viewer, now)

    def choose(self, viewer: Viewer, rung: str | None, now: float) -> None:
        """Let a viewer have the rung of this name for good; None, or a name that is not there: what suits him."""
        self._now = now
        flow = self._ladder.flows.get(rung) if rung is not None else None
        viewer.place.is_fixed = flow is not None
        if flow is not None and viewer in self._switchboard.viewers:
            self._switchboard.course.aim(viewer, flow, now)

    def receive_rtcp(self, viewer: Viewer, data: bytes, now: float) -> None:
        """Take a decrypted compound packet of a viewer; what is malformed is counted."""
        self._now = now
        if viewer in self.viewers and viewer.is_connected:
            self._responder.receive(viewer, data, now)

    # --- time

    def get_timer(self) -> float | None:
        """Return when `handle_timer` is due; None: not before something comes."""
        timers = (self._switchboard.get_timer(), self._sender.get_timer(), self._demand.get_timer())
        return min((timer for timer in timers if timer is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        self._now = now
        self._switchboard.handle_timer(now)
        self._sender.handle_timer(now)

    def next_event(self) -> ChannelEvent | None:
        """Return what the worker is to know next; None: nothing more for now."""
        if not self._events:
            self._events.extend(self._ladder.requests.take_due(self._now))
        if self._events:
            return self._events.popleft()
        return self._demand.next_event(self._now)
