"""What a broadcast has for WebRTC: its rungs frame by frame, as soon as they are there, and Opus.

Every frame passes its rung's writer, whoever made it (a copy, encoders, a bridge, a slate): there it is taken. It costs
a look while nobody watches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from hls.timeline import Timeline
from hls.writer import VideoWriter
from media.packet import CLOCK_HZ, Packet
from transcode.supervisor import WorkerPool
from webrtc.port import Sink, VideoFrame

from .declaration import Declaration
from .encoding import Encoding
from .ladder import Ladder
from .plan import Encode, Tracks, feed_of, spec_of
from .relay_flow import RelayFlow
from .relay_listing import RelayListing
from .relay_rung import RelayRung
from .relay_sound import RelaySound
from .rung_state import RungStates
from .stand_in import StandIn

MAX_AHEAD = CLOCK_HZ
"""How far a keyframe may be ordered beyond the newest picture decoded: what is reordered is shown a little later."""


class Relay:
    """Implements `webrtc.port.Source`.

    Args:
        stream_id: names the broadcast in logs.
        timeline: of the broadcast.
        pool: codec workers, for what is made for WebRTC alone.
        declared: has the writers.
        encoding: the encoders.
        ladder: wakes rungs.
        states: says what fills each rung.
        admit: asked before something is made for WebRTC alone; see `StandIn`.
    """

    def __init__(
        self,
        stream_id: str,
        timeline: Timeline,
        pool: WorkerPool,
        *,
        declared: Declaration,
        encoding: Encoding,
        ladder: Ladder,
        states: RungStates,
        admit: Callable[[str, float, float], bool],
    ) -> None:
        self._timeline = timeline
        self._declared = declared
        self._encoding = encoding
        self._ladder = ladder
        self._states = states
        self._rungs: dict[str, RelayRung] = {}
        self._sound = RelaySound(pool, self._forward_audio)
        self.stand_in = StandIn(
            stream_id,
            pool,
            timeline,
            RelayFlow(self._forward_stand_in),
            recent=lambda: encoding.recent,
            admit=admit,
            on_change=self.note_change,
        )
        """Takes the place of a copied rung whose pictures are reordered."""
        self._tracks: Tracks | None = None
        self._has_run = False
        self._is_on_slate = False
        self._sink: Sink | None = None
        self._wanted: dict[str, int] = {}
        self._last: dict[str, int] = {}  # places of the newest pictures that the sink has, by rung
        self._listing = RelayListing(declared, encoding, states, self._rungs, self.stand_in)
        self._is_stale = False

    @property
    def has_media(self) -> bool:
        """Whether a source has been there."""
        return self._tracks is not None

    # What goes on.

    def begin(self, tracks: Tracks) -> None:
        """Learn that a run of the source begins; the rungs have been told what fills them."""
        for name, writer in self._declared.writers.items():
            if name not in self._rungs:
                self._rungs[name] = self._make_rung(name, writer)
        if self._is_on_slate:
            self._forget_rates()
        self._is_on_slate = False
        self._tracks, self._has_run = tracks, True
        self._listing.video = tracks.video
        self._sound.begin(tracks.audio)
        self.note_change()

    def begin_slate(self) -> None:
        """Learn that slates fill the rungs; nothing is to be heard."""
        self._forget_rates()
        self._is_on_slate = self._has_run = True
        self._sound.begin(None)
        self.note_change()

    def end_run(self) -> None:
        """Learn that a run of the source has ended, or the slate: what is told of the rungs stays until the next."""
        self._has_run = False
        self.stand_in.withdraw()
        self._sound.end_run()

    def cut(self, at: int) -> None:
        """Learn that a segment begins at `at`, before its picture comes."""
        self.stand_in.force_keyframe(at)
        self.note_change()

    def receive_video(self, packet: Packet) -> None:
        """Take a packet of the main video on the timeline."""
        self.stand_in.receive(packet)

    def receive_audio(self, packet: Packet) -> None:
        """Take a packet of the source's audio on the timeline."""
        self._sound.receive(packet)

    def note_change(self) -> None:
        """Take note that rungs may not be what they were: the sink is told before it gets another frame."""
        if self._sink is not None and not self._is_stale:
            self._is_stale = True
            asyncio.get_running_loop().call_soon(self._tell)

    async def close(self) -> None:
        """End: the broadcast is over."""
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.close()
        await self._sound.close()
        await self.stand_in.close()

    # The source of WebRTC.

    def attach(self, sink: Sink) -> None:
        """Declare the rungs to `sink` and give it what is wanted from now on, until `detach`."""
        self.detach()
        self._sink = sink
        self._settle_stand_in()
        self._listing.renew()
        sink.declare(self._listing.rungs)

    def detach(self) -> None:
        """Want nothing any more."""
        self.want({}, audio=False)
        self._sink = None
        self._is_stale = False
        self.stand_in.withdraw()

    def want(self, rungs: Mapping[str, int], *, audio: bool) -> None:
        """Give these rungs, which so many viewers each get or wait for, and no others."""
        for name in self._wanted.keys() - rungs.keys():
            self._last.pop(name, None)
            self._rungs[name].flow.unwant()
            self._watch(name, 0)
        self._wanted = {name: max(1, count) for name, count in rungs.items() if name in self._rungs}
        for name, count in self._wanted.items():
            self._watch(name, count)
            self._rungs[name].want()
        self._sound.want(audio)

    def force_keyframe(self, rung: str, after_pts: int) -> None:
        """Make the first frame behind `after_pts` that is not encoded yet a keyframe; not what is copied."""
        pts = min(after_pts, self._timeline.position + MAX_AHEAD) + 1
        if rung == self.stand_in.name:
            self.stand_in.force_keyframe(pts)
        else:
            self._encoding.force_keyframe(rung, pts)

    # Within.

    def _make_rung(self, name: str, writer: VideoWriter) -> RelayRung:
        return RelayRung(
            writer,
            RelayFlow(lambda frame: self._forward_video(name, frame)),
            is_copied=lambda: self._states.kind(name) == "copied",
            on_change=self.note_change,
        )

    def _watch(self, name: str, viewers: int) -> None:
        self._ladder.watch(name, viewers)
        if name == self.stand_in.name:
            self.stand_in.watch(viewers)
            if viewers:
                self.stand_in.flow.want(is_fit=True)
            else:
                self.stand_in.flow.unwant()

    def _settle_stand_in(self) -> None:
        """Let the best copied rung be encoded that would have to go without, for those who want it at once."""
        tracks = self._tracks
        name = next((name for name in self._declared.renditions if self._needs_stand_in(name)), None)
        if name is None or tracks is None or tracks.video is None or self._encoding.failure is not None:
            self.stand_in.withdraw()
            return
        feed = feed_of(self._declared.renditions[name], tracks, may_copy=False)
        if isinstance(feed, Encode):
            self.stand_in.offer(spec_of(feed.rendition, tracks.video), tracks.video)
            if name in self._wanted:
                self._watch(name, self._wanted[name])

    def _needs_stand_in(self, name: str) -> bool:
        rung = self._rungs.get(name)
        return rung is not None and self._states.kind(name) == "copied" and rung.is_reordered

    def _forward_stand_in(self, frame: VideoFrame) -> bool:
        spec = self.stand_in.spec
        return spec is not None and self._forward_video(spec.name, frame)

    def _forward_video(self, name: str, frame: VideoFrame) -> bool:
        self._tell()
        if self._sink is None or frame.pts <= self._last.get(name, -1):
            return False  # what another encoder makes once more, viewers have
        self._last[name] = frame.pts
        self._sink.receive_video(name, frame)
        return True

    def _forward_audio(self, pts: int, data: bytes) -> None:
        if self._sink is not None:
            self._sink.receive_audio(pts, data)

    def _forget_rates(self) -> None:
        for rung in self._rungs.values():
            rung.flow.forget_rate()

    def _tell(self) -> None:
        """Declare the rungs anew, if there is something new."""
        if not self._is_stale:
            return
        self._is_stale = False
        if not self._has_run:
            return
        self._settle_stand_in()
        if self._sink is not None and self._listing.renew():
            self._sink.declare(self._listing.rungs)
