"""The HLS side of a broadcast: its timeline, its renditions with their writers, its window, its readers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

from media.error import LocalStateError
from media.packet import AudioTrack

from .audio_writer import AudioWriter
from .config import HlsConfig
from .delivery import Delivery
from .rendition import Rendition
from .timeline import Checkpoint, Timeline
from .variant import Variant, VariantState
from .view import AudioView, MultivariantView, PartAddress, RenditionView, Report
from .window import Window
from .writer import VideoWriter

AUDIO_NAME = "audio"

AUDIO_BANDWIDTH_BPS = 160_000
"""What sound is counted with until a segment has been measured: what encoders send and our own makes, rounded up."""


class HlsOutput:
    """Declare the renditions, drive `timeline` and the writers; delivery reads it as its `port.Broadcast`.

    Args:
        config: lengths and budgets.
        checkpoint: of an earlier process that served the same broadcast.
    """

    def __init__(self, config: HlsConfig, checkpoint: Checkpoint | None = None) -> None:
        self.config = config
        self.timeline = Timeline(config, checkpoint)
        self._window = Window(config, self.timeline)
        self._delivery = Delivery()
        self._videos: dict[str, Variant] = {}
        self._audio: AudioWriter | None = None
        self._renditions: dict[str, Rendition] = {}
        self._views: dict[str, RenditionView] = {}
        self.on_request: Callable[[str, int], None] = lambda _name, _msn: None
        """Called for each request for media, with the rendition's name and the media sequence number."""

    @property
    def size_bytes(self) -> int:
        """Media held in memory."""
        return sum(rendition.size_bytes for rendition in self._renditions.values())

    @property
    def waiting(self) -> int:
        """Requests that wait for a part now."""
        return self._delivery.waiting

    # For the broadcast's owner.

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

    # For delivery.

    @property
    def has_media(self) -> bool:
        """Whether a part has been closed and there are renditions to play it in."""
        return self.timeline.has_media and bool(self._renditions)

    def multivariant(self) -> MultivariantView | None:
        """Return all renditions; None before the first media."""
        if not self.has_media:
            return None
        listed = [variant for variant in self._videos.values() if variant.is_listed]
        listed.sort(key=lambda variant: variant.place)
        audio = self._audio.rendition if self._audio is not None else None
        return MultivariantView(tuple(variant.view(audio) for variant in listed), self._audio_view())

    def view(self, rendition: str) -> RenditionView | None:
        """Return a rendition as it is now; None when there is none of this name."""
        published = self._renditions.get(rendition)
        if published is None:
            return None
        newest_msn = max((other.last or (-1, 0))[0] for other in self._renditions.values())
        view = self._views.get(rendition)
        if view is None or (view.version, view.newest_msn) != (published.version, newest_msn):
            view = self._views[rendition] = self._build_view(published, newest_msn)
        return view

    def init(self, rendition: str, generation: int) -> bytes | None:
        """Return an initialization segment; None when there is none of this address."""
        published = self._renditions.get(rendition)
        return published.init(generation) if published is not None else None

    async def wait(self, rendition: str, msn: int, part: int | None, timeout_s: float) -> bool:
        """Wait until a rendition has a part, or the whole segment; see `port.Broadcast`."""
        published = self._renditions.get(rendition)
        return published is None or await self._delivery.wait(published, msn, part, timeout_s)

    async def get(self, rendition: str, generation: int, msn: int, part: int | None) -> bytes | None:
        """Return the bytes of a segment or a part; see `port.Broadcast`."""
        published = self._renditions.get(rendition)
        if published is None:
            return None
        self.on_request(rendition, msn)
        if part is not None:
            address = PartAddress(generation, msn, part)
            return await self._delivery.get_part(published, address, self.config.hold_limit_s)
        return await self._delivery.get_segment(published, generation, msn, self.config.hold_limit_s)

    # Inside.

    def _add_rendition(self, name: str) -> Rendition:
        segment = self.timeline.open_segment
        if name in self._renditions or (segment is not None and segment.part_ends):
            raise LocalStateError(f"rendition {name} cannot be added now")
        first_msn = segment.msn if segment is not None else self.timeline.next_msn
        rendition = self._renditions[name] = Rendition(
            name, first_msn, self._on_change, is_late=self.timeline.has_media
        )
        return rendition

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

    def _build_view(self, rendition: Rendition, newest_msn: int) -> RenditionView:
        first_msn = max(self._window.first_msn, rendition.first_msn)
        listed = [item for item in rendition.segments if item.segment.msn >= first_msn]
        return RenditionView(
            name=rendition.name,
            version=rendition.version,
            media_sequence=first_msn,
            discontinuity_sequence=self._discontinuities_before(first_msn),
            segments=tuple(item.view() for item in listed),
            hint=rendition.next_address,
            reports=tuple(self._reports(rendition)),
            is_ended=rendition.is_ended,
            newest_msn=newest_msn,
        )

    def _discontinuities_before(self, msn: int) -> int:
        segment = self.timeline.segment(msn)
        return (
            segment.discontinuities_before if segment else self.timeline.checkpoint().discontinuity_sequence
        )

    def _reports(self, rendition: Rendition) -> list[Report]:
        others = (other for other in self._renditions.values() if other is not rendition and other.is_listed)
        return [Report(other.name, *other.last) for other in others if other.last is not None]

    def _audio_view(self) -> AudioView | None:
        track = self._audio.newest_track if self._audio is not None else None
        if self._audio is None or track is None or not self._audio.rendition.is_listed:
            return None
        bandwidth = max(self._audio.rendition.peak_bps, track.bitrate_bps or AUDIO_BANDWIDTH_BPS)
        return AudioView(AUDIO_NAME, track.codec_string, track.channels, bandwidth)
