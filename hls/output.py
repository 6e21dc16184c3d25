"""The HLS side of a broadcast: its timeline, its renditions with their writers."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TypeVar

from media.error import LocalStateError
from media.packet import AudioTrack, VideoTrack

from .archive import Archive
from .audio_writer import AudioWriter
from .config import HlsConfig
from .past import Past
from .reader import AUDIO_NAME, OutputReader
from .rendition import Rendition
from .restored import Restored
from .timeline import Checkpoint, Timeline
from .variant import Variant, VariantState
from .writer import VideoWriter

Track = TypeVar("Track", VideoTrack, AudioTrack)


class HlsOutput(OutputReader):
    """Declare the renditions, drive `timeline` and the writers; delivery reads it as its `port.Broadcast`.

    Args:
        config: lengths and budgets.
        checkpoint: of an earlier process that served the same broadcast.
        archive: where segments go that viewers can rewind to; None: what is in memory is all.
        past: what that process has left there.
    """

    def __init__(
        self,
        config: HlsConfig,
        checkpoint: Checkpoint | None = None,
        archive: Archive | None = None,
        past: Restored | None = None,
    ) -> None:
        self._restored = past or Restored([], {})
        super().__init__(config, Timeline(config, checkpoint, self._restored.segments), archive)

    def add_video(
        self,
        name: str,
        *,
        width: int,
        height: int,
        frame_rate: Fraction,
        codec_string: str,
        bandwidth_bps: int,
        average_bandwidth_bps: int | None = None,
    ) -> VideoWriter:
        """Declare a video rung, at the start of a run or while no source is there.

        It begins with the segment that is open then, or the next one. One that comes when others have media already
        is told to newcomers once it has media itself.

        Args:
            name: as in addresses, such as `720p`, or `720p-av1` for the same picture in another codec.
            width: of the picture in pixels; like height and codec, a track that is set later overrules it.
            height: of the picture in pixels.
            frame_rate: nominal frames per second.
            codec_string: as in CODECS.
            bandwidth_bps: highest rate of a segment, audio included; raised when a segment turns out larger.
            average_bandwidth_bps: mean rate, audio included, until it has been measured.

        Raises:
            LocalStateError: the name is taken, or a part of the open segment has closed.
        """
        writer = VideoWriter(self.timeline, self._add_rendition(name))
        writer.remember(self._tracks_of(name, VideoTrack))
        self._videos[name] = Variant(
            name=name,
            writer=writer,
            width=width,
            height=height,
            codec_string=codec_string,
            frame_rate=frame_rate,
            bandwidth_bps=bandwidth_bps,
            average_bandwidth_bps=average_bandwidth_bps or bandwidth_bps,
        )
        return writer

    def redeclare(
        self, name: str, *, frame_rate: Fraction | None = None, bandwidth_bps: int | None = None
    ) -> None:
        """Change what newcomers are told of a rung that carries another source now.

        Args:
            name: of the rung.
            frame_rate: nominal frames per second.
            bandwidth_bps: highest rate of a segment, audio included. It is never lowered: what was listed is still
                in the playlist.
        """
        variant = self._videos[name]
        variant.frame_rate = frame_rate or variant.frame_rate
        variant.bandwidth_bps = max(variant.bandwidth_bps, bandwidth_bps or 0)

    def set_state(self, name: str, state: VariantState) -> None:
        """Say whether a rung is made now: newcomers are led to one that is, and not told of one that cannot be had."""
        variant = self._videos[name]
        if variant.state is not state:
            variant.state = state
            variant.writer.set_hints(state is not VariantState.SHED)

    def add_audio(self, track: AudioTrack) -> AudioWriter:
        """Declare the audio rendition, when a video rung might be; the first `set_track` begins its first run."""
        segment = self.timeline.open_segment
        self._audio = AudioWriter(self.timeline, self._add_rendition(AUDIO_NAME), self.config.part_s)
        self._audio.remember(self._tracks_of(AUDIO_NAME, AudioTrack))
        self._audio.set_track(track, segment.start if segment else self.timeline.position)
        return self._audio

    def finish(self) -> None:
        """End the broadcast: close the open segment, turn what is missing into gaps, end every playlist."""
        self.timeline.end_segment(self.timeline.position)
        self._advance_all(self.timeline.position)
        for rendition in self._renditions.values():
            rendition.finish()

    def close(self) -> None:
        """Release all waiting requests: the server stops. The playlists do not end."""
        self._delivery.close()

    # Inside.

    def _add_rendition(self, name: str) -> Rendition:
        segment = self.timeline.open_segment
        if name in self._renditions or (segment is not None and segment.part_ends):
            raise LocalStateError(f"rendition {name} cannot be added now")
        first_msn = segment.msn if segment is not None else self.timeline.next_msn
        past = self._restored.renditions.get(name)
        if past is not None and past.items[-1].segment.msn + 1 != first_msn:
            past = None  # segments have been published without it
        rendition = self._renditions[name] = Rendition(
            name,
            first_msn,
            self._on_change,
            is_late=self.timeline.has_media,
            archive=self._archive,
            past=past,
        )
        self._pasts[name] = Past(rendition)
        return rendition

    def _tracks_of(self, name: str, kind: type[Track]) -> dict[int, Track]:
        past = self._restored.renditions.get(name)
        found = past.tracks if past is not None else {}
        return {generation: track for generation, track in found.items() if isinstance(track, kind)}

    def _on_change(self, rendition: Rendition) -> None:
        first_msn = self._window.first_msn
        oldest = {other: other.oldest_msn for other in self._renditions.values()}
        self._window.trim(oldest)
        for other, msn in oldest.items():
            if other.oldest_msn != msn:
                self._delivery.wake(other)  # whoever waits for what has been dropped
        if self._window.first_msn != first_msn:
            self._advance_stragglers()
            self.timeline.drop_before(
                min([self._window.first_msn, *(writer.msn for writer in self._writers())])
            )
            if self._archive is not None:
                self._archive.ledger.drop_before(min(other.oldest_msn for other in self._renditions.values()))
        self._delivery.wake(rendition)

    def _writers(self) -> Iterator[VideoWriter | AudioWriter]:
        yield from (variant.writer for variant in self._videos.values())
        if self._audio is not None:
            yield self._audio

    def _advance_stragglers(self) -> None:
        """Give up on what a writer has not published when its segment leaves the playlists."""
        first = self.timeline.segment(self._window.first_msn)
        if first is not None:
            self._advance_all(first.start)

    def _advance_all(self, frontier: int) -> None:
        for variant in self._videos.values():
            variant.writer.advance(frontier)
        if self._audio is not None:
            self._audio.advance(frontier, frontier)
