"""Cases of the rules of any playlist, of media playlists and of low latency."""

from __future__ import annotations

from hls.check.finding import Report
from hls.check.low_latency_rules import check_reports

from .playlists import LIVE, LL, VOD, Case, document_case, media, media_case, spoil

ADDRESS = "https://example.com/live/a/index.m3u8"
SECOND_PART = '#EXT-X-PART:DURATION=0.50000,URI="17.1'
OLD_SEGMENT = "#EXTINF:2.00000,\n11.m4s"
VARIABLES = spoil(
    LIVE,
    ("VERSION:6", "VERSION:8"),
    ("#EXT-X-KEY", '#EXT-X-DEFINE:NAME="a",VALUE="10"\n#EXT-X-KEY'),
    ("10.m4s", "{$a}.m4s"),
    ("init.mp4", "init-{$a}.mp4"),
)
OTHERS = {"https://example.com/live/b/index.m3u8": "b/index.m3u8"}


def reports(text: str) -> Case:
    """Apply the rule on rendition reports."""

    def apply(report: Report) -> None:
        check_reports(media(text), "a/index.m3u8", ADDRESS, OTHERS, report)

    return apply


KEPT: tuple[Case, ...] = (
    document_case(LIVE),
    document_case(LL),
    document_case(VOD),
    document_case(VARIABLES),
    media_case(VARIABLES),
    media_case(LIVE),
    media_case(LL),
    media_case(VOD),
    reports(LL),
)

BROKEN: dict[str, tuple[Case, ...]] = {
    "playlist-encoding": (
        document_case(spoil(LIVE, ("10.m4s", "1\x070.m4s"))),
        document_case(b"\xef\xbb\xbf" + LIVE.encode()),
        document_case(LIVE.encode().replace(b"10.m4s", b"\xff.m4s")),
        document_case(spoil(LIVE, ("10.m4s", "e\u0301.m4s"))),
    ),
    "playlist-head": (document_case(spoil(LIVE, ("10.m4s", "#EXTM3U\n10.m4s"))),),
    "playlist-known-tag": (document_case(spoil(LIVE, ("10.m4s", "#EXT-X-CUE-OUT:30\n10.m4s"))),),
    "playlist-tag-value": (
        document_case(spoil(LIVE, ("TARGETDURATION:4", "TARGETDURATION:4.0"))),
        document_case(spoil(LIVE, ("SEQUENCE:10", "SEQUENCE: 10"))),
        document_case(spoil(VOD, ("ENDLIST", "ENDLIST:1"))),
        document_case(spoil(LIVE, ("10.m4s", " 10.m4s"))),
    ),
    "playlist-attribute-list": (
        document_case(spoil(LIVE, ('MAP:URI="init.mp4"', 'MAP:URI="init.mp4",'))),
        document_case(spoil(LIVE, ('MAP:URI="init.mp4"', 'MAP:URI="init.mp4'))),
        document_case(spoil(LIVE, ('MAP:URI="init.mp4"', 'MAP:URI="a",URI="b"'))),
    ),
    "playlist-attribute-kind": (
        document_case(spoil(LIVE, ('MAP:URI="init.mp4"', "MAP:URI=init.mp4"))),
        document_case(spoil(LL, ("PART-TARGET=0.50000", 'PART-TARGET="0.5"'))),
        document_case(spoil(LL, ("LAST-MSN=18", "LAST-MSN=1.8"))),
    ),
    "playlist-attribute-missing": (document_case(spoil(LL, ("TYPE=PART,", ""))),),
    "playlist-tag-once": (document_case(spoil(LIVE, ("10.m4s", "#EXT-X-VERSION:6\n10.m4s"))),),
    "playlist-one-kind": (
        document_case(spoil(LIVE, ("10.m4s", "#EXT-X-STREAM-INF:BANDWIDTH=1\n10.m4s"))),
    ),
    "playlist-variable": (
        document_case(spoil(VARIABLES, ('#EXT-X-DEFINE:NAME="a",VALUE="10"\n', ""))),
        document_case(spoil(VARIABLES, (',VALUE="10"', ""))),
        document_case(spoil(VARIABLES, ('NAME="a"', 'NAME="a",IMPORT="b"'))),
        document_case(spoil(VARIABLES, ("10\"\n", '10"\n#EXT-X-DEFINE:NAME="a",VALUE="11"\n'))),
        document_case(spoil(VARIABLES, ('NAME="a",VALUE="10"', 'IMPORT="a"'))),
        document_case(spoil(VARIABLES, ('NAME="a",VALUE="10"', 'QUERYPARAM="a"'))),
    ),
    "media-version": (
        media_case(spoil(LIVE, ("VERSION:6", "VERSION:5"))),
        media_case(spoil(VOD, ("#EXT-X-VERSION:6\n", ""))),
        media_case(spoil(LL, ("VERSION:9", "VERSION:8"), ("10.m4s", "#EXT-X-SKIP:SKIPPED-SEGMENTS=1\n10.m4s"))),
    ),
    "media-target-duration": (
        media_case(spoil(LIVE, ("#EXT-X-TARGETDURATION:4\n", ""))),
        media_case(spoil(LIVE, ("TARGETDURATION:4", "TARGETDURATION:0"))),
    ),
    "media-duration-rounded": (media_case(spoil(LIVE, ("EXTINF:4.000", "EXTINF:4.500"))),),
    "media-duration": (
        media_case(spoil(LIVE, ("#EXTINF:4.000,\n", ""))),
        media_case(spoil(LIVE, ("EXTINF:4.000", "EXTINF:four"))),
    ),
    "media-duration-decimals": (media_case(spoil(LIVE, ("EXTINF:4.000", "EXTINF:4"))),),
    "media-tag-order": (
        media_case(spoil(LIVE, ("#EXT-X-MEDIA-SEQUENCE:10\n", ""), ("11.m4s", "11.m4s\n#EXT-X-MEDIA-SEQUENCE:10"))),
        media_case(
            spoil(LIVE, ("#EXT-X-DISCONTINUITY-SEQUENCE:2", "#EXT-X-DISCONTINUITY\n#EXT-X-DISCONTINUITY-SEQUENCE:2"))
        ),
    ),
    "media-date": (media_case("\n".join(x for x in LIVE.split("\n") if "DATE-TIME" not in x)),),
    "media-date-form": (media_case(spoil(LIVE, ("2026-11-26T09:00:20.000Z", "yesterday"))),),
    "media-date-sums": (media_case(spoil(LIVE, ("09:00:24.000Z", "09:00:24.200Z"))),),
    "media-live-window": (media_case(spoil(LIVE, ("#EXTINF:4.000,\n10.m4s\n", ""))),),
    "media-discontinuity-sequence": (media_case(spoil(LIVE, ("#EXT-X-DISCONTINUITY-SEQUENCE:2\n", ""))),),
    "media-hint-at-end": (media_case(LL + "#EXT-X-ENDLIST\n"),),
    "media-type": (media_case(spoil(VOD, ("TYPE:VOD", "TYPE:LIVE"))),),
    "media-vod-end": (media_case(spoil(VOD, ("#EXT-X-ENDLIST\n", ""))),),
    "media-vod-type": (media_case(spoil(VOD, ("#EXT-X-PLAYLIST-TYPE:VOD\n", ""))),),
    "media-daterange-date": (media_case("\n".join(x for x in LIVE.split("\n") if "DATE-TIME" not in x)),),
    "media-byte-range": (media_case(spoil(LIVE, ("1000@0", "1000@"))),),
    "media-key-uri": (media_case(spoil(LIVE, ("METHOD=NONE", "METHOD=AES-128"))),),
    "media-gap": (media_case(spoil(LIVE, ("10.m4s", "#EXT-X-GAP\n10.m4s"))),),
    "media-segments": (media_case("#EXTM3U\n#EXT-X-TARGETDURATION:4\n"),),
    "ll-part-inf": (media_case(spoil(LL, ("#EXT-X-PART-INF:PART-TARGET=0.50000\n", ""))),),
    "ll-part-max": (
        media_case(spoil(LL, ("DURATION=0.50000", "DURATION=0.50100"))),
        media_case(spoil(LL, ('DURATION=0.50000,URI="18.1.m4s"', 'DURATION=0.50001,URI="18.1.m4s"'))),
    ),
    "ll-part-min": (
        media_case(spoil(LL, ('DURATION=0.50000,URI="17.1.m4s"', 'DURATION=0.42000,URI="17.1.m4s"'))),
    ),
    "ll-part-sum": (media_case(spoil(LL, ("#EXTINF:2.00000,\n17.m4s", "#EXTINF:1.90000,\n17.m4s"))),),
    "ll-part-tags": (
        media_case(spoil(LL, (SECOND_PART, f"#EXT-X-DISCONTINUITY\n{SECOND_PART}"))),
        media_case(spoil(LL, ("#EXTINF:2.00000,\n17.m4s", '#EXT-X-MAP:URI="b"\n#EXTINF:2.00000,\n17.m4s'))),
    ),
    "ll-part-hold-back": (media_case(spoil(LL, ("PART-HOLD-BACK=1.5,", ""))),),
    "ll-part-hold-back-min": (media_case(spoil(LL, ("PART-HOLD-BACK=1.5", "PART-HOLD-BACK=0.9"))),),
    "ll-part-hold-back-recommended": (media_case(spoil(LL, ("PART-HOLD-BACK=1.5", "PART-HOLD-BACK=1.25"))),),
    "ll-hold-back": (media_case(spoil(LL, (",HOLD-BACK=6.0", ",HOLD-BACK=5.9"))),),
    "ll-skip-boundary": (media_case(spoil(LL, ("CAN-SKIP-UNTIL=12.0", "CAN-SKIP-UNTIL=11.0"))),),
    "ll-skip-dateranges": (media_case(spoil(LL, ("CAN-SKIP-UNTIL=12.0,", ""))),),
    "ll-block-reload": (media_case(spoil(LL, ("CAN-BLOCK-RELOAD=YES,", ""))),),
    "ll-date": (media_case("\n".join(x for x in LL.split("\n") if "DATE-TIME" not in x)),),
    "ll-edge-parts": (media_case(LL.replace("#EXT-X-PART:", "#EXT-X-PARD:")),),
    "ll-old-parts": (media_case(spoil(LL, (OLD_SEGMENT, f'#EXT-X-PART:DURATION=0.5,URI="o"\n{OLD_SEGMENT}'))),),
    "ll-hint-kinds": (media_case(LL + '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="x"\n'),),
    "ll-hint-type": (media_case(spoil(LL, ("TYPE=PART", "TYPE=SEGMENT"))),),
    "ll-report-relative": (media_case(spoil(LL, ('URI="../b', 'URI="https://example.com/b'))),),
    "ll-report-others": (reports(spoil(LL, ("../b/index.m3u8", "../c/index.m3u8"))),),
}  # fmt: skip
