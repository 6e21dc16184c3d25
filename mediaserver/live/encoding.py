"""The encoded rungs of one broadcast, as its worker delivers them.

A run of the source may begin while the encoders still deliver the tail of the run before; `on_flushed` stands between
the two. A rung may begin in the past, where the open segment does, and it stops where a segment begins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence

import structlog

from hls.output import HlsOutput
from hls.writer import Sample
from media.packet import CLOCK_HZ, AudioTrack, Packet, VideoTrack
from transcode.port import TranscoderStats
from transcode.rung import RungSpec
from transcode.supervisor import Transcoder, WorkerPool

from .bridges import Bridges
from .declaration import Declaration
from .recent import RecentPackets
from .tails import Tails

LONG_GAP = 2 * CLOCK_HZ
"""Gaps that are told to the streamer; shorter ones are a packet lost or a worker replaced."""
GAP_WARNING = "the video cannot be decoded, or not fast enough: encoded qualities show nothing"

DRAIN_S = 2.0
"""How long an ending broadcast waits for its encoders; they are a few frames behind, more on a machine that is busy."""

log = structlog.get_logger(__name__)


class Encoding:
    """Gives the worker its packets and the writers its frames. Implements the transcoder's sink.

    Args:
        stream_id: names the broadcast in logs.
        output: has the timeline.
        pool: codec workers.
        declared: has the writers.
        on_tail: called with the end of a run when all of it has been delivered.
        on_stopped: called with a rung that has been stopped by `stop_behind`.
    """

    def __init__(
        self,
        stream_id: str,
        output: HlsOutput,
        pool: WorkerPool,
        declared: Declaration,
        *,
        on_tail: Callable[[int], None],
        on_stopped: Callable[[str], None],
    ) -> None:
        self._log = log.bind(stream_id=stream_id)
        self._timeline = output.timeline
        self._transcoder = Transcoder(pool, self)
        self._bridges = Bridges(pool, self._deliver, self._cross)
        self._recent = RecentPackets()
        self._declared = declared
        self._on_tail = on_tail
        self._on_stopped = on_stopped
        self._specs: dict[str, RungSpec] = {}
        self._tails = Tails()
        self._shown_until = 0  # where the newest encoded frame lies
        self.failure: str | None = None
        """Why encoded rungs carry nothing, None while they do."""
        self.is_gap = False
        """Whether they have had nothing but gaps for a while: the source cannot be decoded, or not fast enough."""

    @property
    def names(self) -> Collection[str]:
        """The rungs that are encoded now."""
        return self._specs.keys() | self._bridges.names

    def spec(self, name: str) -> RungSpec | None:
        """Return how a rung is encoded from the newest segment on; None when it is not."""
        return self._specs.get(name)

    @property
    def has_tail(self) -> bool:
        """Whether the encoders still have something of a run that is over."""
        return self._tails.has_run

    @property
    def stats(self) -> TranscoderStats:
        """How the encoders are doing."""
        return self._transcoder.stats

    @property
    def recent(self) -> Sequence[Packet]:
        """Return the packets of the main video from the keyframe of the open segment on."""
        return self._recent.packets

    def encode(self, spec: RungSpec, at: int) -> None:
        """Encode a rung from `at` on, with an IDR there; the frame at `at` has not been sent."""
        self._tails.go_on(spec.name)
        if self._specs.get(spec.name) == spec:
            self._transcoder.force_keyframe(at, spec.name)
            return
        self._activate(spec, at)

    def encode_open_segment(self, spec: RungSpec, start: int) -> bool:
        """Encode a rung from the begin of the open segment on, which is `start`.

        Where the encoders at work have passed it a bridge does; `encode` has to follow with the next segment.

        Returns:
            False when the rung has to wait for the next segment.
        """
        packets = self._recent.packets
        if self.failure is not None or not packets or spec.name in self.names:
            return False
        if not self._specs:
            self._transcoder.prime(packets, start)
        elif not self._transcoder.may_begin(start):
            return self._bridges.add(spec, start, packets)
        self._activate(spec, start)
        return True

    def stop(self, name: str) -> None:
        """Stop encoding a rung, if it is."""
        self._tails.forget(name)
        self._bridges.drop(name)
        if self._specs.pop(name, None) is not None:
            self._transcoder.deactivate(name)

    def stop_at(self, name: str, at: int) -> None:
        """Publish nothing of a rung beyond `at`: a copied run begins there as soon as the tail has come."""
        self._tails.limit(name, at)

    def stop_behind(self, name: str, at: int) -> None:
        """Stop encoding a rung where a segment begins, at `at`, once all before it has come."""
        self._tails.end(name, at)
        if self.failure is not None:
            self._stop_ended(at)

    def want_audio(self, is_wanted: bool) -> None:
        """Encode the source's audio, or do not."""
        if is_wanted:
            self._transcoder.activate_audio("aac")
        else:
            self._transcoder.deactivate_audio("aac")

    def force_keyframe(self, name: str, pts: int) -> None:
        """Make the first frame of a rung with this pts or more an IDR that has not been encoded yet, if it is made."""
        if not self._bridges.force_keyframe(name, pts) and name in self._specs:
            self._transcoder.force_keyframe(pts, name)

    def cut(self, at: int) -> None:
        """Start an IDR on all rungs at `at`, where a segment begins; called before its frame comes."""
        self._recent.begin_segment(at)
        self._bridges.close_segment(at)
        if self._specs:
            self._transcoder.force_keyframe(at)

    def send(self, packet: Packet) -> None:
        """Take a packet on the timeline, after the timeline has been advanced to it."""
        if packet.is_video:
            self._recent.receive(packet)
            self._bridges.send(packet)
        self._transcoder.send(packet)
        if self.failure is not None and packet.is_video:
            self._advance(self._specs, self._timeline.frontier)

    def end_run(self, at: int) -> None:
        """End a run of the source at `at`, where the timeline has closed its segment."""
        self._recent.clear()
        self._bridges.close_segment(at)
        self._bridges.finish()
        sound = self._declared.sound
        if self._specs or (sound is not None and sound.is_encoded):
            self._tails.end_run(at)
        self._transcoder.flush()
        if self.failure is not None:
            self._finish_tails()

    async def drain(self) -> None:
        """Wait, not for long, until the worker has delivered the tail of the last run; the rest becomes a gap."""
        try:
            await asyncio.wait_for(self._tails.wait(), DRAIN_S)
        except TimeoutError:
            self._log.warning("encoders did not finish in time, the last part is missing on encoded rungs")
            self._finish_tails()

    async def close(self) -> None:
        """Stop the workers."""
        await self._bridges.close()
        await self._transcoder.close()

    # What the transcoder reports.

    def on_rung_opened(self, rung: str, track: VideoTrack, from_pts: int) -> None:
        """Learn an encoded rung's parameter sets."""
        self._declared.writers[rung].set_track(track, from_pts)

    def on_video(self, pts: int, frames: Mapping[str, Packet]) -> None:
        """Take all rungs of one source frame."""
        self._shown_until, self.is_gap = pts, False
        bridged = self._bridges.names
        for name, packet in frames.items():
            if name in bridged:
                self._bridges.hold(packet, name)
            elif name in self._specs:
                self._deliver(name, packet)
        # Last: a rung that stops may be wanted again at once, and these frames are not of its new encoder.
        self._stop_ended(pts)

    def on_audio_opened(self, output: str, track: AudioTrack) -> None:
        """Learn nothing new: all that the encoder makes is `STEREO_48K`."""

    def on_audio(self, output: str, packet: Packet) -> None:
        """Take an encoded audio packet."""
        if output == "aac" and self._declared.sound is not None:
            self._declared.sound.receive(packet)

    def on_gap(self, rungs: Collection[str], until_pts: int) -> None:
        """Publish gaps for frames that will never come."""
        if until_pts - self._shown_until >= LONG_GAP and not self.is_gap:
            self.is_gap = True
            self._log.warning(GAP_WARNING)
        self._advance(rungs, until_pts)
        self._stop_ended(until_pts)

    def on_flushed(self) -> None:
        """Publish the tail of a run: the worker has delivered everything of it."""
        if not self.has_tail:
            return
        at = self._tails.pop_run()
        self._advance(self._specs, at)
        self._stop_ended(at)
        self._on_tail(at)
        if not self._tails.has_run and self._declared.sound is not None:
            self._declared.sound.finish_run()

    def on_failed(self, reason: str) -> None:
        """Go on with what is copied alone."""
        self.failure = reason
        self._log.error("encoding stopped, the source's own quality goes on", reason=reason)
        self._finish_tails()
        self._advance(self._specs, self._timeline.frontier)
        self._stop_ended(self._timeline.frontier)

    # Within.

    def _activate(self, spec: RungSpec, at: int) -> None:
        self._specs[spec.name] = spec
        self._shown_until = max(self._shown_until, at)
        self._transcoder.activate(spec, at)

    def _deliver(self, name: str, packet: Packet) -> None:
        if self._tails.bound(name, packet.pts + 1) <= packet.pts:
            return  # it stops before this one, and is made by something else from there on
        writer = self._declared.writers[name]
        writer.add(Sample(packet.dts, packet.pts, packet.data, packet.is_keyframe))
        writer.advance(packet.pts)

    def _cross(self, name: str, at: int) -> None:
        self._declared.writers[name].advance(at)
        if name in self._tails.ended(at):
            self._end(name)

    def _stop_ended(self, pts: int) -> None:
        # What is on a bridge ends when that is done, however far the others are.
        for name in self._tails.ended(pts, but=self._bridges.names):
            self._end(name)

    def _end(self, name: str) -> None:
        self._advance([name], self._timeline.frontier)
        self.stop(name)
        self._on_stopped(name)

    def _advance(self, names: Collection[str], until: int) -> None:
        for name in set(names) - self._bridges.names:
            self._declared.writers[name].advance(self._tails.bound(name, until))

    def _finish_tails(self) -> None:
        while self._tails.has_run:
            self.on_flushed()
