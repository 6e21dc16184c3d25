"""The requests that come by the thousand, answered without a web framework: playlists and media in memory.

Low-latency players ask four times per part, all of them at the same moments. What they get is the same for everybody,
so head and body are made once, and those who wait for a part are told one after the other, without a task each.
Whatever is not as simple as that is none of this module's business: it says so, and `http` answers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from email.utils import formatdate
from time import time

from aiohttp.http import SERVER_SOFTWARE

from media.error import CapacityError, PeerError, StreamError

from . import answer
from .config import HlsConfig
from .directive import Directives, find_target
from .playlist_body import PlaylistBody
from .port import Broadcast, Broadcasts, Cancel
from .rendered import RenderedPlaylists, cache_control
from .view import PartAddress

Head = bytes
Body = bytes
Answer = tuple[Head, Body]
Reply = Callable[["Head | None", "Body"], None]
"""Takes the answer later; without a head somebody else has to answer."""

_TARGET = re.compile(
    rb"/hls/(?P<stream>[^/~?]{1,64})/(?:~(?P<token>[^/?]{1,1024})/)?(?P<rung>[0-9a-z-]{1,32})/"
    rb"(?:(?P<generation>\d{1,10})-(?P<media>\d{1,18})(?:\.(?P<index>\d{1,9}))?\.m4s"
    rb"|index\.m3u8(?:\?_HLS_msn=(?P<msn>\d{1,18})(?:&_HLS_part=(?P<part>\d{1,18}))?(?P<skip>&_HLS_skip=(?:YES|v2))?)?)"
)


class HotDelivery:
    """Answers what it can.

    Args:
        broadcasts: where to find what is served.
        config: the constants of every playlist.
        rendered: playlists that others hand out too.
    """

    def __init__(self, broadcasts: Broadcasts, config: HlsConfig, rendered: RenderedPlaylists) -> None:
        self._broadcasts = broadcasts
        self._config = config
        self._rendered = rendered
        self.answered: Counter[str] = Counter()
        """Requests by what they asked for: `playlist`, `segment`, `part`."""

    def take(self, target: bytes, takes_gzip: bool, reply: Reply) -> Answer | Cancel | None:
        """Answer a GET request.

        Args:
            target: path and query, as they stand in the request line.
            takes_gzip: whether the client does.
            reply: is called when a request that waits can be answered.

        Returns:
            The answer, or what ends the waiting when the connection is gone; None when somebody else has to answer.
        """
        found = _TARGET.fullmatch(target)
        if found is None:
            return None
        stream, token, rung, generation, media, index, msn, part, skip = found.groups()
        try:
            stream_id = stream.decode()
            self._broadcasts.check(stream_id, token.decode() if token is not None else None)
            broadcast = self._broadcasts.find(stream_id)
            if broadcast is None:
                return None
            if generation is not None:
                address = PartAddress(int(generation), int(media), int(index) if index is not None else -1)
                return self._media(broadcast, rung.decode(), address, reply)
            directives = Directives(_number(msn), _number(part), skip is not None)
            return self._playlist(broadcast, rung.decode(), directives, takes_gzip, reply)
        except (PeerError, StreamError, CapacityError, UnicodeDecodeError):
            return None

    def _media(
        self, broadcast: Broadcast, rung: str, address: PartAddress, reply: Reply
    ) -> Answer | Cancel | None:
        part = address.part if address.part >= 0 else None
        kind = "segment" if part is None else "part"
        data = broadcast.peek(rung, address.generation, address.msn, part)
        if data is not None:
            return self._media_head(kind, len(data)), data

        def told(is_there: bool) -> None:
            found = broadcast.peek(rung, address.generation, address.msn, part) if is_there else None
            reply(self._media_head(kind, len(found)) if found is not None else None, found or b"")

        return broadcast.call_when_hinted(rung, address, told, self._config.hold_limit_s)

    def _playlist(
        self, broadcast: Broadcast, rung: str, directives: Directives, takes_gzip: bool, reply: Reply
    ) -> Answer | Cancel | None:
        view = broadcast.view(rung)
        if view is None or view.is_ended or not broadcast.has_media:
            return None
        target = find_target(directives, view, self._config)
        if target is None:
            return self._playlist_now(broadcast, rung, directives, takes_gzip)

        def told(is_there: bool) -> None:
            now = self._playlist_now(broadcast, rung, directives, takes_gzip) if is_there else None
            reply(*(now or (None, b"")))

        cancel = broadcast.call_when_reached(rung, target.msn, target.part, told, self._config.hold_limit_s)
        return cancel or self._playlist_now(broadcast, rung, directives, takes_gzip)

    def _playlist_now(
        self, broadcast: Broadcast, rung: str, directives: Directives, takes_gzip: bool
    ) -> Answer | None:
        view = broadcast.view(rung)
        if view is None or view.is_ended:
            return None
        body = self._rendered.media(broadcast, view, directives.skip)
        data = body.gzipped if takes_gzip else body.plain
        self.answered["playlist"] += 1
        return _playlist_head(
            body, len(data), takes_gzip, cache_control(directives, view, self._config)
        ), data

    def _media_head(self, kind: str, size: int) -> Head:
        self.answered[kind] += 1
        return _MEDIA_HEAD % size + _last_lines()


def _number(digits: bytes | None) -> int | None:
    return int(digits) if digits is not None else None


def _lines(headers: dict[str, str]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()


_MEDIA_HEAD = (
    b"HTTP/1.1 200 OK\r\n"
    + _lines({**answer.MEDIA_HEADERS, "Content-Type": answer.MEDIA_TYPE})
    + b"Content-Length: %d\r\n"
)


def _playlist_head(body: PlaylistBody, size: int, is_gzip: bool, caching: str) -> Head:
    key = is_gzip, caching
    known = body.heads.get(key)
    if known is None:
        headers = answer.playlist_headers(caching, is_gzip)
        headers |= {"Content-Type": answer.PLAYLIST_TYPE, "Content-Length": str(size)}
        known = body.heads[key] = b"HTTP/1.1 200 OK\r\n" + _lines(headers)
    return known + _last_lines()


_newest_lines = (0, b"")


def _last_lines() -> bytes:
    """Write the date and what follows it; that is the same for a second."""
    global _newest_lines  # noqa: PLW0603 - a clock
    now = int(time())
    if _newest_lines[0] != now:
        lines = _lines({"Date": formatdate(now, usegmt=True), "Server": SERVER_SOFTWARE})
        _newest_lines = now, lines + b"\r\n"
    return _newest_lines[1]
