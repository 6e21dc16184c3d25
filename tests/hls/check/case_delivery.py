"""Cases of the rules of delivery, applied to exchanges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hls.check.exchange import Exchange
from hls.check.finding import Report
from hls.check.http_rules import (
    check_connection,
    check_head,
    check_media_answer,
    check_missing,
    check_playlist_answer,
    check_preflight,
    check_range,
    check_redirects,
)

from .playlists import Case

BYTES = bytes(range(200))
CORS = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "Content-Length, Content-Range, Date",
    "access-control-allow-headers": "Range",
}
PLAYLIST = Exchange(
    "https://example.com/index.m3u8",
    200,
    CORS
    | {
        "content-type": "application/vnd.apple.mpegurl",
        "content-encoding": "gzip",
        "cache-control": "max-age=1",
        "content-length": "9",
    },
    http_version="HTTP/2",
)
MEDIA = Exchange(
    "https://example.com/1.m4s",
    200,
    CORS | {"content-type": "video/mp4", "cache-control": "public, max-age=31536000, immutable"},
    BYTES,
)
MISSING = Exchange("https://example.com/2.m4s", 404, {"cache-control": "max-age=1"})
PART = Exchange("https://example.com/1.m4s", 206, {"content-range": "bytes 5-104/200"}, BYTES[5:105])
WANTED = range(5, 105)


def but(exchange: Exchange, headers: Mapping[str, str | None] | None = None, **fields: object) -> Exchange:
    """Change an exchange; a header that is None goes away."""
    changed = {**exchange.headers, **(headers or {})}
    kept = {name: value for name, value in changed.items() if value is not None}
    return replace(exchange, headers=kept, **fields)  # type: ignore[arg-type]


def playlist(exchange: Exchange = PLAYLIST, *, is_blocking: bool = False) -> Case:
    """Apply the rules on the answer with a playlist."""

    def apply(report: Report) -> None:
        check_playlist_answer(
            exchange, "index.m3u8", report, target_s=4, is_live=True, is_blocking=is_blocking
        )

    return apply


def connection(exchange: Exchange) -> Case:
    """Apply the rules on scheme and version."""
    return lambda report: check_connection(exchange, "index.m3u8", report, is_low_latency=True)


def media(exchange: Exchange) -> Case:
    """Apply the rules on the answer with media."""

    def apply(report: Report) -> None:
        check_media_answer(exchange, "1.m4s", report)

    return apply


def ranged(exchange: Exchange) -> Case:
    """Apply the rules on a range."""
    return lambda report: check_range(exchange, BYTES, WANTED, "1.m4s", report)


def head(exchange: Exchange) -> Case:
    """Apply the rule on HEAD."""
    return lambda report: check_head(exchange, PLAYLIST, "index.m3u8", report)


def preflight(exchange: Exchange) -> Case:
    """Apply the rule on OPTIONS."""
    return lambda report: check_preflight(exchange, "index.m3u8", report)


def missing(exchange: Exchange) -> Case:
    """Apply the rule on how long 404 is kept."""
    return lambda report: check_missing(exchange, "2.m4s", 4, report)


def redirects(exchange: Exchange) -> Case:
    """Apply the rule on redirects to another origin."""
    return lambda report: check_redirects(exchange, "index.m3u8", report)


KEPT: tuple[Case, ...] = (
    playlist(),
    playlist(is_blocking=True),
    playlist(but(PLAYLIST, {"cache-control": "no-cache"})),
    connection(PLAYLIST),
    media(MEDIA),
    media(but(MEDIA, {"cache-control": None, "expires": "Thu, 26 Nov 2026 10:00:00 GMT"})),
    missing(MISSING),
    missing(but(MISSING, {"cache-control": None})),
    preflight(but(MEDIA, status=204)),
    head(PLAYLIST),
    ranged(PART),
    redirects(but(PLAYLIST, redirects=(PLAYLIST.url,), final_url="https://example.com/b/index.m3u8")),
)

BROKEN: dict[str, tuple[Case, ...]] = {
    "http-reachable": (media(but(MEDIA, status=404)),),
    "http-playlist-type": (
        playlist(but(PLAYLIST, {"content-type": "text/plain"}, url="https://example.com/playlist")),
    ),
    "http-playlist-mime": (
        playlist(but(PLAYLIST, {"content-type": None})),
        playlist(but(PLAYLIST, {"content-type": "application/x-mpegURL"})),
    ),
    "http-playlist-gzip": (playlist(but(PLAYLIST, {"content-encoding": None})),),
    "http-playlist-cache": (
        playlist(but(PLAYLIST, {"cache-control": None})),
        playlist(but(PLAYLIST, {"cache-control": "max-age=60"})),
        playlist(but(PLAYLIST, {"cache-control": "max-age=1, s-maxage=60"})),
    ),
    "http-blocking-cache": (
        playlist(but(PLAYLIST, {"cache-control": "no-cache"}), is_blocking=True),
        playlist(but(PLAYLIST, {"cache-control": "max-age=0"}), is_blocking=True),
    ),
    "http-media-cache": (
        media(but(MEDIA, {"cache-control": None})),
        media(but(MEDIA, {"cache-control": "no-store"})),
    ),
    "http-media-mime": (media(but(MEDIA, {"content-type": "text/html; charset=utf-8"})),),
    "http-missing-cache": (missing(but(MISSING, {"cache-control": "max-age=3600"})),),
    "http-cors": (
        media(but(MEDIA, {"access-control-allow-origin": None})),
        playlist(but(PLAYLIST, {"access-control-allow-origin": "https://other.example"})),
    ),
    "http-cors-expose": (media(but(MEDIA, {"access-control-expose-headers": "Date"})),),
    "http-preflight": (
        preflight(but(MEDIA, status=405)),
        preflight(but(MEDIA, {"access-control-allow-headers": "Accept"})),
        preflight(but(MEDIA, {"access-control-allow-origin": None})),
    ),
    "http-head": (
        head(but(PLAYLIST, status=405)),
        head(but(PLAYLIST, {"content-type": "text/html"})),
        head(but(PLAYLIST, {"content-length": "0"})),
    ),
    "http-range": (
        ranged(but(PART, body=BYTES[:100])),
        ranged(but(PART, {"content-range": None})),
        ranged(but(MEDIA, body=b"others")),
    ),
    "http-range-offered": (ranged(MEDIA),),
    "http-media-redirect": (media(but(MEDIA, redirects=("https://example.com/0",))),),
    "http-redirect-origin": (
        redirects(but(PLAYLIST, redirects=(PLAYLIST.url,), final_url="https://cdn.example.com/index.m3u8")),
    ),
    "http-2": (connection(but(PLAYLIST, http_version="HTTP/1.1")),),
    "http-tls": (connection(but(PLAYLIST, url="http://example.com/index.m3u8")),),
}
