"""A broadcast's encodings, supervised: workers come, crash and hang; what was sent comes out once, in order.

What is wanted (`Wanted`) and what is undelivered (`Backlog`) are both addressed by pts, so a take-over is nothing but
saying all of it again to another worker, "from the first undelivered frame on". A worker exists only while something
is wanted; meanwhile the backlog holds the GOP from which one can start.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import structlog

from media.error import TranscodeError
from media.packet import CLOCK_HZ, Packet
from transcode.backlog import NOTHING_DELIVERED, Backlog
from transcode.crash import CrashHistory, Verdict
from transcode.delivery import Delivery
from transcode.gap import Gap
from transcode.message import (
    EncodedAudio,
    EncoderFailed,
    Flush,
    Frames,
    Message,
    Progress,
    Quality,
    RungOpened,
    Skip,
    UseEncoders,
)
from transcode.pool import WorkerPool
from transcode.port import TranscoderSink, TranscoderStats
from transcode.preference import SOFTWARE
from transcode.quality import QualityFigures
from transcode.rung import RungSpec
from transcode.session import WorkerSession
from transcode.wanted import Wanted

__all__ = ["Transcoder", "TranscoderSink", "TranscoderStats", "WorkerPool"]

PATIENCE_S = 3.0
"""How long more may wait than is wanted. What a bad network held back comes at once, ten seconds at most (then the
publisher counts as lost), and encoders catch up at two or three times real time; slow ones never do."""

MAX_FAILED_ENCODERS = 8
"""That are remembered: there are four kinds of hardware, and each may fail in two ways."""

log = structlog.get_logger(__name__)


class Transcoder:
    """Encodes one broadcast.

    Args:
        pool: where workers come from and go to.
        sink: takes what is encoded.
        clock: seconds, never stepping back, for counting crashes and for patience.
    """

    def __init__(
        self, pool: WorkerPool, sink: TranscoderSink, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pool = pool
        self._sink = sink
        self._clock = clock
        self._backlog = Backlog()
        self._wanted = Wanted()
        self._crashes = CrashHistory()
        self._delivery = Delivery(sink, self._wanted)
        self._quality = QualityFigures()
        self._session: WorkerSession | None = None
        self._taking: asyncio.Task[None] | None = None
        self._flushes = 0
        self._flushed = 0
        self._newest_dts = 0
        self._overfull_since: float | None = None
        self._is_over = False
        self._restarts = 0
        self._skipped_gops = 0
        self._encoders_failed: list[str] = []

    @property
    def stats(self) -> TranscoderStats:
        """Figures of this moment."""
        session = self._session
        return TranscoderStats(
            lag_s=self._lag / CLOCK_HZ,
            speed=session.meters.speed if session else None,
            restarts=self._restarts,
            skipped_gops=self._skipped_gops,
            dropped_packets=self._backlog.dropped,
            decode_errors=session.progress.decode_errors if session else 0,
            base_cost=session.meters.base_cost if session else None,
            costs=session.meters.costs if session else {},
            quality=self._quality.rungs,
            encoders_failed=tuple(self._encoders_failed),
            has_begun=session is not None and session.has_begun,
        )

    @property
    def _lag(self) -> int:
        if not self._wanted.rungs:
            return 0
        # What was delivered before anything of now was wanted says nothing: meanwhile nobody encoded.
        return max(0, self._newest_dts - max(self._backlog.delivered_pts, self._wanted.first_pts))

    @property
    def worker_pid(self) -> int | None:
        """Process id of the worker at work."""
        return self._session.worker.pid if self._session else None

    def may_begin(self, pts: int) -> bool:
        """Tell whether a rung that is activated now gets every frame from `pts` on, which lies in the past."""
        return self._session is None and self._backlog.delivered_pts < pts

    def prime(self, packets: Sequence[Packet], from_pts: int) -> None:
        """Take what came before, while no rung is wanted: the next one begins in the past, at `from_pts`.

        Args:
            packets: video, from the keyframe at or before `from_pts` on.
            from_pts: in ticks.
        """
        self._backlog.forget_video()
        for packet in packets:
            self._backlog.push(packet)
            self._newest_dts = packet.dts
        # A rung that has stopped meanwhile may have been delivered further than this.
        self._backlog.begin(from_pts)

    def activate(self, spec: RungSpec, from_pts: int) -> None:
        """Encode a rung from the first frame with pts >= `from_pts`, which is an IDR.

        A rung that is active goes on as it is until there; size, frame rate and preset may change.
        """
        if not self._wanted.rungs and self._backlog.delivered_pts != NOTHING_DELIVERED:
            self._backlog.deliver(from_pts - 1)
        self._command(self._wanted.activate(spec, from_pts))

    def deactivate(self, name: str) -> None:
        """Stop encoding a rung; frames of it that are on their way are not delivered."""
        if name in self._wanted.rungs:
            self._quality.forget(name)
            self._delivery.close_rung(name)
            self._command(self._wanted.deactivate(name))

    def activate_audio(self, output: str) -> None:
        """Encode audio as `aac` or `opus` from the next packet on."""
        if output not in self._wanted.outputs:
            self._command(self._wanted.activate_audio(output))
            self._delivery.open_audio(output)

    def deactivate_audio(self, output: str) -> None:
        """Stop encoding this audio."""
        if output in self._wanted.outputs:
            self._command(self._wanted.deactivate_audio(output))

    def force_keyframe(self, pts: int, rung: str | None = None) -> None:
        """Make the first frame with this pts or more an IDR, on one or all rungs; call before it is sent."""
        if self._wanted.rungs:
            self._command(self._wanted.force_keyframe(pts, rung))

    def send(self, packet: Packet) -> None:
        """Take a packet of the source, times on the timeline. Never blocks."""
        if self._is_over:
            return
        if packet.is_video:
            self._newest_dts = packet.dts
            self._send_video(packet)
        elif self._wanted.outputs:
            self._backlog.push(packet)
        self._bound()
        if self._session is not None:
            self._session.pump()

    def flush(self) -> None:
        """Deliver what there is, then `on_flushed`: the source is gone. It comes back with a keyframe."""
        self._flushes += 1
        self._backlog.push_flush(self._flushes)
        if self._is_over or not self._wanted.is_anything:
            self._flush_nothing()
        elif self._session is not None:
            self._session.pump()

    async def close(self) -> None:
        """Stop the worker; nothing is delivered after this."""
        self._is_over = True
        if self._taking is not None:
            self._taking.cancel()
            await asyncio.gather(self._taking, return_exceptions=True)
        if self._session is not None:
            session, self._session = self._session, None
            await session.worker.stop()

    # What the worker says.

    def on_message(self, message: Message) -> None:
        """Take a message of the worker."""
        match message:
            case Frames():
                if self._session is not None:
                    self._session.has_begun = True
                # First, since a rung that stops with this frame may be wanted again at once, from an earlier one on.
                self._backlog.deliver(message.pts)
                self._delivery.deliver_frames(message)
            case EncodedAudio():
                self._delivery.deliver_audio(message)
                self._backlog.deliver_audio(self._wanted.audio_pts)
            case Progress() if self._session is not None:
                self._session.advance(message)
            case Quality():
                self._quality.add(message, self._wanted.rungs)
            case RungOpened():
                if self._session is not None:
                    self._session.meters.restart(message.rung)
                self._delivery.open_rung(message)
            case EncoderFailed(_, encoder, reason):
                self._note_failed(f"{encoder}: {reason}")
            case Flush() | Skip():
                self._pass(message)

    def on_lost(self, reason: str) -> None:
        """Replace a worker that died or hung."""
        if self._session is not None:
            self._pool.release(self._session.worker, at_once=True)
            self._session = None
        self._recover(reason, self._backlog.current_gop())

    # Workers.

    def _command(self, message: Message) -> None:
        if self._is_over:
            return
        session, is_anything = self._session, self._wanted.is_anything
        if session is not None and is_anything and session.with_video == bool(self._wanted.rungs):
            session.worker.send(message)
            return
        # Without rungs nothing decodes video; with the first one a worker has to begin at the last keyframe.
        self._leave_worker()
        if not is_anything:
            self._flush_nothing()
        elif self._taking is None:
            self._taking = asyncio.create_task(self._take())

    def _leave_worker(self) -> None:
        if self._session is not None:
            self._pool.release(self._session.worker)
            self._session = None
            self._delivery.gap = Gap()
        self._extend_gap(self._backlog.rewind())

    async def _take(self) -> None:
        try:
            worker = await self._pool.take()
        except TranscodeError as error:
            self._taking = None
            if self._wanted.is_anything:
                self._recover(str(error), None)
            return
        self._taking = None
        if not self._wanted.is_anything:
            self._pool.release(worker)
            return
        self._extend_gap(self._backlog.rewind())
        self._session = WorkerSession(worker, self._backlog, with_video=bool(self._wanted.rungs))
        worker.attach(self)
        if self._restarts and self._pool.encoders:
            # A graphics driver is the first suspect when a worker dies or hangs; x264 is above suspicion.
            worker.send(UseEncoders((SOFTWARE,)))
        self._session.begin(self._wanted.resume(self._backlog.delivered_pts))

    def _note_failed(self, sentence: str) -> None:
        known = self._encoders_failed
        if sentence not in known and len(known) < MAX_FAILED_ENCODERS:
            known.append(sentence)
            log.warning("a hardware encoder failed, its rungs go on with x264", reason=sentence)

    def _recover(self, reason: str, gop: int | None) -> None:
        verdict = self._crashes.judge(self._clock(), gop)
        self._delivery.gap.forget_marks()
        if verdict is Verdict.GIVE_UP:
            log.error("workers keep failing, encoding stops", reason=reason)
            self._is_over = True
            self._backlog.clear()
            self._sink.on_failed(f"workers failed again and again within a minute; the last one: {reason}")
            return
        self._restarts += 1
        log.warning(
            "worker lost, another one takes over", reason=reason, skips_gop=verdict is Verdict.SKIP_GOP
        )
        if verdict is Verdict.SKIP_GOP:
            self._skipped_gops += 1
            self._backlog.rewind()
            self._extend_gap(self._backlog.skip_gop())
        self._taking = asyncio.create_task(self._take())

    # Video.

    def _send_video(self, packet: Packet) -> None:
        if not self._wanted.rungs and packet.is_keyframe:
            self._backlog.forget_video()
        if not self._backlog.push(packet):
            # An IDR's pts is its dts, so the next one lies behind this.
            self._extend_gap(packet.dts + 1)
        elif packet.is_keyframe and self._delivery.gap.is_open:
            self._extend_gap(packet.pts)
            self._delivery.gap.is_open = False

    def _bound(self) -> None:
        if not self._wanted.rungs:
            if self._backlog.is_too_large:
                self._backlog.clear()
            return
        if self._backlog.is_too_large:
            self._backlog.forget_sent()
        if self._is_overfull_for_long() or self._backlog.is_too_large:
            log.warning("encoders too slow, video dropped up to a keyframe", lag_s=round(self.stats.lag_s, 1))
            self._delivery.gap.mark(self._backlog.drop_unsent(), is_open=self._backlog.needs_keyframe)

    def _is_overfull_for_long(self) -> bool:
        if not self._backlog.is_overfull:
            self._overfull_since = None
            return False
        now = self._clock()
        if self._overfull_since is None:
            self._overfull_since = now
        return now - self._overfull_since >= PATIENCE_S

    def _pass(self, mark: Flush | Skip) -> None:
        was_ours = self._backlog.passed(mark)
        if isinstance(mark, Skip):
            if was_ours:
                self._delivery.gap.pass_mark()
            self._extend_gap(mark.until_pts)
        elif mark.number > self._flushed:
            self._flushed = mark.number
            self._sink.on_flushed()

    def _flush_nothing(self) -> None:
        """Say of each run that is still being encoded that no more of it will come."""
        if self._flushed < self._flushes:
            self._backlog.clear()
        while self._flushed < self._flushes:
            self._flushed += 1
            asyncio.get_running_loop().call_soon(self._sink.on_flushed)

    def _extend_gap(self, until_pts: int | None) -> None:
        self._delivery.extend_gap(until_pts, is_open=self._backlog.needs_keyframe)
