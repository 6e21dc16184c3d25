"""Rules of delivery: types, compression, caching, CORS, ranges, HTTP/2 (Apple 8.18 and 10; 6.2.2; Appendix B)."""

from __future__ import annotations

from urllib.parse import urlsplit

from .exchange import ORIGIN, Exchange
from .finding import Place, Report, Rule, Severity

PLAYLIST_TYPES = ("application/vnd.apple.mpegurl", "audio/mpegurl")
MEDIA_TYPES = (
    "video/mp4", "audio/mp4", "video/iso.segment", "audio/iso.segment", "video/mp2t", "audio/aac", "audio/mpeg",
    "audio/ac3", "audio/eac3", "text/vtt", "text/plain", "application/mp4",
)  # fmt: skip

REACHABLE = Rule("http-reachable", "6.2.1", Severity.ERROR, "what a playlist lists can be fetched")
PLAYLIST_TYPE = Rule(
    "http-playlist-type",
    "4",
    Severity.ERROR,
    "a playlist is known by its type, or by the end of its path (.m3u8, .m3u)",
)
PLAYLIST_TYPE_BEST = Rule(
    "http-playlist-mime", "Apple 10.4", Severity.WARNING, "playlists are application/vnd.apple.mpegurl"
)
GZIP = Rule("http-playlist-gzip", "Apple 10.1", Severity.WARNING, "playlists are compressed on request")
PLAYLIST_CACHE = Rule(
    "http-playlist-cache",
    "B.1",
    Severity.WARNING,
    "Cache-Control keeps a live playlist for one target duration at most",
)
BLOCKING_CACHE = Rule(
    "http-blocking-cache", "B.1", Severity.WARNING, "answers to blocking reloads may be cached"
)
MEDIA_CACHE = Rule("http-media-cache", "6.2.2", Severity.WARNING, "segments say how long they may be cached")
MEDIA_TYPE = Rule("http-media-mime", "Apple 10.4", Severity.WARNING, "media has a media type that is known")
MISSING_CACHE = Rule(
    "http-missing-cache", "B.1", Severity.WARNING, "404 is kept for one target duration at most"
)
CORS = Rule("http-cors", "Fetch 3.2", Severity.WARNING, "pages of other sites may read the answers")
PREFLIGHT = Rule("http-preflight", "Fetch 3.2.2", Severity.WARNING, "OPTIONS is answered, and allows Range")
EXPOSE = Rule(
    "http-cors-expose",
    "Fetch 3.2.6",
    Severity.NOTE,
    "scripts may read Content-Length, Content-Range and Date",
)
HEAD = Rule("http-head", "RFC 9110 9.3.2", Severity.WARNING, "HEAD answers as GET does")
RANGE = Rule("http-range", "RFC 9110 14.2", Severity.ERROR, "a range that is answered has the right bytes")
RANGE_OFFERED = Rule("http-range-offered", "RFC 9110 14.2", Severity.NOTE, "media can be fetched in ranges")
REDIRECT = Rule("http-media-redirect", "Apple 8.18", Severity.WARNING, "media is not redirected")
REDIRECT_ORIGIN = Rule("http-redirect-origin", "-", Severity.NOTE, "nothing redirects to another origin")
HTTP2 = Rule("http-2", "B.1", Severity.WARNING, "low-latency playlists over https come by HTTP/2 or newer")
TLS = Rule("http-tls", "Apple 11", Severity.NOTE, "delivery is by https, which HTTP/2 needs in players")


def check_connection(exchange: Exchange, name: str, report: Report, *, is_low_latency: bool) -> None:
    """Judge scheme and version of HTTP, once for each playlist."""
    place = Place(name)
    is_https = urlsplit(exchange.final_url or exchange.url).scheme == "https"
    report.expect(TLS, is_https, place, "it comes by http")
    if is_https and is_low_latency:
        is_modern = exchange.http_version not in ("HTTP/1.1", "HTTP/1.0")
        report.expect(HTTP2, is_modern, place, f"it comes by {exchange.http_version}")


def check_playlist_answer(
    exchange: Exchange, name: str, report: Report, *, target_s: int | None, is_live: bool, is_blocking: bool
) -> None:
    """Judge the headers of a playlist.

    Args:
        exchange: a successful one.
        name: of the playlist.
        report: where findings go.
        target_s: its target duration; None for a multivariant playlist.
        is_live: whether it has not ended.
        is_blocking: whether the request named what to wait for.
    """
    place = Place(name)
    path = urlsplit(exchange.final_url or exchange.url).path
    has_type = exchange.content_type in PLAYLIST_TYPES
    detail = f"it is {exchange.content_type or 'of no type'}"
    report.expect(PLAYLIST_TYPE, has_type or path.endswith((".m3u8", ".m3u")), place, detail)
    report.expect(PLAYLIST_TYPE_BEST, has_type, place, detail)
    report.expect(GZIP, exchange.is_gzipped, place, "it is not compressed")
    _check_origin(exchange, place, report)
    if is_live and target_s is not None:
        kept_s = exchange.max_age_s
        stated = exchange.headers.get("cache-control", "nothing")
        if is_blocking:
            report.expect(BLOCKING_CACHE, kept_s != 0, place, f"Cache-Control says {stated}")
        else:
            holds = kept_s is not None and kept_s <= target_s
            report.expect(PLAYLIST_CACHE, holds, place, f"Cache-Control says {stated}")


def check_media_answer(exchange: Exchange, name: str, report: Report) -> bool:
    """Judge status and headers of a segment, part or initialization segment; return whether it came."""
    place = Place(name)
    detail = f"it is answered with {exchange.status}"
    report.expect(REDIRECT, not exchange.redirects, place, f"redirected to {exchange.final_url}")
    if not report.expect(REACHABLE, exchange.is_ok, place, detail):
        return False
    kind = exchange.content_type
    report.expect(MEDIA_TYPE, kind in MEDIA_TYPES, place, f"it is {kind or 'of no type'}")
    kept_s = exchange.max_age_s
    is_kept = bool(kept_s) or (kept_s is None and "expires" in exchange.headers)
    stated = exchange.headers.get("cache-control", "nothing")
    report.expect(MEDIA_CACHE, is_kept, place, f"Cache-Control says {stated}")
    _check_origin(exchange, place, report)
    return True


def check_missing(exchange: Exchange, name: str, target_s: int, report: Report) -> None:
    """Judge how long caches may keep that something is not there."""
    if exchange.status == 404:
        kept_s = exchange.max_age_s
        detail = f"404 is kept for {kept_s} s"
        report.expect(MISSING_CACHE, kept_s is None or kept_s <= target_s, Place(name), detail)


def check_preflight(exchange: Exchange, name: str, report: Report) -> None:
    """Judge the answer to OPTIONS that asks for GET with Range."""
    allowed = exchange.headers.get("access-control-allow-headers", "").lower().replace(" ", "").split(",")
    may = exchange.headers.get("access-control-allow-origin", "") in ("*", ORIGIN)
    holds = exchange.status in (200, 204) and may and bool({"*", "range"} & set(allowed))
    report.expect(PREFLIGHT, holds, Place(name), f"it is answered with {exchange.status}")


def check_head(head: Exchange, get: Exchange, name: str, report: Report) -> None:
    """Compare the answer to HEAD with that to GET."""
    lengths = head.headers.get("content-length"), get.headers.get("content-length")
    same_length = None in lengths or lengths[0] == lengths[1]
    holds = head.status == get.status and head.content_type == get.content_type and same_length
    detail = f"{head.status}, {head.content_type}, {lengths[0]} bytes; GET: {get.status}, {get.content_type}"
    report.expect(HEAD, holds, Place(name), f"{detail}, {lengths[1]} bytes")


def check_range(answer: Exchange, whole: bytes, wanted: range, name: str, report: Report) -> None:
    """Judge the answer to a request for some of the bytes that were fetched before."""
    place = Place(name)
    start, end = wanted.start, wanted.stop
    if report.expect(RANGE_OFFERED, answer.status == 206, place, f"answered with {answer.status}"):
        stated = answer.headers.get("content-range", "")
        is_named = stated.startswith(f"bytes {start}-{end - 1}/")
        holds = answer.body == whole[start:end] and is_named
        report.expect(RANGE, holds, place, f"{len(answer.body)} bytes, Content-Range {stated!r}")
    elif answer.status == 200:
        report.expect(RANGE, answer.body == whole, place, "the whole differs from the whole before")


def check_redirects(exchange: Exchange, name: str, report: Report) -> None:
    """Note redirects to another origin."""
    detail = f"{exchange.url} leads to {exchange.final_url}"
    report.expect(REDIRECT_ORIGIN, not exchange.crosses_origin, Place(name), detail)


def _check_origin(exchange: Exchange, place: Place, report: Report) -> None:
    allowed = exchange.headers.get("access-control-allow-origin", "")
    if report.expect(CORS, allowed in ("*", ORIGIN), place, f"Access-Control-Allow-Origin is {allowed!r}"):
        exposed = (
            exchange.headers.get("access-control-expose-headers", "").lower().replace(" ", "").split(",")
        )
        holds = "*" in exposed or {"content-length", "content-range", "date"} <= set(exposed)
        report.expect(EXPOSE, holds, place, f"exposed are {', '.join(filter(None, exposed)) or 'none'}")
