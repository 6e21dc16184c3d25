"""Asks what players ask seldom: wrong and past directives, delta updates, OPTIONS, HEAD, ranges."""

from __future__ import annotations

from urllib.parse import urljoin

from .attribute import PlaylistError
from .directive_rules import (
    AFTER_END,
    MALFORMED,
    OLD,
    PART_ALONE,
    PART_TOO_FAR,
    TOO_FAR,
    UNHINTED,
    check_delta,
    check_refusal,
    guess_future,
)
from .document import parse_document
from .exchange import Exchange, Fetcher, FetchError
from .finding import Place, Report
from .http_rules import check_head, check_missing, check_preflight, check_range
from .load import load_media_playlist, with_query
from .media_playlist import MediaPlaylist, Segment
from .media_reader import read_media
from .record import Record
from .reload_rules import check_reload

_RANGE = range(5, 105)
_AT_ONCE_S = 1.0
"""Of the time until an answer; a request that is held waits for a part, or three target durations."""


class Prober:
    """Asks one media playlist and what it lists."""

    def __init__(self, record: Record, fetcher: Fetcher, report: Report) -> None:
        self._record = record
        self._fetcher = fetcher
        self._report = report
        self._place = Place(record.name)

    async def run(self) -> None:
        """Ask everything that applies."""
        playlist = self._record.playlist
        if playlist is None:
            return
        await self._probe_playlist(playlist)
        await self._probe_segment(playlist)
        if playlist.is_ended:
            await self._probe_end(playlist)
            return
        block = playlist.control.get("CAN-BLOCK-RELOAD")
        if block is not None and block.is_yes:
            await self._probe_directives(playlist)
        if "CAN-SKIP-UNTIL" in playlist.control:
            await self._probe_delta()
        await self._probe_future(playlist)

    async def _ask(
        self, url: str, *, method: str = "GET", headers: dict[str, str] | None = None, timeout_s: float = 5.0
    ) -> Exchange | None:
        """Ask; None when there is no answer in time."""
        try:
            return await self._fetcher.fetch(url, method=method, headers=headers, timeout_s=timeout_s)
        except FetchError:
            return None

    async def _probe_playlist(self, playlist: MediaPlaylist) -> None:
        wanted = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "range"}
        answer = await self._ask(self._record.url, method="OPTIONS", headers=wanted)
        if answer is not None:
            check_preflight(answer, self._record.name, self._report)
        if playlist.is_ended:
            await self._compare_head(self._record.url, self._record.name)

    async def _probe_segment(self, playlist: MediaPlaylist) -> None:
        segment = _newest(playlist)
        if segment is None or segment.resource is None or segment.resource.length is not None:
            return
        url = urljoin(self._record.base, segment.resource.uri)
        whole = await self._compare_head(url, segment.resource.uri)
        if whole is None or len(whole.body) < _RANGE.stop:
            return
        headers = {"Range": f"bytes={_RANGE.start}-{_RANGE.stop - 1}", "Accept-Encoding": "identity"}
        answer = await self._ask(url, headers=headers)
        if answer is not None:
            check_range(answer, whole.body, _RANGE, segment.resource.uri, self._report)

    async def _compare_head(self, url: str, name: str) -> Exchange | None:
        get, head = await self._ask(url, timeout_s=20.0), await self._ask(url, method="HEAD")
        if get is not None and head is not None:
            check_head(head, get, name, self._report)
        return get if get is not None and get.is_ok else None

    async def _probe_directives(self, playlist: MediaPlaylist) -> None:
        last = playlist.last[0]
        requests = [
            (PART_ALONE, "_HLS_part=0"),
            (TOO_FAR, f"_HLS_msn={last + 20}"),
            (MALFORMED, "_HLS_msn=x"),
        ]
        if playlist.part_target_s:
            parts = len(playlist.open_segment.parts) if playlist.open_segment is not None else 0
            # Far beyond the limit (6.2.5.2), so that what appears meanwhile does not matter; two segments ahead
            # of the last one is as far as a segment may be.
            limit = parts + 10 + round(10 / min(1.0, playlist.part_target_s))
            requests.append((PART_TOO_FAR, f"_HLS_msn={last + 1}&_HLS_part={limit}"))
        for rule, query in requests:
            answer = await self._ask(with_query(self._record.url, query))
            if answer is None:
                detail = f"{query} is not answered at once"
                self._report.expect(rule, False, self._place, detail)
            else:
                check_refusal(rule, answer, self._place, self._report, hold_s=_AT_ONCE_S)
        await self._probe_old(playlist)

    async def _probe_old(self, playlist: MediaPlaylist) -> None:
        query = f"_HLS_msn={max(0, playlist.media_sequence - 1)}"
        answer = await self._ask(with_query(self._record.url, query))
        detail = f"{query} is answered with {answer.status if answer is not None else 'nothing'}"
        found = _read(answer)
        is_whole = found is not None and not found.skipped and found.last >= playlist.last
        self._report.expect(OLD, is_whole, self._place, detail)

    async def _probe_delta(self) -> None:
        _, full = await load_media_playlist(self._fetcher, self._record, self._report)
        _, delta = await load_media_playlist(self._fetcher, self._record, self._report, query="_HLS_skip=YES")
        if full is not None and self._record.playlist is not None:
            # What was put together of delta updates has to be what the full playlist says.
            check_reload(self._record.playlist, full, self._record.name, self._report)
        if full is not None and delta is not None:
            self._report.seen["delta updates"] += delta.skipped > 0
            check_delta(full, delta, self._record.name, self._report)

    async def _probe_future(self, playlist: MediaPlaylist) -> None:
        """Ask for a part that is far from being made, when its address can be guessed."""
        segment = next((s for s in reversed(playlist.all_segments) if len(s.parts) > 1), None)
        if segment is None:
            return
        before, last = segment.parts[-2].resource, segment.parts[-1].resource
        uri = guess_future(before.uri, last.uri, 1000)
        if uri is None or last.length is not None:
            return
        answer = await self._ask(urljoin(self._record.base, uri))
        is_refused = answer is not None and answer.status == 404
        detail = f"{uri} is answered with {answer.status if answer is not None else 'nothing at once'}"
        self._report.expect(UNHINTED, is_refused, self._place, detail)
        if answer is not None and playlist.target_s is not None:
            check_missing(answer, uri, playlist.target_s, self._report)

    async def _probe_end(self, playlist: MediaPlaylist) -> None:
        if not playlist.control:
            return
        answer = await self._ask(with_query(self._record.url, f"_HLS_msn={playlist.next_msn}&_HLS_skip=YES"))
        found = _read(answer)
        is_ignored = found is not None and found.is_ended and not found.skipped
        detail = f"directives are answered with {answer.status if answer is not None else 'nothing at once'}"
        self._report.expect(AFTER_END, is_ignored, self._place, detail)


def _newest(playlist: MediaPlaylist) -> Segment | None:
    return next((segment for segment in reversed(playlist.segments) if not segment.is_gap), None)


def _read(answer: Exchange | None) -> MediaPlaylist | None:
    if answer is None or not answer.is_ok:
        return None
    try:
        return read_media(parse_document(answer.body))
    except PlaylistError:
        return None
