"""What is read of a broadcast: the half of its HLS side that delivery sees, as `port.Broadcast`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from media.packet import CLOCK_HZ

from .archive import Archive
from .audio_writer import AudioWriter
from .config import HlsConfig
from .delivery import Delivery, has_reached, is_hint_settled
from .past import Past
from .port import Cancel, Told
from .published import PublishedSegment
from .rendition import Rendition
from .timeline import Timeline
from .variant import Variant
from .view import AudioView, MultivariantView, PartAddress, RenditionView, Report
from .window import Window

AUDIO_NAME = "audio"

AUDIO_BANDWIDTH_BPS = 160_000
"""What sound is counted with until a segment has been measured: what encoders send and our own makes, rounded up."""


class OutputReader:
    """Reads renditions that `output.HlsOutput` declares and fills.

    Args:
        config: lengths and budgets.
        timeline: of the broadcast.
        archive: where segments are that have left memory.
    """

    def __init__(self, config: HlsConfig, timeline: Timeline, archive: Archive | None) -> None:
        self.config = config
        self.timeline = timeline
        self._archive = archive
        self._window = Window(config, timeline, archive)
        self._delivery = Delivery()
        self._videos: dict[str, Variant] = {}
        self._audio: AudioWriter | None = None
        self._renditions: dict[str, Rendition] = {}
        self._pasts: dict[str, Past] = {}
        self._views: dict[str, RenditionView] = {}
        self.on_request: Callable[[str, int], None] = lambda _name, _msn: None
        """Called for each request for media, with the rendition's name and the media sequence number."""
        self.on_thumbnail: Callable[[int], Awaitable[bytes | None]] = _nothing
        """Makes a picture of a segment, by its media sequence number."""
        self.on_keyframe: Callable[[str, PublishedSegment], Awaitable[bytes | None]] = _nothing
        """Makes the keyframe of a rung's complete segment, as a fragment."""

    # For health and metrics.

    @property
    def size_bytes(self) -> int:
        """Media held in memory."""
        return sum(rendition.size_bytes for rendition in self._renditions.values())

    @property
    def waiting(self) -> int:
        """Requests that wait for a part now."""
        return self._delivery.waiting

    @property
    def refused(self) -> int:
        """Requests that would have had to wait for a part, and were too many."""
        return self._delivery.refused

    @property
    def rewind_s(self) -> float:
        """How far viewers can rewind."""
        first = self.timeline.segment(self._window.first_msn)
        return (self.timeline.frontier - first.start) / CLOCK_HZ if first is not None else 0.0

    @property
    def archived_bytes(self) -> int:
        """Media on disk."""
        return self._archive.size_bytes if self._archive is not None else 0

    @property
    def archive_failure(self) -> str | None:
        """Why nothing can be written to disk at present, None when it can, or nothing is to be."""
        return self._archive.failure if self._archive is not None else None

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
        variants = tuple(variant.view(audio) for variant in listed)
        return MultivariantView(variants, self._audio_view(), self.config.has_keyframe_playlists)

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

    def has_video(self, rendition: str) -> bool:
        """Tell whether a rendition of this name is a video rung."""
        return rendition in self._videos

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

    def peek(self, rendition: str, generation: int, msn: int, part: int | None) -> bytes | None:
        """Return the bytes of a segment or a part if they are in memory; see `port.Broadcast`."""
        published = self._renditions.get(rendition)
        item = published.find(generation, msn) if published is not None else None
        if item is None:
            return None
        data = item.part_data(part) if part is not None else item.data()
        if data is not None:
            self.on_request(rendition, msn)
        return data

    def call_when_reached(
        self, rendition: str, msn: int, part: int | None, told: Told, timeout_s: float
    ) -> Cancel | None:
        """Wait with a callback; see `port.Broadcast`."""
        published = self._renditions.get(rendition)
        if published is None or has_reached(published, msn, part):
            return None
        ticket = self._delivery.call(published, partial(has_reached, published, msn, part), told, timeout_s)
        return partial(self._delivery.drop, published, ticket)

    def call_when_hinted(
        self, rendition: str, address: PartAddress, told: Told, timeout_s: float
    ) -> Cancel | None:
        """Wait for the hinted part with a callback; see `port.Broadcast`."""
        published = self._renditions.get(rendition)
        if published is None or address != published.next_address:
            return None
        self.on_request(rendition, address.msn)
        is_settled = partial(is_hint_settled, published, address)
        ticket = self._delivery.call(published, is_settled, told, timeout_s)
        return partial(self._delivery.drop, published, ticket)

    async def thumbnail(self, msn: int) -> bytes | None:
        """Return a JPEG of a segment's first picture; see `port.Broadcast`."""
        return await self.on_thumbnail(msn)

    async def keyframe(self, rendition: str, generation: int, msn: int) -> bytes | None:
        """Return a segment's keyframe alone; see `port.Broadcast`. It is no demand for the rung."""
        published = self._renditions.get(rendition)
        item = published.find(generation, msn) if published is not None else None
        if item is None or not item.is_complete or item.is_gap or rendition not in self._videos:
            return None
        return await self.on_keyframe(rendition, item)

    # Inside.

    def _build_view(self, rendition: Rendition, newest_msn: int) -> RenditionView:
        first_msn = max(self._window.first_msn, rendition.first_msn)
        recent = rendition.since(max(first_msn, rendition.settled_msn))
        return RenditionView(
            name=rendition.name,
            version=rendition.version,
            media_sequence=first_msn,
            discontinuity_sequence=self._discontinuities_before(first_msn),
            past=self._pasts[rendition.name].views(first_msn),
            segments=tuple(item.view() for item in recent),
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


async def _nothing(*_: object) -> None:
    """Make nothing."""
