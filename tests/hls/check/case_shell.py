"""Cases of the rules that the shell applies, over real HTTP."""

from __future__ import annotations

import asyncio

from hls.check.conformance import select_records
from hls.check.fetch import HttpFetcher
from hls.check.finding import Report
from hls.check.follow import Follower, Options
from hls.check.load import load_media_playlist
from hls.check.probe import Prober
from hls.check.record import Record

from .case_multivariant import MULTIVARIANT
from .origin import Origin
from .playlists import LIVE, LL, VOD, Case, media, spoil
from .site import Page, visit

ENDED = spoil(VOD, ("#EXT-X-MAP", "#EXT-X-SERVER-CONTROL:HOLD-BACK=12.0\n#EXT-X-MAP"))
REFUSED = Page("", 400)
SEGMENT = Page(bytes(300))
LOW_LATENCY = {
    "index.m3u8": Page(LL),
    "index.m3u8?_HLS_part=0": REFUSED,
    "index.m3u8?_HLS_msn=38": REFUSED,
    "index.m3u8?_HLS_msn=x": REFUSED,
    "index.m3u8?_HLS_msn=19&_HLS_part=32": REFUSED,
    "17.m4s": SEGMENT,
}


def probed(text: str, pages: dict[str, Page]) -> Case:
    """Ask all that is asked of a playlist."""

    async def use(url: str, fetcher: HttpFetcher, report: Report) -> None:
        record = Record("index.m3u8", f"{url}index.m3u8", "media", base=url, playlist=media(text))
        await Prober(record, fetcher, report).run()

    return lambda report: visit(pages, use, report)


def followed(*faults: str) -> Case:
    """Follow an origin of low latency in virtual time."""

    def apply(report: Report) -> None:
        record = Record("index.m3u8", "https://example.com/live/index.m3u8", "media")
        asyncio.run(Follower(record, Origin(*faults), report, Options(4.0)).run({}))

    return apply


def loaded(page: Page) -> Case:
    """Load a media playlist."""

    async def use(url: str, fetcher: HttpFetcher, report: Report) -> None:
        record = Record("index.m3u8", f"{url}index.m3u8", "media")
        await load_media_playlist(fetcher, record, report)

    return lambda report: visit({"index.m3u8": page}, use, report)


def selected(*wanted: str) -> Case:
    """Choose renditions of three."""

    def apply(report: Report) -> None:
        records = [Record(name, name, "media") for name in ("720p", "480p", "audio")]
        select_records(records, Options(renditions=wanted), report)

    return apply


KEPT: tuple[Case, ...] = (
    loaded(Page(LIVE)),
    selected(),
    followed(),
)
MOSTLY_KEPT: tuple[Case, ...] = (
    probed(LL, LOW_LATENCY),
    probed(ENDED, {"index.m3u8": Page(ENDED), "1.m4s": SEGMENT}),
)
"""What keeps all rules but those that a static site cannot keep."""

BROKEN: dict[str, tuple[Case, ...]] = {
    "playlist-readable": (loaded(Page("<html>")), loaded(Page(b"\xff\xfe"))),
    "playlist-media": (loaded(Page(MULTIVARIANT)),),
    "check-complete": (selected("720p"),),
    "block-old": (
        probed(LL, LOW_LATENCY | {"index.m3u8?_HLS_msn=9": REFUSED}),
        probed(LL, LOW_LATENCY | {"index.m3u8?_HLS_msn=9": Page("<html>")}),
    ),
    "hint-other": (probed(LL, LOW_LATENCY | {"18.1001.m4s": Page(b"early")}),),
    "block-after-end": (
        probed(ENDED, {"index.m3u8": Page(ENDED), "index.m3u8?_HLS_msn=2&_HLS_skip=YES": REFUSED}),
    ),
    "reload-segment-kept": (followed("forgets"),),
    "reload-part-kept": (followed("forgets"),),
    "http-reachable": (loaded(Page("", 500)),),
    "block-part-alone": (probed(LL, {"index.m3u8": Page(LL)}),),
}
