"""The multivariant playlist: what it lists, and its rules (4.4.6; Apple 1, 6, 8.10 and 9)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from .document import Document
from .finding import Place, Report, Rule, Severity
from .line import Line

MAX_FRAME_RATE = 60.0
_VIDEO = ("avc1", "avc3", "hvc1", "hev1", "dvh1", "dvhe", "av01", "vp09", "mjpg", "jpeg")
_COMPATIBLE = ("avc1", "avc3")

CODECS = Rule("multivariant-codecs", "4.4.6.2, Apple 9.1", Severity.WARNING, "each variant has CODECS")
AVERAGE = Rule(
    "multivariant-average-bandwidth", "Apple 9.14", Severity.WARNING, "each variant has AVERAGE-BANDWIDTH"
)
AVERAGE_LOW = Rule(
    "multivariant-average-below-peak",
    "4.4.6.2",
    Severity.ERROR,
    "AVERAGE-BANDWIDTH is at most BANDWIDTH, which is not zero",
)
RESOLUTION = Rule(
    "multivariant-resolution", "Apple 9.2", Severity.WARNING, "each variant with video has RESOLUTION"
)
FRAME_RATE = Rule(
    "multivariant-frame-rate", "Apple 9.15", Severity.WARNING, "each variant with video has FRAME-RATE"
)
FRAME_RATE_MAX = Rule("multivariant-frame-rate-max", "Apple 1", Severity.WARNING, "no frame rate is above 60")
SCORE = Rule("multivariant-score", "Apple 9.19", Severity.WARNING, "SCORE is on every variant or on none")
GROUP = Rule("multivariant-group", "4.4.6.2", Severity.ERROR, "groups that a variant names exist")
GROUP_NAME = Rule(
    "multivariant-group-name", "4.4.6.1.1", Severity.ERROR, "renditions of a group have different names"
)
GROUP_DEFAULT = Rule(
    "multivariant-group-default", "4.4.6.1.1", Severity.ERROR, "a group has one default at most"
)
AUTOSELECT = Rule(
    "multivariant-autoselect", "4.4.6.1", Severity.ERROR, "a default rendition is not AUTOSELECT=NO"
)
MEDIA_TYPE = Rule(
    "multivariant-media-type",
    "4.4.6.1",
    Severity.ERROR,
    "TYPE is AUDIO, VIDEO, SUBTITLES (with URI) or CLOSED-CAPTIONS (with INSTREAM-ID, without URI)",
)
LANGUAGE = Rule("multivariant-language", "Apple 8.10", Severity.WARNING, "renditions have a LANGUAGE")
CHANNELS = Rule("multivariant-channels", "4.4.6.1", Severity.WARNING, "audio renditions have CHANNELS")
HEVC_ONLY = Rule(
    "multivariant-h264",
    "Apple 1",
    Severity.WARNING,
    "some of the video is H.264, which every player has",
)
HVC1 = Rule("multivariant-hvc1", "Apple 1", Severity.WARNING, "HEVC is `hvc1` and not `hev1`")
ADDRESS = Rule("multivariant-address", "4.4.6.2", Severity.ERROR, "an address follows each EXT-X-STREAM-INF")
VARIANTS = Rule("multivariant-variants", "6.2.4", Severity.ERROR, "there are variants")
IFRAMES = Rule(
    "multivariant-i-frames",
    "Apple 6.1",
    Severity.WARNING,
    "I-frame playlists are there where viewers can seek far (types VOD and EVENT)",
)


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant stream."""

    uri: str
    line: Line

    def text(self, name: str) -> str:
        """Return an attribute's text; empty when it is not there."""
        return self.line.text_of(name)

    def integer(self, name: str) -> int | None:
        """Return an attribute as an integer."""
        value = self.line.attributes.get(name)
        return value.integer if value is not None else None

    @property
    def codecs(self) -> tuple[str, ...]:
        """What CODECS lists."""
        return tuple(codec.strip() for codec in self.text("CODECS").split(",") if codec.strip())

    @property
    def has_video(self) -> bool:
        """Whether it has video, as far as its attributes tell."""
        return bool(self.text("RESOLUTION")) or any(codec.startswith(_VIDEO) for codec in self.codecs)


@dataclass(frozen=True, slots=True)
class Multivariant:
    """A multivariant playlist."""

    document: Document
    variants: tuple[Variant, ...]
    renditions: tuple[Line, ...]
    """EXT-X-MEDIA."""
    i_frames: tuple[Variant, ...]
    is_independent: bool
    orphans: tuple[Line, ...]
    """EXT-X-STREAM-INF without an address."""


def read_multivariant(document: Document) -> Multivariant:
    """Read a multivariant playlist."""
    variants: list[Variant] = []
    orphans: list[Line] = []
    pending: Line | None = None
    for line in document.lines:
        if line.tag == "EXT-X-STREAM-INF":
            orphans += [pending] if pending is not None else []
            pending = line
        elif not line.tag and pending is not None:
            variants.append(Variant(line.text, pending))
            pending = None
    orphans += [pending] if pending is not None else []
    return Multivariant(
        document=document,
        variants=tuple(variants),
        renditions=tuple(line for line in document.lines if line.tag == "EXT-X-MEDIA"),
        i_frames=tuple(
            Variant(line.attributes["URI"].text, line)
            for line in document.lines
            if line.tag == "EXT-X-I-FRAME-STREAM-INF" and "URI" in line.attributes
        ),
        is_independent=document.find("EXT-X-INDEPENDENT-SEGMENTS") is not None,
        orphans=tuple(orphans),
    )


def check_multivariant(playlist: Multivariant, name: str, report: Report) -> None:
    """Apply the rules that need nothing but the playlist."""
    place = Place(name)
    report.expect(VARIANTS, bool(playlist.variants), place, "there is none")
    report.expect(
        ADDRESS,
        not playlist.orphans,
        playlist.orphans[0].place(name) if playlist.orphans else place,
        "no address follows it",
    )
    has_score = any(variant.text("SCORE") for variant in playlist.variants)
    for variant in playlist.variants:
        at = variant.line.place(name)
        _check_variant(variant, at, report)
        report.expect(SCORE, not has_score or bool(variant.text("SCORE")), at, "others have a SCORE")
        _check_groups(variant, playlist, at, report)
    for variant in playlist.i_frames:
        report.expect(CODECS, bool(variant.codecs), variant.line.place(name), "there is no CODECS")
    video = [variant for variant in playlist.variants if variant.has_video and variant.codecs]
    if video:
        is_compatible = any(codec.startswith(_COMPATIBLE) for v in video for codec in v.codecs)
        report.expect(HEVC_ONLY, is_compatible, place, "no variant is H.264")
    _check_renditions(playlist, name, report)


def check_i_frames(playlist: Multivariant, playlist_type: str, name: str, report: Report) -> None:
    """Check that there are I-frame playlists where viewers can seek far."""
    if playlist_type in ("VOD", "EVENT") and any(variant.has_video for variant in playlist.variants):
        report.expect(IFRAMES, bool(playlist.i_frames), Place(name), "there is no EXT-X-I-FRAME-STREAM-INF")


def _check_variant(variant: Variant, at: Place, report: Report) -> None:
    report.expect(CODECS, bool(variant.codecs), at, "there is no CODECS")
    peak, average = variant.integer("BANDWIDTH"), variant.integer("AVERAGE-BANDWIDTH")
    report.expect(AVERAGE, average is not None, at, "there is no AVERAGE-BANDWIDTH")
    if peak is not None:
        detail = f"AVERAGE-BANDWIDTH is {average}, BANDWIDTH {peak}"
        report.expect(AVERAGE_LOW, peak > 0 and (average or 0) <= peak, at, detail)
    if variant.has_video:
        report.expect(RESOLUTION, bool(variant.text("RESOLUTION")), at, "there is no RESOLUTION")
        report.expect(FRAME_RATE, bool(variant.text("FRAME-RATE")), at, "there is no FRAME-RATE")
        rate = variant.line.attributes.get("FRAME-RATE")
        number = rate.number if rate is not None else None
        if number is not None:
            report.expect(FRAME_RATE_MAX, number <= MAX_FRAME_RATE, at, f"it is {number:g}")
    is_hev1 = any(codec.startswith(("hev1", "dvhe")) for codec in variant.codecs)
    report.expect(HVC1, not is_hev1, at, "it is `hev1`: parameter sets are in the samples")


def _check_groups(variant: Variant, playlist: Multivariant, at: Place, report: Report) -> None:
    known = {_group(line) for line in playlist.renditions}
    for kind in ("AUDIO", "VIDEO", "SUBTITLES", "CLOSED-CAPTIONS"):
        group = variant.line.attributes.get(kind)
        if group is not None and group.is_quoted:
            report.expect(GROUP, (kind, group.text) in known, at, f"no {kind} rendition is in {group.text!r}")


def _group(line: Line) -> tuple[str, str]:
    return line.text_of("TYPE"), line.text_of("GROUP-ID")


def _check_renditions(playlist: Multivariant, name: str, report: Report) -> None:
    names: Counter[tuple[tuple[str, str], str]] = Counter()
    defaults: Counter[tuple[str, str]] = Counter()
    for line in playlist.renditions:
        at, group = line.place(name), _group(line)
        names[group, line.text_of("NAME")] += 1
        defaults[group] += line.text_of("DEFAULT") == "YES"
        report.expect(GROUP_NAME, names[group, line.text_of("NAME")] == 1, at, "the name is there twice")
        report.expect(GROUP_DEFAULT, defaults[group] <= 1, at, "there is another default")
        is_contrary = line.text_of("DEFAULT") == "YES" and line.text_of("AUTOSELECT") == "NO"
        report.expect(AUTOSELECT, not is_contrary, at, "DEFAULT=YES, but AUTOSELECT=NO")
        report.expect(MEDIA_TYPE, _has_sound_type(line), at, "TYPE and the attributes beside it do not fit")
        if group[0] != "VIDEO":
            report.expect(LANGUAGE, bool(line.text_of("LANGUAGE")), at, "there is no LANGUAGE")
        if group[0] == "AUDIO":
            report.expect(CHANNELS, bool(line.text_of("CHANNELS")), at, "there is no CHANNELS")


def _has_sound_type(line: Line) -> bool:
    kind, has_uri = line.text_of("TYPE"), "URI" in line.attributes
    if kind == "CLOSED-CAPTIONS":
        return not has_uri and "INSTREAM-ID" in line.attributes
    return kind in ("AUDIO", "VIDEO") or (kind == "SUBTITLES" and has_uri)
