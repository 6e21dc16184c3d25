"""Playlists that keep every rule, and ways to spoil them."""

from __future__ import annotations

from collections.abc import Callable

from hls.check.document import parse_document
from hls.check.finding import Report
from hls.check.low_latency_rules import check_low_latency
from hls.check.media_playlist import MediaPlaylist
from hls.check.media_reader import read_media
from hls.check.media_rules import check_media

Case = Callable[[Report], None]

LIVE = """#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:10
#EXT-X-DISCONTINUITY-SEQUENCE:2
#EXT-X-KEY:METHOD=NONE
#EXT-X-MAP:URI="init.mp4"
#EXT-X-DATERANGE:ID="a",START-DATE="2026-11-26T09:00:00.000Z"
#EXT-X-PROGRAM-DATE-TIME:2026-11-26T09:00:00.000Z
#EXTINF:4.000,
10.m4s
#EXTINF:4.000,
11.m4s
#EXTINF:4.000,
12.m4s
#EXT-X-DISCONTINUITY
#EXT-X-PROGRAM-DATE-TIME:2026-11-26T09:00:20.000Z
#EXTINF:4.000,
13.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-11-26T09:00:24.000Z
#EXTINF:4.000,
14.m4s
#EXT-X-BYTERANGE:1000@0
#EXTINF:4.000,
15.m4s
"""

VOD = """#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:4
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-MAP:URI="init.mp4"
#EXTINF:4.000,
0.m4s
#EXTINF:3.500,
1.m4s
#EXT-X-ENDLIST
"""


def segment(msn: int, begin_s: float, parts: int = 4) -> str:
    """Write a segment of four parts of half a second, or the first of them."""
    text = f"#EXT-X-PROGRAM-DATE-TIME:2026-11-26T09:00:{begin_s:06.3f}Z\n" if parts else ""
    for index in range(parts):
        flags = ",INDEPENDENT=YES" if index == 0 else ""
        text += f'#EXT-X-PART:DURATION=0.50000,URI="{msn}.{index}.m4s"{flags}\n'
    return text + (f"#EXTINF:2.00000,\n{msn}.m4s\n" if parts == 4 else "")


def low_latency(first: int, last: tuple[int, int], *, old: int = 6, head: str = "") -> str:
    """Write a low-latency playlist.

    Args:
        first: number of the first segment.
        last: number of the open segment and how many parts it has.
        old: how many of the segments have lost their parts.
        head: more lines before the segments.
    """
    text = (
        "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n"
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5,HOLD-BACK=6.0,CAN-SKIP-UNTIL=12.0,"
        "CAN-SKIP-DATERANGES=YES\n"
        f"#EXT-X-PART-INF:PART-TARGET=0.50000\n#EXT-X-MEDIA-SEQUENCE:{first}\n{head}"
        '#EXT-X-MAP:URI="init.mp4"\n'
    )
    for msn in range(first, last[0]):
        whole = segment(msn, 2.0 * (msn - 10))
        kept = [line for line in whole.splitlines() if not line.startswith("#EXT-X-PART:")]
        text += "\n".join(kept) + "\n" if msn < first + old else whole
    text += segment(last[0], 2.0 * (last[0] - 10), last[1])
    told = (last[0], last[1] - 1) if last[1] else (last[0] - 1, 3)
    return text + (
        f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{last[0]}.{last[1]}.m4s"\n'
        f'#EXT-X-RENDITION-REPORT:URI="../b/index.m3u8",LAST-MSN={told[0]},LAST-PART={told[1]}\n'
    )


LL = low_latency(10, (18, 2))


def media(text: str) -> MediaPlaylist:
    """Read a media playlist."""
    return read_media(parse_document(text.encode()))


def spoil(text: str, *changes: tuple[str, str]) -> str:
    """Replace the first occurrence of each text, which has to be there."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def document_case(text: str | bytes) -> Case:
    """Apply the rules of any playlist."""
    data = text.encode() if isinstance(text, str) else text

    def apply(report: Report) -> None:
        parse_document(data).report("index.m3u8", report)

    return apply


def media_case(text: str) -> Case:
    """Apply the rules of one media playlist."""

    def apply(report: Report) -> None:
        playlist = media(text)
        check_media(playlist, "index.m3u8", report)
        check_low_latency(playlist, "index.m3u8", report)

    return apply
