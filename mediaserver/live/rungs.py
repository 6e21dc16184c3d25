"""The renditions of one broadcast: one rung copied from the source where it suits, the others encoded, one audio.

Rungs are declared at the broadcast's first keyframe and live to its end, whatever the source does later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction

import structlog

from hls.output import HlsOutput
from hls.writer import Sample, VideoWriter
from media.packet import AudioTrack, Packet, VideoTrack
from media.rendition import Rendition, renditions_for
from transcode.rung import RungSpec, codec_string, peak_bitrate_bps, rung_spec
from transcode.supervisor import Transcoder, WorkerPool

from .silence import SILENT_TRACK
from .sound import Sound, suits_copy

log = structlog.get_logger(__name__)

AUDIO_BITRATE_BPS = 160_000
"""Counted into each rung's BANDWIDTH: what encoders send and our own encoder makes, rounded up."""

COPY_HEADROOM = Fraction(5, 4)
"""BANDWIDTH of a copied rung over its announced rate: encoders hold a rate over seconds, not over a segment."""

DEFAULT_FRAME_RATE = Fraction(30)

DRAIN_S = 1.0
"""How long an ending broadcast waits for its encoders; they are a few frames behind."""


def suits_copy_video(track: VideoTrack) -> bool:
    """Tell whether every player decodes this source as it is: H.264, 8 bits, 4:2:0."""
    return track.codec == "h264" and track.bit_depth == 8 and track.chroma_format_idc == 1


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
        self._renditions: Sequence[Rendition] = ()
        self._writers: dict[str, VideoWriter] = {}
        self._encoded: dict[str, tuple[RungSpec, int]] = {}
        self._sound: Sound | None = None
        self._source: VideoTrack | None = None
        self._flushed = asyncio.Event()
        self._flushed.set()
        self._run_end = 0
        self.is_copying = False
        """Whether the top rung is the source's own bits now; then segments begin at its keyframes only."""
        self.failure: str | None = None
        """Why encoded rungs carry nothing, None while they do."""

    @property
    def names(self) -> list[str]:
        """The rungs of this broadcast, best first."""
        return [rendition.name for rendition in self._renditions]

    @property
    def transcoder(self) -> Transcoder:
        """The supervised worker behind the encoded rungs."""
        return self._transcoder

    def begin(self, video: VideoTrack, audio: AudioTrack | None, at: int) -> None:
        """Start a run of the source at a timeline position, which is the start of a segment."""
        if not self._renditions:
            self._declare(video, audio)
        self._source = video
        self.is_copying = False
        own = self._source_rendition
        if own is not None and suits_copy_video(video):
            self._copy(own.name, video, at)
        for rendition in self._renditions:
            if not (self.is_copying and rendition.is_source):
                self._encode(rendition, video, at)
        self._begin_sound(audio, at)

    def cut(self, at: int) -> None:
        """Start a segment at `at`, so that encoded rungs start with an IDR there; called before its frame comes."""
        if self._encoded:
            self._transcoder.force_keyframe(at)

    def encode_source(self, at: int) -> None:
        """Go on with the source's rung encoded, from a new segment at `at` on, behind a discontinuity."""
        own = self._source_rendition
        if own is None or self._source is None:
            return
        self.is_copying = False
        self._writers[own.name].advance(at)
        self.cut(at)
        self._encode(own, self._source, at)

    def receive_video(self, packet: Packet) -> None:
        """Take a video packet on the timeline, after the timeline has been advanced to it."""
        frontier = self._output.timeline.frontier
        own = self._source_rendition
        if self.is_copying and own is not None:
            writer = self._writers[own.name]
            writer.add(Sample(packet.dts, packet.pts, packet.data, packet.is_keyframe))
            writer.advance(frontier)
        self._transcoder.send(packet)
        if self.failure is not None:
            self._advance_encoded(frontier)
        self._advance_sound()

    def receive_audio(self, packet: Packet) -> None:
        """Take an audio packet on the timeline."""
        if self._sound is None:
            return
        if isinstance(packet.track, AudioTrack) and suits_copy(packet.track):
            self._sound.receive(packet)
            self._advance_sound()
        else:
            self._transcoder.send(packet)

    def end_run(self, at: int) -> None:
        """End a run of the source at `at`, where the timeline has closed its segment."""
        self._run_end = at
        own = self._source_rendition
        if self.is_copying and own is not None:
            self._writers[own.name].advance(at)
        if self._sound is not None:
            self._sound.finish_run(at)
        if self._encoded:
            self._flushed.clear()
        self._transcoder.flush()
        if self.failure is not None:
            self._advance_encoded(at)

    async def drain(self) -> None:
        """Wait, not for long, until the worker has delivered the tail of the last run; the rest becomes a gap."""
        try:
            await asyncio.wait_for(self._flushed.wait(), DRAIN_S)
        except TimeoutError:
            self._log.warning("encoders did not finish in time, the last part is missing on encoded rungs")
            self._advance_encoded(self._run_end)

    async def close(self) -> None:
        """Stop the worker."""
        await self._transcoder.close()

    # What the transcoder reports.

    def on_rung_opened(self, rung: str, track: VideoTrack) -> None:
        """Learn an encoded rung's parameter sets."""
        self._writers[rung].set_track(track, self._encoded[rung][1])

    def on_video(self, pts: int, frames: Mapping[str, Packet]) -> None:
        """Take all rungs of one source frame."""
        for name, packet in frames.items():
            writer = self._writers[name]
            writer.add(Sample(packet.dts, packet.pts, packet.data, packet.is_keyframe))
            writer.advance(pts)

    def on_audio_opened(self, output: str, track: AudioTrack) -> None:
        """Learn the encoded audio's configuration; it is the one declared, by construction of the encoder."""
        self._log.debug("audio encoder opened", output=output, codec=track.codec_string)

    def on_audio(self, output: str, packet: Packet) -> None:
        """Take an encoded audio packet."""
        if output == "aac" and self._sound is not None:
            track = SILENT_TRACK
            self._sound.receive(Packet(track, packet.pts, packet.dts, packet.data, is_keyframe=True))

    def on_gap(self, rungs: Collection[str], until_pts: int) -> None:
        """Publish gaps for frames that will never come."""
        for name in rungs:
            self._writers[name].advance(until_pts)

    def on_flushed(self) -> None:
        """Publish the tail of a run: the worker has delivered everything."""
        self._flushed.set()
        self._advance_encoded(self._run_end)

    def on_failed(self, reason: str) -> None:
        """Go on with the copied rung alone."""
        self.failure = reason
        self._flushed.set()
        self._log.error("encoding stopped, the source's own quality goes on", reason=reason)
        self._advance_encoded(self._output.timeline.frontier)

    # Renditions.

    @property
    def _source_rendition(self) -> Rendition | None:
        return next((rendition for rendition in self._renditions if rendition.is_source), None)

    def _declare(self, video: VideoTrack, audio: AudioTrack | None) -> None:
        rungs = renditions_for(video.width, video.height, video.sample_aspect_ratio, self._quality)
        if self._wanted is not None:
            rungs = [rung for rung in rungs if rung.name in self._wanted] or rungs[:1]
        self._renditions = rungs
        for rung in rungs:
            self._writers[rung.name] = self._declare_rung(rung, video)
        track = audio if audio is not None and suits_copy(audio) else SILENT_TRACK
        self._sound = Sound(self._output.add_audio(track))
        self._log.info("renditions declared", rungs=[rung.name for rung in rungs])

    def _declare_rung(self, rung: Rendition, video: VideoTrack) -> VideoWriter:
        frame_rate = video.frame_rate or DEFAULT_FRAME_RATE
        spec = rung_spec(rung, frame_rate)
        segment_s = self._output.config.segment_s
        bandwidth = peak_bitrate_bps(spec, segment_s)
        codecs = codec_string(spec)
        if rung.is_source and suits_copy_video(video):
            codecs = video.codec_string
            if video.bitrate_bps is not None:
                bandwidth = int(video.bitrate_bps * COPY_HEADROOM)
        return self._output.add_video(
            rung.name,
            width=rung.width,
            height=rung.height,
            frame_rate=frame_rate,
            codec_string=codecs,
            bandwidth_bps=bandwidth + AUDIO_BITRATE_BPS,
        )

    def _copy(self, name: str, video: VideoTrack, at: int) -> None:
        self.is_copying = True
        if self._encoded.pop(name, None) is not None:
            self._transcoder.deactivate(name)
        self._writers[name].set_track(video, at)

    def _encode(self, rendition: Rendition, video: VideoTrack, at: int) -> None:
        if rendition.name in self._encoded:
            self._transcoder.force_keyframe(at, rendition.name)
            return
        pixels = video.width * video.height
        spec = rung_spec(rendition, video.frame_rate or DEFAULT_FRAME_RATE, source_pixels=pixels)
        self._encoded[rendition.name] = (spec, at)
        self._transcoder.activate(spec, at)

    def _begin_sound(self, audio: AudioTrack | None, at: int) -> None:
        assert self._sound is not None  # noqa: S101 - `_declare` has made it
        if audio is None or suits_copy(audio):
            self._transcoder.deactivate_audio("aac")
            self._sound.begin(audio, at)
        else:
            self._transcoder.activate_audio("aac")
            self._sound.begin(SILENT_TRACK, at)

    def _advance_sound(self) -> None:
        if self._sound is not None:
            # Segments can only begin at the newest video frame or later, so audio before it is settled.
            self._sound.advance(self._output.timeline.position)

    def _advance_encoded(self, frontier: int) -> None:
        for name in self._encoded:
            self._writers[name].advance(frontier)
