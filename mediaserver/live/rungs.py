"""The renditions of one broadcast at work: the source's own rung copied where it suits, the others encoded, one audio.

Rungs are declared at the broadcast's first keyframe and live to its end, whatever the source does later. A run of the
source may begin while the encoders still deliver the tail of the run before; `on_flushed` stands between the two.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Mapping

import structlog

from hls.output import HlsOutput
from hls.writer import Sample
from media.packet import CLOCK_HZ, AudioTrack, Packet, VideoTrack
from media.rendition import Rendition
from transcode.rung import rung_spec
from transcode.supervisor import Transcoder, WorkerPool

from .copied_run import CopiedRun
from .declaration import Declaration, declare
from .sound import Sound, suits_copy

log = structlog.get_logger(__name__)

LONG_GAP = 2 * CLOCK_HZ
"""Gaps that are told to the streamer; shorter ones are a packet lost or a worker replaced."""
GAP_WARNING = "the video cannot be decoded, or not fast enough: encoded qualities show nothing"

DRAIN_S = 1.0
"""How long an ending broadcast waits for its encoders; they are a few frames behind."""


class Rungs:
    """Takes packets on the timeline, gives each rendition its samples. Implements the transcoder's sink."""

    def __init__(
        self,
        stream_id: str,
        output: HlsOutput,
        pool: WorkerPool,
        *,
        quality: str,
        wanted: Collection[str] | None,
    ) -> None:
        self._log = log.bind(stream_id=stream_id)
        self._output = output
        self._transcoder = Transcoder(pool, self)
        self._quality = quality
        self._wanted = wanted
        self._declared = Declaration()
        self._sound: Sound | None = None
        self._source: VideoTrack | None = None
        self._copied: CopiedRun | None = None
        self._encoded: dict[str, int] = {}  # names, with the place on the timeline since when
        self._tails: deque[int] = deque()  # ends of the runs of which the encoders still have something
        self._has_no_tail = asyncio.Event()
        self._has_no_tail.set()
        self._shown_until = 0  # where the newest encoded frame lies
        self.failure: str | None = None
        """Why encoded rungs carry nothing, None while they do."""
        self.is_gap = False
        """Whether they have had nothing but gaps for a while: the source cannot be decoded, or not fast enough."""

    @property
    def names(self) -> list[str]:
        """The rungs of this broadcast, best first."""
        return self._declared.names

    @property
    def is_copying(self) -> bool:
        """Whether the top rung is the source's own bits now; then segments begin at its keyframes only."""
        return self._copied is not None

    @property
    def is_audio_missing(self) -> bool:
        """Whether silence stands in for audio that has stopped to come."""
        return self._sound is not None and self._sound.is_missing

    @property
    def should_copy(self) -> bool:
        """Whether a new run would bring a rung back that failed encoders have left without media."""
        source = self._source if self.failure is not None and not self.is_copying else None
        return source is not None and self._declared.can_copy(source)

    def begin(self, video: VideoTrack, audio: AudioTrack | None, at: int, lead: int = 0) -> None:
        """Start a run of the source at a timeline position, which is the start of a segment.

        Args:
            video: how to decode it.
            audio: None for a run without sound.
            at: in ticks.
            lead: ticks by which decoding runs ahead of presentation.
        """
        if not self._declared.renditions:
            self._declared = declare(self._output, video, audio, quality=self._quality, wanted=self._wanted)
            self._sound = self._declared.sound
            self._log.info("renditions declared", rungs=self.names)
        self._source = video
        can_copy = self._declared.can_copy(video)
        for rendition in self._declared.renditions:
            if can_copy and rendition.is_source:
                self._copy(rendition.name, video, at, lead)
            else:
                self._encode(rendition, video, at)
        self._begin_sound(audio, at)

    def cut(self, at: int) -> None:
        """Start a segment at `at`, so that encoded rungs start with an IDR there; called before its frame comes."""
        if self._encoded:
            self._transcoder.force_keyframe(at)

    def encode_source(self, at: int) -> None:
        """Go on with the source's rung encoded, from a new segment at `at` on, behind a discontinuity."""
        own = self._declared.own
        if own is None or self._source is None:
            return
        self._end_copy(at)
        self.cut(at)
        self._encode(own, self._source, at)

    def receive_video(self, packet: Packet) -> None:
        """Take a video packet on the timeline, after the timeline has been advanced to it."""
        frontier = self._output.timeline.frontier
        if self._copied is not None:
            self._copied.receive(Sample(packet.dts, packet.pts, packet.data, packet.is_keyframe), frontier)
            if self._copied.has_waited_long:
                self._take_rung(self._copied)
        self._transcoder.send(packet)
        if self.failure is not None:
            self._advance(self._encoded, frontier)
        self._advance_sound()

    def receive_audio(self, packet: Packet) -> None:
        """Take an audio packet on the timeline."""
        if isinstance(packet.track, AudioTrack) and not suits_copy(packet.track):
            self._transcoder.send(packet)
        elif self._sound is not None:
            self._sound.receive(packet)
            self._advance_sound()

    def end_run(self, at: int) -> None:
        """End a run of the source at `at`, where the timeline has closed its segment."""
        self._end_copy(at)
        if self._sound is not None:
            self._sound.end_run(at)
        if self._encoded or (self._sound is not None and self._sound.is_encoded):
            self._tails.append(at)
            self._has_no_tail.clear()
        self._transcoder.flush()
        if self.failure is not None:
            self._finish_tails()

    async def drain(self) -> None:
        """Wait, not for long, until the worker has delivered the tail of the last run; the rest becomes a gap."""
        try:
            await asyncio.wait_for(self._has_no_tail.wait(), DRAIN_S)
        except TimeoutError:
            self._log.warning("encoders did not finish in time, the last part is missing on encoded rungs")
            self._finish_tails()

    async def close(self) -> None:
        """Stop the worker."""
        await self._transcoder.close()

    # What the transcoder reports.

    def on_rung_opened(self, rung: str, track: VideoTrack) -> None:
        """Learn an encoded rung's parameter sets."""
        self._declared.writers[rung].set_track(track, self._encoded[rung])

    def on_video(self, pts: int, frames: Mapping[str, Packet]) -> None:
        """Take all rungs of one source frame."""
        self._shown_until, self.is_gap = pts, False
        for name, packet in frames.items():
            writer = self._declared.writers[name]
            writer.add(Sample(packet.dts, packet.pts, packet.data, packet.is_keyframe))
            writer.advance(pts)

    def on_audio_opened(self, output: str, track: AudioTrack) -> None:
        """Learn nothing new: all that the encoder makes is `STEREO_48K`."""

    def on_audio(self, output: str, packet: Packet) -> None:
        """Take an encoded audio packet."""
        if output == "aac" and self._sound is not None:
            self._sound.receive(packet)

    def on_gap(self, rungs: Collection[str], until_pts: int) -> None:
        """Publish gaps for frames that will never come."""
        if until_pts - self._shown_until >= LONG_GAP and not self.is_gap:
            self.is_gap = True
            self._log.warning(GAP_WARNING)
        self._advance(rungs, until_pts)

    def on_flushed(self) -> None:
        """Publish the tail of a run: the worker has delivered everything of it."""
        if not self._tails:
            return
        at = self._tails.popleft()
        self._advance(self._encoded, at)
        if self._copied is not None and self._copied.is_waiting and at >= self._copied.at:
            self._take_rung(self._copied)
        if not self._tails:
            self._has_no_tail.set()
            if self._sound is not None:
                self._sound.finish_run()

    def on_failed(self, reason: str) -> None:
        """Go on with the copied rung alone."""
        self.failure = reason
        self._log.error("encoding stopped, the source's own quality goes on", reason=reason)
        self._finish_tails()
        self._advance(self._encoded, self._output.timeline.frontier)

    # Within.

    def _copy(self, name: str, video: VideoTrack, at: int, lead: int) -> None:
        self._copied = CopiedRun(self._declared.writers[name], video, at, lead)
        if name not in self._encoded or not self._tails:
            self._take_rung(self._copied)

    def _take_rung(self, copied: CopiedRun) -> None:
        own = self._declared.own
        if own is not None and self._encoded.pop(own.name, None) is not None:
            self._transcoder.deactivate(own.name)
        copied.take_rung(self._output.timeline.frontier)

    def _end_copy(self, at: int) -> None:
        copied, self._copied = self._copied, None
        if copied is not None:
            if copied.is_waiting:
                self._take_rung(copied)
            copied.end(at)

    def _encode(self, rendition: Rendition, video: VideoTrack, at: int) -> None:
        if rendition.name in self._encoded:
            self._transcoder.force_keyframe(at, rendition.name)
            return
        self._encoded[rendition.name] = at
        self._shown_until = max(self._shown_until, at)
        pixels = video.width * video.height
        self._transcoder.activate(rung_spec(rendition, video.frame_rate, source_pixels=pixels), at)

    def _advance(self, encoded: Collection[str], until: int) -> None:
        """Publish what there is of encoded rungs; on a rung that a copied run waits for, what lies before that."""
        own = self._declared.own
        for name in encoded:
            copied = self._copied if own is not None and name == own.name else None
            self._declared.writers[name].advance(until if copied is None else min(until, copied.at))

    def _begin_sound(self, audio: AudioTrack | None, at: int) -> None:
        if self._sound is None:
            return
        self._sound.begin(audio, at)
        if self._sound.is_encoded:
            self._transcoder.activate_audio("aac")
        else:
            self._transcoder.deactivate_audio("aac")

    def _advance_sound(self) -> None:
        if self._sound is not None:
            # Segments can only begin at the newest video frame or later, so audio before it is settled.
            self._sound.advance(self._output.timeline.position)

    def _finish_tails(self) -> None:
        while self._tails:
            self.on_flushed()
