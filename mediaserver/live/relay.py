"""What a broadcast has for WebRTC: its rungs frame by frame, as soon as they are there, and Opus.

Every frame passes its rung's writer, whoever made it (a copy, encoders, a bridge, a slate): there it is taken. It costs
a look while nobody watches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from hls.timeline import Timeline
from hls.writer import VideoWriter
from media.packet import Packet
from transcode.supervisor import WorkerPool
from webrtc.port import Rung, Sink, VideoFrame

from .declaration import Declaration
from .encoding import Encoding
from .ladder import Ladder
from .plan import Tracks, spec_of
from .relay_rung import RelayRung
from .relay_sound import RelaySound
from .rung_state import RungStates

NEWS = 0.2
"""By how much of itself a rung's rate has to change before it is told again."""


class Relay:
    """Implements `webrtc.port.Source`.

    Args:
        timeline: of the broadcast.
        pool: codec workers, for Opus.
        declared: has the writers.
        encoding: the encoders.
        ladder: wakes rungs.
        states: says what fills each rung.
    """

    def __init__(
        self,
        timeline: Timeline,
        pool: WorkerPool,
        declared: Declaration,
        encoding: Encoding,
        *,
        ladder: Ladder,
        states: RungStates,
    ) -> None:
        self._timeline = timeline
        self._declared = declared
        self._encoding = encoding
        self._ladder = ladder
        self._states = states
        self._rungs: dict[str, RelayRung] = {}
        self._sound = RelaySound(pool, self._forward_audio)
        self._tracks: Tracks | None = None
        self._has_run = False
        self._is_on_slate = False
        self._sink: Sink | None = None
        self._wanted: set[str] = set()
        self._told: list[Rung] = []
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
        self._sound.end_run()

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

    # The source of WebRTC.

    def attach(self, sink: Sink) -> None:
        """Declare the rungs to `sink` and give it what is wanted from now on, until `detach`."""
        self.detach()
        self._sink = sink
        self._told = self._describe()
        sink.declare(self._told)

    def detach(self) -> None:
        """Want nothing any more."""
        self.want({}, audio=False)
        self._sink = None
        self._is_stale = False

    def want(self, rungs: Mapping[str, int], *, audio: bool) -> None:
        """Give these rungs, which so many viewers each get or wait for, and no others."""
        for name in self._wanted.difference(rungs):
            self._rungs[name].unwant()
            self._ladder.watch(name, 0)
        self._wanted = {name for name in rungs if name in self._rungs}
        for name in self._wanted:
            self._ladder.watch(name, max(1, rungs[name]))
            self._rungs[name].want()
        self._sound.want(audio)

    def force_keyframe(self, rung: str, after_pts: int) -> None:
        """Make the first frame behind `after_pts` that is not encoded yet a keyframe; not what is copied."""
        # A place that the source has not reached would keep everybody waiting.
        self._encoding.force_keyframe(rung, min(after_pts, self._timeline.position) + 1)

    # Within.

    def _make_rung(self, name: str, writer: VideoWriter) -> RelayRung:
        return RelayRung(
            writer,
            is_copied=lambda: self._states.kind(name) == "copied",
            forward=lambda frame: self._forward_video(name, frame),
            on_change=self.note_change,
        )

    def _forward_video(self, name: str, frame: VideoFrame) -> None:
        self._tell()
        if self._sink is not None:
            self._sink.receive_video(name, frame)

    def _forward_audio(self, pts: int, data: bytes) -> None:
        if self._sink is not None:
            self._sink.receive_audio(pts, data)

    def _forget_rates(self) -> None:
        for rung in self._rungs.values():
            rung.forget_rate()

    def _tell(self) -> None:
        """Declare the rungs anew, if there is something new."""
        if not self._is_stale:
            return
        self._is_stale = False
        rungs = self._describe() if self._has_run else self._told
        if self._sink is not None and _is_news(self._told, rungs):
            self._told = rungs
            self._sink.declare(rungs)

    def _describe(self) -> list[Rung]:
        """List the rungs that can be had, best first."""
        found = (self._describe_rung(name, rung) for name, rung in self._rungs.items())
        order = list(self._declared.renditions)
        return sorted((rung for rung in found if rung is not None), key=lambda rung: order.index(rung.name))

    def _describe_rung(self, name: str, rung: RelayRung) -> Rung | None:
        rendition, kind = self._declared.renditions[name], self._states.kind(name)
        if rendition.codec != "h264" or not self._can_come(kind, rung):
            return None
        width, height = self._states.size(name)
        bitrate_bps = (None if self._is_on_slate else rung.bitrate_bps) or self._planned_bps(name)
        return Rung(
            name, width, height, bitrate_bps, self._states.is_made(name), kind in ("encoded", "dormant")
        )

    def _can_come(self, kind: str, rung: RelayRung) -> bool:
        if kind == "copied":
            return rung.is_in_order
        return kind == "slate" or (kind in ("encoded", "dormant") and self._encoding.failure is None)

    def _planned_bps(self, name: str) -> int:
        video = self._tracks.video if self._tracks is not None else None
        if video is None:
            return 0
        if self._states.kind(name) == "copied" and video.bitrate_bps:
            return video.bitrate_bps
        return spec_of(self._declared.renditions[name], video).bitrate_bps


def _is_news(before: list[Rung], after: list[Rung]) -> bool:
    """Tell whether somebody would do something else now: rates change a little all the time."""
    if [_but_rate(rung) for rung in before] != [_but_rate(rung) for rung in after]:
        return True
    pairs = zip(before, after, strict=True)
    return any(abs(new.bitrate_bps - old.bitrate_bps) > NEWS * old.bitrate_bps for old, new in pairs)


def _but_rate(rung: Rung) -> Rung:
    return replace(rung, bitrate_bps=0)
