"""Rules that hold what the multivariant playlist says against what was measured (4.4.6.2, 6.2.4; Apple 9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urljoin

from .attribute import parse_integer
from .finding import Place, Report, Rule, Severity
from .initialization import Track
from .multivariant import Multivariant, Variant
from .record import Record

CODECS = Rule(
    "true-codecs", "6.2.4", Severity.ERROR, "CODECS of a variant names every format that is in its media"
)
CODECS_EXACT = Rule(
    "true-codecs-exact",
    "4.4.6.2",
    Severity.WARNING,
    "CODECS says profile and level as the initialization section does",
)
RESOLUTION = Rule(
    "true-resolution",
    "4.4.6.2",
    Severity.WARNING,
    "RESOLUTION is the size of the pictures, or of their shape",
)
FRAME_RATE = Rule(
    "true-frame-rate",
    "4.4.6.2",
    Severity.WARNING,
    "no segment has more pictures a second than FRAME-RATE says",
)
AVERAGE_VOD = Rule(
    "true-average-vod",
    "4.4.6.2, Apple 9.14",
    Severity.WARNING,
    "the average of a variant that was fetched from begin to end is below 110 % of AVERAGE-BANDWIDTH",
)
PEAK = Rule(
    "true-bandwidth",
    "4.4.6.2, Apple 9.13",
    Severity.WARNING,
    "the measured peak of a live variant is below 125 % of BANDWIDTH",
)
PEAK_VOD = Rule(
    "true-bandwidth-vod",
    "4.4.6.2, Apple 9.13",
    Severity.ERROR,
    "the measured peak of a variant that has ended is below 110 % of BANDWIDTH",
)

_FRAME_RATE_TOLERANCE = 1.02
"""FRAME-RATE has three decimals, and a picture more or less counts in a short segment."""
_LIVE_PEAK, _VOD_PEAK = 1.25, 1.10
"""Of BANDWIDTH (Apple, appendix on declared and measured values)."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A variant, and what was learnt of its playlists."""

    variant: Variant
    media: Record
    """Of its own playlist."""
    groups: tuple[Record, ...] = ()
    """Of the playlists of its audio and video groups."""

    def newest_tracks(self, *, is_first: bool) -> list[Track]:
        """List the tracks of the newest segments, of the first versions of its playlists or of the last ones."""
        return [
            track
            for record in (self.media, *self.groups)
            for track in record.newest_tracks(record.first if is_first else record.playlist)
        ]

    @property
    def tracks(self) -> list[Track]:
        """All tracks that its playlists had."""
        records = (self.media, *self.groups)
        return [track for record in records for tracks in record.tracks.values() for track in tracks]


def list_offers(multivariant: Multivariant, records: Sequence[Record], base: str) -> list[Offer]:
    """List the variants whose playlists were followed; `base` is the multivariant playlist's address."""
    by_url = {record.url: record for record in records}
    offers = []
    for variant in multivariant.variants:
        media = by_url.get(urljoin(base, variant.uri))
        groups = tuple(
            by_url[url]
            for line in multivariant.renditions
            for kind in ("AUDIO", "VIDEO")
            if "URI" in line.attributes
            and (line.text_of("TYPE"), line.text_of("GROUP-ID")) == (kind, variant.text(kind))
            and (url := urljoin(base, line.text_of("URI"))) in by_url
            # Sound alone may be a variant and of its own group: it is not there twice.
            and by_url[url] is not media
        )
        if media is not None:
            offers.append(Offer(variant, media, groups))
    return offers


def check_tracks(offer: Offer, name: str, report: Report, *, is_first: bool) -> None:
    """Hold a variant's CODECS and RESOLUTION against initialization sections.

    Args:
        offer: the variant.
        name: of the multivariant playlist.
        report: where findings go.
        is_first: whether the multivariant playlist was fetched before the media, or after it.
    """
    variant = offer.variant
    newest = offer.newest_tracks(is_first=is_first)
    place = variant.line.place(name)
    if variant.codecs:
        for track in offer.tracks:
            named = _named(variant, track)
            report.expect(CODECS, bool(named), place, f"there is {track.codec_string} (track {track.id})")
        for track in newest:
            _check_codec(variant, track, place, report)
    pictures = [track for track in newest if track.kind == "video" and track.width]
    if pictures and variant.text("RESOLUTION"):
        sizes = {f"{track.width}x{track.height}" for track in pictures}
        detail = f"the pictures have {', '.join(sorted(sizes))}"
        report.expect(RESOLUTION, any(_fits(variant, track) for track in pictures), place, detail)


def _named(variant: Variant, track: Track) -> list[str]:
    return [codec for codec in variant.codecs if _family(codec) == _family(track.codec_string)]


def _check_codec(variant: Variant, track: Track, place: Place, report: Report) -> None:
    named = _named(variant, track)
    if named:
        exact = any(_covers(codec, track.codec_string) for codec in named)
        detail = f"there is {track.codec_string} (track {track.id}), CODECS says {', '.join(named)}"
        report.expect(CODECS_EXACT, exact, place, detail)


def _family(codec: str) -> str:
    """Return what names a format; the two kinds of parameter sets of a codec count as one."""
    first = codec.partition(".")[0]
    if first == "mp4a":
        return ".".join(codec.split(".")[:2]).lower()
    return {"avc3": "avc1", "hev1": "hvc1", "encv": "avc1"}.get(first, first).lower()


def _covers(stated: str, real: str) -> bool:
    """Tell whether a codec string is true: equal, or of a higher level of the same profile (H.264)."""
    stated, real = stated.lower(), real.lower()
    if stated == real or "." not in real:
        return True
    if stated.startswith("avc") and len(stated) == len(real) == 11:
        return stated[5:7] == real[5:7] and stated[9:11] >= real[9:11]
    return stated.split(".")[1:2] == real.split(".")[1:2] and not stated.startswith("mp4a")


def _fits(variant: Variant, track: Track) -> bool:
    width, height = (parse_integer(side) for side in variant.text("RESOLUTION").partition("x")[::2])
    # Another width is what the samples' shape makes of it (4.4.6.2: the resolution at which to display).
    return height == track.height and width is not None and 2 * width > track.width > width // 2


def check_peak(offer: Offer, name: str, report: Report) -> None:
    """Hold a variant's BANDWIDTH against the measured peak of its playlist and of the largest of its groups."""
    variant, media = offer.variant, offer.media
    place = variant.line.place(name)
    stated = variant.integer("BANDWIDTH")
    peak = peak_bps(media)
    if not stated or peak is None or media.playlist is None:
        return
    peak += max((peak_bps(record) or 0.0 for record in offer.groups), default=0.0)
    report.keep_largest("largest_peak_share", peak / stated)
    detail = f"the peak is {peak / 1000:.0f} kbit/s, {100 * peak / stated:.0f} % of BANDWIDTH"
    if media.playlist.is_ended:
        report.expect(PEAK_VOD, peak <= _VOD_PEAK * stated, place, detail)
    else:
        report.expect(PEAK, peak <= _LIVE_PEAK * stated, place, detail)


def check_frame_rate(offer: Offer, name: str, report: Report) -> None:
    """Hold a variant's FRAME-RATE against the pictures in each of its segments."""
    value = offer.variant.line.attributes.get("FRAME-RATE")
    stated = value.number if value is not None else None
    rates = [
        (track.frames - 1) / track.duration_s
        for segment in offer.media.segments.values()
        if (track := segment.facts.tracks.get("video")) is not None and track.duration_s > 0.5
    ]
    if stated and rates:
        detail = f"a segment has {max(rates):.3f} a second, FRAME-RATE is {stated:g}"
        holds = max(rates) <= _FRAME_RATE_TOLERANCE * stated
        report.expect(FRAME_RATE, holds, offer.variant.line.place(name), detail)


def check_average(offer: Offer, name: str, report: Report) -> None:
    """Hold AVERAGE-BANDWIDTH against what was measured, where all segments of a variant and its groups are known."""
    stated = offer.variant.integer("AVERAGE-BANDWIDTH")
    rates = [average_bps(record) for record in (offer.media, *offer.groups)]
    own, groups = rates[0], [rate for rate in rates[1:] if rate is not None]
    if not stated or own is None or len(groups) < len(offer.groups):
        return
    average = own + max(groups, default=0.0)
    detail = f"the average is {average / 1000:.0f} kbit/s, {100 * average / stated:.0f} % of what is said"
    report.expect(AVERAGE_VOD, average <= _VOD_PEAK * stated, offer.variant.line.place(name), detail)


def average_bps(record: Record) -> float | None:
    """Return the average bit rate of a playlist that has ended; None unless all of it was fetched."""
    playlist = record.playlist
    if playlist is None or not playlist.is_ended or len(record.segments) < len(playlist.segments):
        return None
    length_s = sum(segment.duration_s for segment in record.segments.values())
    bits = sum(8 * segment.facts.size_bytes for segment in record.segments.values())
    return bits / length_s if length_s else None


def peak_bps(record: Record) -> float | None:
    """Return the peak segment bit rate of what was fetched (4.1): of runs of 0.5 to 1.5 target durations."""
    target_s = record.playlist.target_s if record.playlist is not None else None
    if not record.segments or not target_s:
        return None
    peak = None
    for first in record.segments:
        bits, length_s, msn = 0.0, 0.0, first
        while msn in record.segments and length_s < 1.5 * target_s:
            segment = record.segments[msn]
            bits, length_s, msn = bits + 8 * segment.facts.size_bytes, length_s + segment.duration_s, msn + 1
            if 0.5 * target_s <= length_s <= 1.5 * target_s:
                peak = max(peak or 0.0, bits / length_s)
    return peak
