"""Loads playlists and resources through the port, and judges how they were delivered."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urljoin, urlsplit, urlunsplit

from .attribute import PlaylistError
from .document import parse_document
from .exchange import Exchange, Fetcher, FetchError
from .finding import Place, Report, Rule, Severity
from .http_rules import REACHABLE, check_media_answer, check_playlist_answer, check_redirects
from .low_latency_rules import check_low_latency
from .media_playlist import MediaPlaylist, Resource
from .media_reader import read_media
from .media_rules import check_media
from .record import Record

READABLE = Rule("playlist-readable", "4.1", Severity.ERROR, "what is listed as a playlist is one")
MEDIA_KIND = Rule(
    "playlist-media", "4.1", Severity.ERROR, "what is listed as a media playlist is no multivariant one"
)


def with_query(url: str, query: str) -> str:
    """Add to the query of an address."""
    if not query:
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=f"{parts.query}&{query}" if parts.query else query))


async def load_media_playlist(
    fetcher: Fetcher, record: Record, report: Report, *, query: str = "", timeout_s: float = 20.0
) -> tuple[Exchange | None, MediaPlaylist | None]:
    """Fetch a version of a media playlist and apply the rules that need no other version.

    Returns:
        The exchange, None without an answer; and the playlist, None when there is none.
    """
    name = record.name
    place = Place(name)
    try:
        exchange = await fetcher.fetch(with_query(record.url, query), timeout_s=timeout_s)
    except FetchError as error:
        report.expect(REACHABLE, False, place, str(error))
        return None, None
    if not exchange.is_ok:
        # A blocking reload may be refused, which its own rule judges.
        if not query:
            report.expect(REACHABLE, False, place, f"it is answered with {exchange.status}")
        return exchange, None
    report.expect(REACHABLE, True, place, "")
    check_redirects(exchange, name, report)
    try:
        document = parse_document(exchange.body, exchange.final_url or record.url, record.variables)
    except PlaylistError as error:
        report.expect(READABLE, False, place, str(error))
        return exchange, None
    report.expect(READABLE, True, place, "")
    document.report(name, report)
    if not report.expect(MEDIA_KIND, not document.is_multivariant, place, "it lists variants"):
        return exchange, None
    playlist = read_media(document)
    report.seen["media playlists"] += 1
    check_media(playlist, name, report)
    check_low_latency(playlist, name, report)
    check_playlist_answer(
        exchange,
        name,
        report,
        target_s=playlist.target_s,
        is_live=not playlist.is_ended,
        is_blocking="_HLS_msn" in query,
    )
    return exchange, playlist


async def load_resource(
    fetcher: Fetcher, base: str, resource: Resource, report: Report, *, timeout_s: float = 20.0
) -> bytes | None:
    """Fetch a segment, part or initialization section; None when it did not come."""
    try:
        exchange = await fetch_resource(fetcher, base, resource, timeout_s=timeout_s)
    except FetchError as error:
        report.expect(REACHABLE, False, Place(resource.uri), str(error))
        return None
    report.seen["bytes"] += len(exchange.body)
    return exchange.body if check_media_answer(exchange, resource.uri, report) else None


async def fetch_resource(
    fetcher: Fetcher, base: str, resource: Resource, *, timeout_s: float = 20.0
) -> Exchange:
    """Fetch the bytes that a playlist names.

    Raises:
        FetchError: there was no answer.
    """
    headers = {}
    if resource.length is not None:
        end = resource.start + resource.length
        headers["Range"] = f"bytes={resource.start}-{end - 1}"
    exchange = await fetcher.fetch(urljoin(base, resource.uri), headers=headers, timeout_s=timeout_s)
    if resource.length is not None and exchange.status == 200:
        return replace(exchange, body=exchange.body[resource.start : resource.start + resource.length])
    return exchange
