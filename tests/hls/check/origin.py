"""A low-latency origin in virtual time: makes a part of pictures each half second, and can be told to err."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from hls.check.exchange import Exchange, FetchError

from .media_bytes import KEY, PICTURES, Sample, fragment
from .playlists import low_latency

PART_S, PARTS, FIRST = 0.5, 4, 10
_STALL = 44
"""Parts that are made before an origin that stalls stops."""
_LISTED, _WITH_PARTS = 9, 4
"""Segments that are listed, and those of them that still have their parts."""
_NAME = re.compile(r"(\d+)(?:\.(\d+))?\.m4s")
HEADERS = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "*",
    "access-control-allow-headers": "*",
}


class Origin:
    """Serves one media playlist; time passes only while somebody waits.

    Args:
        faults: what it does wrong: `no-block`, `late-hint`, `other-hint`, `other-bytes`, `forgets`, `skips-all`,
            `stalls`.
    """

    def __init__(self, *faults: str) -> None:
        self._faults = set(faults)
        self._now_s = 20.2
        self.requests = 0

    def now_s(self) -> float:
        """Return the time; at 0 the first part of segment 10 begins."""
        return self._now_s

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self._now_s += seconds

    @property
    def _made(self) -> int:
        """Parts that are made."""
        made = int(self._now_s / PART_S)
        return min(made, _STALL) if "stalls" in self._faults else made

    async def fetch(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 20.0,
    ) -> Exchange:
        """Answer, later when what is asked for is not there yet."""
        self.requests += 1
        started_s = self._now_s
        parts = urlsplit(url)
        name = parts.path.rpartition("/")[2]
        slow_s = 0.0
        if name == "index.m3u8":
            status, body = self._playlist({key: value[0] for key, value in parse_qs(parts.query).items()})
        else:
            status, body, slow_s = self._media(name)
        if self._now_s > started_s + timeout_s:
            raise FetchError("no answer")
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", (headers or {}).get("Range", ""))
        more = {}
        if wanted is not None and status == 200:
            more = {"content-range": f"bytes {wanted[1]}-{wanted[2]}/{len(body)}"}
            status, body = 206, body[int(wanted[1]) : int(wanted[2]) + 1]
        kind = "application/vnd.apple.mpegurl" if name == "index.m3u8" else "video/mp4"
        cache = "max-age=1" if name == "index.m3u8" or status != 200 else "max-age=3600"
        coding = {"content-encoding": "gzip"} if name == "index.m3u8" else {}
        return Exchange(
            url,
            status,
            {**HEADERS, "content-type": kind, "cache-control": cache, **coding, **more},
            body,
            method=method,
            http_version="HTTP/2",
            started_s=started_s,
            first_byte_s=self._now_s,
            finished_s=self._now_s + slow_s,
        )

    def _playlist(self, query: Mapping[str, str]) -> tuple[int, bytes]:
        if "_HLS_part" in query and "_HLS_msn" not in query:
            return 400, b""
        if "_HLS_msn" in query:
            if not query["_HLS_msn"].isdigit():
                return 400, b""
            wanted = (int(query["_HLS_msn"]) - FIRST) * PARTS + int(query.get("_HLS_part", PARTS - 1)) + 1
            if wanted > self._made + 8:
                return 400, b""
            if "no-block" not in self._faults:
                self._now_s = max(self._now_s, wanted * PART_S + 0.01)
        return 200, self._render(is_delta="_HLS_skip" in query).encode()

    def _render(self, *, is_delta: bool) -> str:
        msn, part = FIRST + self._made // PARTS, self._made % PARTS
        first = max(FIRST, msn - _LISTED)
        head = "#EXT-X-INDEPENDENT-SEGMENTS\n"
        text = low_latency(first, (msn, part), old=max(0, msn - first - _WITH_PARTS), head=head)
        if "other-hint" in self._faults:
            text = text.replace(f'TYPE=PART,URI="{msn}.{part}.', f'TYPE=PART,URI="x{msn}.{part}.')
        if is_delta:
            count = 6 if "skips-all" in self._faults else 3
            lines = text.split("\n")
            index = next(i for i, line in enumerate(lines) if line.startswith("#EXT-X-PROGRAM"))
            last = lines.index(f"{first + count - 1}.m4s")
            kept = [line for line in lines[:index] if not line.startswith("#EXT-X-MAP")]
            text = "\n".join([*kept, f"#EXT-X-SKIP:SKIPPED-SEGMENTS={count}", *lines[last + 1 :]])
        return text

    def _media(self, name: str) -> tuple[int, bytes, float]:
        if name == "init.mp4":
            return 200, PICTURES, 0.0
        match = _NAME.fullmatch(name.lstrip("x"))
        if match is None:
            return 404, b"", 0.0
        msn, part = int(match[1]), match[2]
        number = (msn - FIRST) * PARTS + int(part or 0)
        kept = _LISTED if part is None else _WITH_PARTS
        if number > self._made or ("forgets" in self._faults and msn < FIRST + self._made // PARTS - kept):
            return 404, b"", 0.0
        if part is None:
            return 200, b"".join(self._part(msn, index) for index in range(PARTS)), 0.0
        slow_s = 0.4 if "late-hint" in self._faults and number >= self._made - 1 else 0.0
        self._now_s = max(self._now_s, (number + 1) * PART_S + 0.01)
        data = self._part(msn, int(part))
        return 200, data[:-1] + b"?" if "other-bytes" in self._faults else data, slow_s

    def _part(self, msn: int, index: int) -> bytes:
        samples = [KEY if index == 0 else Sample(), *[Sample()] * 10, Sample(duration=5400)]
        return fragment(((msn - FIRST) * PARTS + index) * 45_000, samples)
