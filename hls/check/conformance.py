"""Checks an address: finds its playlists, follows all of them at once, compares them, asks the rest."""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import urljoin

from media.error import MediaServerError

from .alignment_rules import check_alignment, check_report_truth
from .attribute import PlaylistError
from .document import Document, parse_document
from .exchange import Exchange, Fetcher, FetchError
from .finding import Place, Report, Rule, Severity
from .follow import Follower, Options
from .http_rules import check_connection, check_playlist_answer, check_redirects
from .measured_rules import check_average, check_frame_rate, check_peak, check_tracks, list_offers
from .media_rules import INDEPENDENT
from .multivariant import Multivariant, check_i_frames, check_multivariant, read_multivariant
from .probe import Prober
from .record import I_FRAMES, SUBTITLES, Record

MAX_PLAYLISTS = 64
"""That are followed at once. A presentation with more is checked in pieces, with `--rendition`."""

LEFT_OUT = Rule("check-complete", "-", Severity.NOTE, "all playlists of the presentation were followed")


class CheckError(MediaServerError):
    """The address could not be checked."""


async def check_address(url: str, fetcher: Fetcher, options: Options, report: Report) -> None:
    """Check a multivariant or media playlist, and all that it leads to.

    Args:
        url: of it.
        fetcher: makes the requests.
        options: what to check.
        report: where findings go; it fills while the check goes on.

    Raises:
        CheckError: there is no playlist at the address, or nothing of its media could be looked at.
    """
    exchange, document = await _load(url, fetcher)
    base, name = exchange.final_url or url, _short(exchange.final_url or url)
    check_redirects(exchange, name, report)
    multivariant = None
    if document.is_multivariant:
        document.report(name, report)
        multivariant = read_multivariant(document)
        report.seen["multivariant playlists"] += 1
        check_connection(exchange, name, report, is_low_latency=False)
        check_playlist_answer(exchange, name, report, target_s=None, is_live=True, is_blocking=False)
        check_multivariant(multivariant, name, report)
        records = select_records(_list_records(multivariant, base), options, report)
    else:
        records = [Record(name, base, "media")]
    await _follow(records, fetcher, report, options)
    check_alignment(records, report)
    check_report_truth(records, report)
    if multivariant is not None:
        await _check_measured(multivariant, records, base, fetcher, report)
    check_independent(multivariant, records, report)
    if not report.seen["segments"]:
        errors = [finding for finding in report.findings if finding.rule.severity is Severity.ERROR]
        reasons = "; ".join(f"{finding.place.name}: {finding.detail}" for finding in errors[:3])
        raise CheckError(f"no segment could be looked at ({reasons or 'none is listed'})")


async def _load(url: str, fetcher: Fetcher) -> tuple[Exchange, Document]:
    try:
        exchange = await fetcher.fetch(url)
        if not exchange.is_ok:
            raise CheckError(f"{url} is answered with {exchange.status}")
        return exchange, parse_document(exchange.body, exchange.final_url or url)
    except (FetchError, PlaylistError) as error:
        raise CheckError(str(error)) from None


def _short(url: str) -> str:
    return url.partition("?")[0].rsplit("/", 1)[-1] or url


def _list_records(multivariant: Multivariant, base: str) -> list[Record]:
    roles: dict[str, tuple[str, str]] = {}
    for variant in multivariant.variants:
        roles.setdefault(urljoin(base, variant.uri), (variant.uri, "media"))
    for line in multivariant.renditions:
        uri, kind = line.attributes.get("URI"), line.attributes.get("TYPE")
        if uri is not None and kind is not None:
            role = {"AUDIO": "audio", "SUBTITLES": SUBTITLES}.get(kind.text, "media")
            roles.setdefault(urljoin(base, uri.text), (uri.text, role))
    for variant in multivariant.i_frames:
        roles.setdefault(urljoin(base, variant.uri), (variant.uri, I_FRAMES))
    variables = multivariant.document.variables
    return [
        Record(uri.partition("?")[0], url, role, variables=variables) for url, (uri, role) in roles.items()
    ]


def select_records(records: list[Record], options: Options, report: Report) -> list[Record]:
    """Choose the playlists to follow.

    Raises:
        CheckError: none has a name that is wanted.
    """
    wanted = options.renditions
    chosen = [record for record in records if not wanted or any(part in record.name for part in wanted)]
    for part in wanted:
        if not any(part in record.name for record in records):
            names = ", ".join(record.name for record in records)
            raise CheckError(f"no rendition has {part!r} in its name; there are {names}")
    left_out = len(records) - min(len(chosen), MAX_PLAYLISTS)
    report.expect(LEFT_OUT, not left_out, Place("all"), f"{left_out} of {len(records)} were not")
    return chosen[:MAX_PLAYLISTS]


async def _follow(records: list[Record], fetcher: Fetcher, report: Report, options: Options) -> None:
    plain = {record.url.partition("?")[0]: record.name for record in records if record.is_compared}

    async def follow(record: Record) -> None:
        own = record.url.partition("?")[0]
        others = {url: name for url, name in plain.items() if url != own}
        await Follower(record, fetcher, report, options).run(others if not options.renditions else {})
        await Prober(record, fetcher, report).run()

    async with asyncio.TaskGroup() as group:
        for record in records:
            group.create_task(follow(record))


async def _check_measured(
    multivariant: Multivariant, records: list[Record], url: str, fetcher: Fetcher, report: Report
) -> None:
    """Compare what the multivariant playlist says, at first and now, with what its playlists had then."""
    name = _short(url)
    for offer in list_offers(multivariant, records, url):
        check_tracks(offer, name, report, is_first=True)
    playlists = [record.playlist for record in records if record.playlist is not None]
    if playlists:
        check_i_frames(multivariant, playlists[0].playlist_type, name, report)
    with contextlib.suppress(CheckError):
        _, document = await _load(url, fetcher)
        for offer in list_offers(read_multivariant(document), records, url):
            check_tracks(offer, name, report, is_first=False)
            check_peak(offer, name, report)
            check_average(offer, name, report)
            check_frame_rate(offer, name, report)


def check_independent(multivariant: Multivariant | None, records: list[Record], report: Report) -> None:
    """Check that playlists with video say that their segments can be decoded on their own."""
    in_multivariant = multivariant is not None and multivariant.is_independent
    for record in records:
        if record.has_video and record.playlist is not None and record.is_compared:
            line = record.playlist.document.find("EXT-X-INDEPENDENT-SEGMENTS")
            holds = in_multivariant or line is not None
            report.expect(INDEPENDENT, holds, Place(record.name), "it is in neither")
