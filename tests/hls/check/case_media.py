"""Cases of the rules of fMP4 and MPEG-TS."""

from __future__ import annotations

from hls.check.content import Content
from hls.check.finding import Report
from hls.check.media_playlist import Resource
from hls.check.record import Record

from .media_bytes import (
    IDR,
    KEY,
    PICTURES,
    Sample,
    box,
    fragment,
    initialization,
    packet,
    pictures,
    tables,
    track,
    transport,
)
from .playlists import LIVE, LL, Case, media, spoil

MAP = Resource("init.mp4")
SHORT = LIVE.replace("4.000", "0.400").replace("#EXT-X-DISCONTINUITY\n", "")


def inits(data: bytes) -> Case:
    """Judge an initialization section."""
    return lambda report: Content(Record("a", "https://example.com/a", "media"), report).initialization(
        MAP, data
    )


def segments(*bodies: bytes, text: str = SHORT, init: bytes | None = PICTURES) -> Case:
    """Judge the first segments of a playlist, each of ten pictures of 40 ms unless spoilt."""

    def apply(report: Report) -> None:
        playlist = media(text)
        content = Content(Record("a", "https://example.com/a", "media", playlist=playlist), report)
        if init is not None:
            content.initialization(MAP, init)
        for segment, body in zip(playlist.segments, bodies, strict=False):
            content.segment(segment, body)

    return apply


def i_frames(*bodies: bytes) -> Case:
    """Judge segments of an I-frame playlist."""

    def apply(report: Report) -> None:
        playlist = media(LIVE)
        content = Content(Record("i", "https://example.com/i", "i-frames", playlist=playlist), report)
        content.initialization(MAP, PICTURES)
        for segment, body in zip(playlist.segments, bodies, strict=False):
            content.segment(segment, body)

    return apply


def parts(*bodies: bytes, whole: bytes | None = None, text: str = LL) -> Case:
    """Judge parts of half a second of segment 17, and the segment when its bytes are given."""

    def apply(report: Report) -> None:
        segment = next(s for s in media(text).segments if s.msn == 17)
        content = Content(Record("a", "https://example.com/a", "media"), report)
        content.initialization(MAP, PICTURES)
        for index, body in enumerate(bodies):
            content.part(segment, index, body, None)
        if whole is not None:
            content.segment(segment, whole)

    return apply


def next_segment(seen: int, start: int, text: str = LL) -> Case:
    """Judge the first parts of segment 17, and the first of 18, which starts in place of part `start`."""

    def apply(report: Report) -> None:
        playlist = media(text)
        before, segment = playlist.all_segments[-2:]
        content = Content(Record("a", "https://example.com/a", "media"), report)
        content.initialization(MAP, PICTURES)
        for index, body in enumerate(FOUR[:seen]):
            content.part(before, index, body, None)
        content.part(segment, 0, part(start, is_key=True), before)

    return apply


def part(index: int, *, is_key: bool | None = None) -> bytes:
    """Build a part of 12.5 pictures, the last one of 20 ms more or less."""
    key = index == 0 if is_key is None else is_key
    samples = [KEY if key else Sample(), *[Sample()] * 10, Sample(duration=5400)]
    return fragment(90_000 + 45_000 * index, samples)


FOUR = [part(index) for index in range(4)]
TEN = 36_000
FALSE_KEYS = [Sample(is_sync=True)] * 10

KEPT: tuple[Case, ...] = (
    inits(PICTURES),
    inits(initialization(track(1, "avc1"), track(2, "mp4a"))),
    inits(initialization(track(1, "avc1", edits=((0, 7200),)), track(2, "mp4a", edits=((0, 1024),)))),
    segments(pictures(TEN, 10), pictures(2 * TEN, 10)),
    i_frames(pictures(TEN, 1), pictures(TEN * 9, 1)),
    parts(*FOUR, whole=b"".join(FOUR)),
    next_segment(4, 4),
    next_segment(2, 4),  # nobody fetched the other two
    segments(
        transport(TEN, 10),
        transport(2 * TEN, 10, counter=10),
        text=SHORT.replace('#EXT-X-MAP:URI="init.mp4"\n', ""),
    ),
    segments(transport((1 << 33) - TEN, 10), transport(0, 10, counter=10)),
)

BROKEN: dict[str, tuple[Case, ...]] = {
    "fmp4-init": (inits(b"garbage."), inits(box("ftyp")), inits(initialization()), inits(PICTURES[:200])),
    "fmp4-init-boxes": (
        inits(initialization(track(1, "avc1"), head=b"")),
        inits(initialization(track(1, "avc1"), extends=False)),
        inits(PICTURES + box("mdat")),
    ),
    "fmp4-init-edits": (
        inits(initialization(track(1, "avc1", edits=((1000, -1), (0, 0))))),
        inits(initialization(track(1, "mp4a", edits=((0, 9600),)))),
    ),
    "fmp4-hvc1": (inits(initialization(track(1, "hev1"))),),
    "fmp4-map": (segments(pictures(TEN, 10), text=spoil(SHORT, ('#EXT-X-MAP:URI="init.mp4"\n', ""))),),
    "fmp4-readable": (
        segments(box("styp") + b"\0\0\0\x09moof"),
        segments(box("styp")),
        segments(pictures(TEN, 10)[:-5]),
        segments(pictures(TEN, 10), init=initialization(track(7, "avc1"))),
    ),
    "fmp4-boxes": (segments(box("styp") + box("moov") + pictures(TEN, 10)),),
    "fmp4-fragment": (
        segments(fragment(None, [KEY] * 10)),
        segments(fragment(TEN, [KEY] * 10, shift=1)),
        segments(pictures(TEN, 10) + pictures(2 * TEN, 10)[: -8 - 90]),
    ),
    "fmp4-continuous": (
        segments(pictures(TEN, 10), pictures(2 * TEN + 1900, 10)),
        segments(pictures(TEN, 10), pictures(2 * TEN - 1900, 10)),
        segments(pictures(TEN, 5) + pictures(3 * TEN, 5)),
        parts(part(0), part(0)),
        next_segment(4, 5),
    ),
    "fmp4-duration": (segments(pictures(TEN, 12)), segments(pictures(TEN, 8)), parts(pictures(TEN, 10))),
    "fmp4-key-first": (
        i_frames(pictures(TEN, 1, is_key=False)),
        segments(pictures(TEN, 10, is_key=False)), segments(fragment(TEN, FALSE_KEYS))),
    "fmp4-sync-true": (segments(fragment(TEN, [Sample(IDR)] * 10)), segments(fragment(TEN, FALSE_KEYS))),
    "fmp4-offsets": (segments(fragment(TEN, [KEY, Sample(offset=-3600), *[Sample()] * 8])),),
    "fmp4-independent": (parts(part(0, is_key=False)), parts(part(0), part(1, is_key=True))),
    "fmp4-part-bytes": (parts(*FOUR, whole=b"".join([*FOUR[:3], part(4)])),),
    "ts-readable": (
        segments(b"G" + bytes(186)),
        segments(transport(TEN, 10).replace(b"G\x41\0", b"H\x41\0")),
        segments(b"G" * 100),
        segments(packet(256, 0, b"a")[:4] + b"\xff" + bytes(183)),
    ),
    "ts-tables": (segments(transport(TEN, 10)[len(tables()) :]), segments(transport(TEN, 10)[2 * 188 :] + tables())),
    "ts-continuous": (
        segments(transport(TEN, 5) + transport(2 * TEN, 5, counter=7)[len(tables()) :]),
        segments(transport(TEN, 10), transport(2 * TEN, 10, counter=11)),
        segments(transport(TEN, 10), transport(3 * TEN, 10, counter=10)),
        segments(transport(TEN, 10), transport(TEN, 10, counter=10)),
    ),
    "ts-key-first": (segments(transport(TEN, 10, is_key=False)),),
    "ts-duration": (segments(transport(TEN, 14)),),
    "ts-times": (segments(transport(TEN, 10, is_timed=False)),),
    "media-inspected": (
        segments(b"ID3 packed audio"),
        segments(b"WEBVTT\n"),
        segments(b"garbage of no kind"),
        segments(pictures(TEN, 10), text=spoil(SHORT, ("METHOD=NONE", 'METHOD=AES-128,URI="k"'))),
    ),
}  # fmt: skip
