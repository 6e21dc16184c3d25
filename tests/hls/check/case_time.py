"""Cases of the rules over time, of directives, and between playlists."""

from __future__ import annotations

from dataclasses import replace

from hls.check.alignment_rules import check_alignment, check_report_truth
from hls.check.arrival_rules import check_arrivals
from hls.check.delta import merge_delta
from hls.check.directive_rules import (
    MALFORMED,
    PART_ALONE,
    PART_TOO_FAR,
    TOO_FAR,
    check_blocking,
    check_delta,
    check_hint,
    check_refusal,
)
from hls.check.exchange import Exchange
from hls.check.facts import SegmentFacts, TrackFacts
from hls.check.finding import Place, Report, Rule
from hls.check.record import Record
from hls.check.reload_rules import check_reload

from .playlists import LIVE, LL, VOD, Case, low_latency, media, spoil

URL = "https://example.com/live/a/index.m3u8"
EVENT = spoil(LIVE, ("#EXT-X-KEY", "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-KEY"))
NEXT = low_latency(11, (19, 1), old=5)


def reload(before: str, now: str) -> Case:
    """Apply the rules on two versions."""
    return lambda report: check_reload(media(before), media(now), "index.m3u8", report)


def arrivals(segment_gaps_s: list[float], part_gaps_s: list[float]) -> Case:
    """Apply the rules on when versions came."""
    return lambda report: check_arrivals(segment_gaps_s, part_gaps_s, media(LL), "index.m3u8", report)


def exchange(
    status: int = 200, body: bytes = b"", waited_s: float = 0.1, transfer_s: float = 0.0
) -> Exchange:
    """Make an exchange."""
    return Exchange(
        f"{URL}?_HLS_msn=1", status, {}, body, first_byte_s=waited_s, finished_s=waited_s + transfer_s
    )


def blocking(text: str | None, wanted: tuple[int, int | None], answer: Exchange | None = None) -> Case:
    """Apply the rules on a blocking reload."""
    playlist = media(text) if text is not None else None
    return lambda report: check_blocking(answer or exchange(), playlist, wanted, "index.m3u8", report)


def refusal(rule: Rule, status: int = 400, waited_s: float = 0.1) -> Case:
    """Apply a rule on a request that is wrong."""
    answer = exchange(status, waited_s=waited_s)
    return lambda report: check_refusal(rule, answer, Place("index.m3u8"), report, hold_s=1.0)


def delta(full: str, update: str) -> Case:
    """Apply the rules on a delta update."""
    return lambda report: check_delta(media(full), media(update), "index.m3u8", report)


def merged(full: str, update: str) -> Case:
    """Put a delta update together with the version before, and compare it with the full one."""

    def apply(report: Report) -> None:
        found = merge_delta(media(full), media(update))
        assert found is not None
        assert (found.all_segments, found.last) == (media(full).all_segments, media(full).last)
        check_reload(found, media(full), "index.m3u8", report)

    return apply


def hint(answer: Exchange, part: bytes | None = b"part") -> Case:
    """Apply the rules on the request for a hint."""
    return lambda report: check_hint(answer, part, 0.5, "index.m3u8", report)


FULL = low_latency(10, (20, 2), old=8)
SKIPPED = FULL.index("#EXT-X-PROGRAM-DATE-TIME")
DELTA = (
    FULL[:SKIPPED].replace('#EXT-X-MAP:URI="init.mp4"\n', "")
    + "#EXT-X-SKIP:SKIPPED-SEGMENTS=4\n"
    + FULL[FULL.index("13.m4s\n") + 7 :]
)
FOURTH, LATER = "#EXT-X-PROGRAM-DATE-TIME:2026-11-26T09:00:04", "#EXT-X-PROGRAM-DATE-TIME:2026-11-26T09:00:14"
CUT = (FOURTH, f'#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI="b"\n#EXT-X-KEY:METHOD=AES-128,URI="k"\n{FOURTH}')
CUT_FULL = spoil(FULL, CUT, (LATER, f"#EXT-X-DISCONTINUITY\n{LATER}"))
CUT_DELTA = spoil(DELTA, (LATER, f"#EXT-X-DISCONTINUITY\n{LATER}"))
DELTA_TOO_FAR = spoil(
    DELTA[: DELTA.index("#EXT-X-PROGRAM-DATE-TIME")] + DELTA[DELTA.index("17.m4s\n") + 7 :],
    ("SKIPPED-SEGMENTS=4", "SKIPPED-SEGMENTS=8"),
)
SHORTER = ("EXTINF:2.00000,\n16.m4s", "EXTINF:1.50000,\n16.m4s")
SHORT_FULL, SHORT_DELTA = (
    spoil(FULL, ("EXTINF:2.00000,\n13.m4s", "EXTINF:0.40000,\n13.m4s"), SHORTER),
    spoil(DELTA, SHORTER),
)
"""Eleven and a half seconds of segments and one of parts remain behind a skipped segment of 0.4 s."""
THIRD_DATE = "#EXT-X-PROGRAM-DATE-TIME:2026-11-26T09:00:04"
DISCONTINUED = spoil(LL, (THIRD_DATE, f"#EXT-X-DISCONTINUITY\n{THIRD_DATE}"))


def timed(name: str, text: str, start_s: float = 100.0, kind: str = "video", number: int = 2) -> Record:
    """Make a record of a playlist whose segments begin every four seconds."""
    record = Record(name, f"https://example.com/{name}", "media", playlist=media(text))
    for segment in media(text).segments:
        frame_s = 0.04 if kind == "video" else 0.021
        begin_s = start_s + 4 * (segment.msn - 10) + (8 if segment.msn > 12 else 0)
        track = TrackFacts(kind, begin_s, 4.0, frame_s, 100, is_key_first=True)
        moved = replace(segment, discontinuity_sequence=number + (segment.msn > 12))
        record.keep(moved, SegmentFacts("fmp4", 1000, {kind: track}))
    return record


def aligned(*records: Record) -> Case:
    """Apply the rules between playlists; the first one is as it should be."""
    return lambda report: check_alignment([timed("720p", LIVE), *records], report)


def told(stated: tuple[int, int], others: list[tuple[float, tuple[int, int]]]) -> Case:
    """Apply the rules on what a rendition report says at 10 s."""

    def apply(report: Report) -> None:
        one, other = timed("a", LIVE), timed("b", LIVE)
        one.reports, other.progress = [(10.0, other.url, stated)], others
        check_report_truth([one, other], report)

    return apply


KEPT: tuple[Case, ...] = (
    reload(LL, NEXT),
    reload(LIVE, LIVE + "#EXT-X-ENDLIST\n"),
    reload(VOD, VOD),
    reload(EVENT, EVENT + "#EXTINF:4.000,\n16.m4s\n"),
    arrivals([2.0, 2.1], [0.5] * 20),
    blocking(LL, (18, 1)),
    blocking(LL, (17, None)),
    blocking(None, (18, 1), exchange(503)),
    *(refusal(rule) for rule in (PART_ALONE, TOO_FAR, PART_TOO_FAR, MALFORMED)),
    delta(FULL, DELTA),
    delta(SHORT_FULL, SHORT_DELTA),
    merged(FULL, DELTA),
    merged(FULL, FULL),
    merged(CUT_FULL, CUT_DELTA),
    hint(exchange(body=b"part")),
    aligned(timed("480p", LIVE), timed("sound", LIVE, 100.015, "audio")),
    told((18, 1), [(8.0, (18, 0)), (11.5, (18, 3))]),
)

BROKEN: dict[str, tuple[Case, ...]] = {
    "reload-sequence": (reload(NEXT, LL),),
    "reload-sequence-count": (reload(LL, spoil(LL, ("MEDIA-SEQUENCE:10", "MEDIA-SEQUENCE:11"))),),
    "reload-segment-changed": (
        reload(LIVE, spoil(LIVE, ("EXTINF:4.000", "EXTINF:3.900"))),
        reload(LIVE, spoil(LIVE, ("12.m4s", "12b.m4s"))),
        reload(LIVE, spoil(LIVE, ("09:00:24.000Z", "09:00:24.001Z"))),
        reload(LIVE, spoil(LIVE, ("#EXT-X-DISCONTINUITY\n", ""))),
        reload(LIVE, spoil(LIVE, ("init.mp4", "init2.mp4"))),
        reload(LIVE, spoil(LIVE, ("METHOD=NONE", 'METHOD=AES-128,URI="k"'))),
        reload(LIVE, spoil(LIVE, ("12.m4s", "#EXT-X-GAP\n12.m4s"))),
    ),
    "reload-part-changed": (
        reload(LL, spoil(LL, ('"17.1.m4s"', '"17.1b.m4s"'))),
        reload(LL, spoil(LL, ('"17.1.m4s"', '"17.1.m4s",GAP=YES'))),
    ),
    "reload-backwards": (reload(LL, low_latency(10, (18, 1))), reload(LL, low_latency(10, (17, 4)))),
    "reload-discontinuity-sequence": (
        reload(LIVE, spoil(LIVE, ("DISCONTINUITY-SEQUENCE:2", "DISCONTINUITY-SEQUENCE:3"))),
        reload(DISCONTINUED, LL),
    ),
    "reload-removed-early": (reload(LL, low_latency(16, (18, 3), old=0)),),
    "reload-part-removed": (reload(LL, low_latency(10, (18, 3), old=7)),),
    "reload-type": (
        reload(
            spoil(LL, ("#EXT-X-PART-INF", "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-PART-INF")),
            spoil(NEXT, ("#EXT-X-PART-INF", "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-PART-INF")),
        ),
    ),
    "reload-final": (
        reload(LIVE + "#EXT-X-ENDLIST\n", LIVE),
        reload(VOD, spoil(VOD, ("#EXT-X-ENDLIST", "#EXTINF:1.0,\n2.m4s\n#EXT-X-ENDLIST"))),
    ),
    "reload-target-duration": (reload(LIVE, spoil(LIVE, ("TARGETDURATION:4", "TARGETDURATION:5"))),),
    "reload-part-target": (reload(LL, spoil(NEXT, ("TARGET=0.50000", "TARGET=0.50100"))),),
    "reload-server-control": (
        reload(LL, spoil(NEXT, ("HOLD-BACK=1.5", "HOLD-BACK=1.6"))),
        reload(LIVE, spoil(LIVE, ("#EXT-X-KEY", "#EXT-X-SERVER-CONTROL:HOLD-BACK=12.0\n#EXT-X-KEY"))),
    ),
    "reload-hint": (reload(LL, spoil(low_latency(10, (18, 3)), ('"18.2.m4s"', '"18.x.m4s"'))),),
    "reload-update": (arrivals([2.0, 4.5], []),),
    "reload-part-update": (arrivals([], [0.5] * 10 + [0.9] * 3),),
    "block-wanted": (
        blocking(LL, (18, 2)),
        blocking(LL, (18, None)),
        blocking(None, (18, 2), exchange(404)),
        blocking(None, (18, 2), exchange(400)),
    ),
    "block-limit": (blocking(LL, (18, 1), exchange(waited_s=8.0)),),
    "block-part-alone": (refusal(PART_ALONE, 200),),
    "block-too-far": (refusal(TOO_FAR, 200), refusal(TOO_FAR, 400, 5.0)),
    "block-part-too-far": (refusal(PART_TOO_FAR, 503),),
    "block-malformed": (refusal(MALFORMED, 500),),
    "skip-boundary": (delta(FULL, DELTA_TOO_FAR),),
    "skip-rebuilt": (
        delta(FULL, spoil(DELTA, ("SKIPPED-SEGMENTS=4", "SKIPPED-SEGMENTS=3"))),
        delta(FULL, spoil(DELTA, ("EXTINF:2.00000,\n16.m4s", "EXTINF:1.90000,\n16.m4s"))),
    ),
    "skip-done": (delta(FULL, FULL),),
    "hint-served": (hint(exchange(404)),),
    "hint-bytes": (hint(exchange(body=b"pa")),),
    "hint-speed": (hint(exchange(body=b"part", transfer_s=0.4)),),
    "align-target-duration": (aligned(timed("b", spoil(LIVE, ("TARGETDURATION:4", "TARGETDURATION:5")))),),
    "align-server-control": (
        aligned(timed("b", spoil(LIVE, ("#EXT-X-KEY", "#EXT-X-SERVER-CONTROL:HOLD-BACK=12.0\n#EXT-X-KEY")))),
    ),
    "align-type": (aligned(timed("b", spoil(LIVE, ("#EXT-X-KEY", "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-KEY")))),),
    "align-dates": (aligned(timed("b", "\n".join(x for x in LIVE.split("\n") if "DATE-TIME" not in x))),),
    "align-date-map": (aligned(timed("b", LIVE, 100.1)), aligned(timed("b", LIVE, 100.1, "audio"))),
    "align-starts": (aligned(timed("b", LIVE, 100.01)),),
    "align-discontinuities": (aligned(timed("b", LIVE, number=3)),),
    "align-audio": (aligned(timed("sound", LIVE, 100.05, "audio")),),
    "report-ahead": (told((18, 4), [(11.5, (18, 3))]),),
    "report-stale": (told((17, 3), [(8.0, (18, 0))]),),
}  # fmt: skip
