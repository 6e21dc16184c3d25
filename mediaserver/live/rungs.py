"""The renditions of one broadcast at work: rungs copied where the source suits, the others encoded, one audio.

What fills a rung is decided anew for each run of the source (`plan`); the rungs themselves live to the broadcast's end.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

import structlog

from hls.output import HlsOutput
from hls.writer import VideoWriter
from media.packet import AudioTrack, Packet
from transcode.cost import decode_cost, encode_cost
from transcode.port import TranscoderStats
from transcode.rung import RungSpec
from transcode.slate import SlateRung
from transcode.supervisor import WorkerPool

from .burden import Burden
from .copied_rungs import CopiedRungs
from .declaration import Declaration
from .encoding import Encoding
from .ladder import Ladder
from .past import SegmentRenderer
from .plan import Copy, Encode, Feed, Tracks, feed_of, spec_of
from .relay import Relay
from .rung_state import RungStates
from .sound import Sound

log = structlog.get_logger(__name__)


class Rungs:
    """Takes packets on the timeline, gives each rendition its samples.

    Args:
        stream_id: names the broadcast in logs.
        output: the HLS side.
        pool: codec workers.
        quality: the best rung.
        wanted: the rungs to make at all, None for all.
        renderer: makes segments when they are asked for; None: every rung is made all the time.
        admit: asked before a rung wakes whether there is room for it: its name, cores for it and for decoding.
    """

    def __init__(
        self,
        stream_id: str,
        output: HlsOutput,
        pool: WorkerPool,
        *,
        quality: str,
        wanted: Collection[str] | None,
        renderer: SegmentRenderer | None = None,
        admit: Callable[[str, float, float], bool] = lambda _name, _cost, _base: True,
    ) -> None:
        self._log = log.bind(stream_id=stream_id)
        self._timeline = output.timeline
        self._declared = Declaration(output, quality=quality, wanted=wanted)
        self._encoding = Encoding(
            stream_id, output, pool, self._declared, on_tail=self._on_tail, on_stopped=self._on_stopped
        )
        self._admit = admit
        self._ladder = Ladder(
            stream_id,
            output,
            self._declared,
            self._encoding,
            renderer,
            admit=self._has_room,
            on_change=self._on_change,
        )
        self.burden = Burden(
            stream_id,
            self._ladder,
            self._encoding,
            video=lambda: self._tracks.video,
            has_copy=lambda: self.is_copying,
        )
        """The encoders, as the machine's governor sees and steers them."""
        self._copied = CopiedRungs(output.timeline, self._declared, self._encoding)
        self.states = RungStates(self._declared, self._copied, self._ladder, self._encoding)
        """Every rung as its streamer sees it, best first."""
        self.relay = Relay(
            stream_id,
            output.timeline,
            pool,
            declared=self._declared,
            encoding=self._encoding,
            ladder=self._ladder,
            states=self.states,
            admit=admit,
        )
        """What there is for WebRTC."""
        self._tracks = Tracks(None)

    @property
    def names(self) -> list[str]:
        """The rungs of this broadcast, best first."""
        return list(self._declared.renditions)

    @property
    def writers(self) -> Mapping[str, VideoWriter]:
        """Their HLS side, by name."""
        return self._declared.writers

    def spec_at(self, name: str, position: int) -> RungSpec | None:
        """Say how encoders fill a rung at a place on the timeline, None when they do not."""
        return self._ladder.spec_at(name, position)

    @property
    def is_copying(self) -> bool:
        """Whether a rung is the source's own bits now; then segments begin at its keyframes only."""
        return self._copied.is_copying

    @property
    def is_encoding(self) -> bool:
        """Whether any rung is encoded now."""
        return self.failure is None and bool(self._encoding.names)

    @property
    def is_audio_missing(self) -> bool:
        """Whether silence stands in for audio that has stopped to come."""
        sound = self._declared.sound
        return sound is not None and sound.is_missing

    @property
    def misaligned(self) -> list[str]:
        """Rungs whose companion track has no keyframe where segments begin."""
        return self._copied.misaligned

    @property
    def should_copy(self) -> bool:
        """Whether a new run would bring a rung back that failed encoders have left without media."""
        if self.failure is None or self.is_copying:
            return False
        rungs = self._declared.renditions.values()
        return any(isinstance(feed_of(rung, self._tracks, may_copy=True), Copy) for rung in rungs)

    @property
    def failure(self) -> str | None:
        """Why encoded rungs carry nothing, None while they do."""
        return self._encoding.failure

    @property
    def is_gap(self) -> bool:
        """Whether encoded rungs have had nothing but gaps for a while."""
        return self._encoding.is_gap

    @property
    def stats(self) -> TranscoderStats:
        """How the encoders are doing."""
        return self._encoding.stats

    def slate_specs(self) -> list[RungSpec]:
        """Say how a slate is encoded for each rung: as the rung is, or at the size of what is copied into it."""
        video, rungs = self._tracks.video, self._declared.renditions.values()
        if video is None:
            return []
        feeds = (feed_of(rung, self._tracks, may_copy=False) for rung in rungs)
        return [spec_of(feed.rendition, video) for feed in feeds if isinstance(feed, Encode)]

    def begin(self, tracks: Tracks, at: int, leads: Mapping[int, int]) -> None:
        """Start a run of the source at a timeline position, which is the start of a segment.

        Args:
            tracks: what it brings.
            at: in ticks.
            leads: ticks by which decoding runs ahead of presentation, by track id.
        """
        added = self._declared.extend(tracks)
        if added:
            self._log.info("renditions declared", rungs=added)
        self._tracks = tracks
        self._copied.begin()
        feeds = dict(self._feeds())
        self._ladder.leave([name for name, feed in feeds.items() if not isinstance(feed, Encode)])
        self._pin_reference(feeds)
        for name, feed in feeds.items():
            if isinstance(feed, Copy):
                number = tracks.main_id if feed.companion is None else feed.companion
                self._copied.copy(name, feed, at, leads.get(number, 0))
            else:
                self._encode_or_leave(name, feed, at)
        self._begin_sound(tracks.audio, at)
        self.relay.begin(tracks)

    def begin_slate(self, slate: Mapping[str, SlateRung], at: int) -> None:
        """Fill every rung with its slate, and the audio with silence, from the segment that starts at `at` on."""
        self._copied.begin()
        self._ladder.leave(list(self._declared.renditions))
        for name in self._declared.renditions:
            if name in slate:
                self._copied.show(name, slate[name], at)
            else:
                self._copied.leave(name)
        self._begin_sound(None, at)
        self.relay.begin_slate()

    def cut(self, at: int) -> None:
        """Start a segment at `at`, so that encoded rungs start with an IDR there; called before its frame comes."""
        self._ladder.cut(at)
        self._encoding.cut(at)
        self.relay.cut(at)

    def encode_source(self, at: int) -> None:
        """Go on with copied rungs encoded, from a new segment at `at` on, behind a discontinuity."""
        copied = self._copied.stop_copying(at)
        self.cut(at)
        feeds = {
            name: feed_of(self._declared.renditions[name], self._tracks, may_copy=False) for name in copied
        }
        self._pin_reference(feeds)
        for name, feed in feeds.items():
            self._encode_or_leave(name, feed, at)
        self.relay.note_change()

    def receive_video(self, packet: Packet) -> None:
        """Take a packet of the main video, after the timeline has been advanced to it."""
        self._copied.receive_video(packet)
        self._encoding.send(packet)
        self.relay.receive_video(packet)
        self._ladder.advance()
        self._advance_sound()

    def receive_companion(self, track_id: int, packet: Packet) -> None:
        """Take a packet of another of the streamer's renditions."""
        self._copied.receive_companion(track_id, packet)

    def receive_slate(self, index: int, at: int) -> None:
        """Show picture `index` of the slate at `at`, after the timeline has been advanced to it."""
        self._copied.receive_slate(index, at)
        self._advance_sound()

    def receive_audio(self, packet: Packet) -> None:
        """Take an audio packet on the timeline."""
        sound = self._declared.sound
        if sound is not None and sound.is_encoded:
            self._encoding.send(packet)
        elif sound is not None:
            sound.receive(packet)
        self.relay.receive_audio(packet)
        self._advance_sound()

    def end_run(self, at: int) -> None:
        """End a run of the source, or of the slate, at `at`, where the timeline has closed its segment."""
        self._copied.end(at)
        self._ladder.end_run(at)
        if self._declared.sound is not None:
            self._declared.sound.end_run(at)
        self._encoding.end_run(at)
        self.relay.end_run()

    async def drain(self) -> None:
        """Wait, not for long, until the worker has delivered the tail of the last run."""
        await self._encoding.drain()

    async def close(self) -> None:
        """Stop the workers."""
        await self.relay.close()
        await self._ladder.close()
        await self._encoding.close()

    # Within.

    def _feeds(self) -> Iterator[tuple[str, Feed]]:
        for name, rendition in self._declared.renditions.items():
            yield name, feed_of(rendition, self._tracks)

    def _encode_or_leave(self, name: str, feed: Feed, at: int) -> None:
        if isinstance(feed, Encode) and self._tracks.video is not None:
            self._ladder.begin(spec_of(feed.rendition, self._tracks.video), at)
        else:
            self._copied.leave(name)

    def _pin_reference(self, feeds: Mapping[str, Feed]) -> None:
        """Have one rung made in any case, the best one, where nothing is copied: others are made from it."""
        has_copy = any(isinstance(feed, Copy) for feed in feeds.values())
        encoded = [name for name, feed in feeds.items() if isinstance(feed, Encode)]
        self._ladder.demand.pin_only(None if has_copy or not encoded else encoded[0])

    def _has_room(self, spec: RungSpec) -> bool:
        video = self._tracks.video
        return video is None or self._admit(spec.name, encode_cost(spec), decode_cost(video))

    def _on_tail(self, at: int) -> None:
        self._copied.on_tail(at)

    def _on_stopped(self, name: str) -> None:
        self._ladder.on_stopped(name)

    def _on_change(self) -> None:
        self.relay.note_change()

    def _begin_sound(self, audio: AudioTrack | None, at: int) -> None:
        sound: Sound | None = self._declared.sound
        if sound is not None:
            sound.begin(audio, at)
            self._encoding.want_audio(sound.is_encoded)

    def _advance_sound(self) -> None:
        if self._declared.sound is not None:
            # Segments can only begin at the newest frame or later, so audio before it is settled.
            self._declared.sound.advance(self._timeline.position)
