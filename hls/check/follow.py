"""Follows one media playlist as a player would: reloads it, fetches what is new, hands all of it to the rules."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

from .arrival_rules import check_arrivals, find_removed
from .content import Content
from .delta import merge_delta
from .directive_rules import check_blocking, check_delta, check_hint
from .exchange import Exchange, Fetcher, FetchError
from .finding import Place, Report, Rule
from .http_rules import check_connection
from .load import fetch_resource, load_media_playlist, load_resource
from .low_latency_rules import check_reports
from .media_playlist import MediaPlaylist, Resource, Segment
from .next_request import choose, following, hinted, newer
from .record import I_FRAMES, SUBTITLES, Record
from .reload_rules import check_reload

_COMPARED_HINTS = 2
"""Hints of a playlist that are also fetched as parts, to compare their bytes."""
_BLOCKED_S = 0.01
"""A reload that took longer was held until its part came."""

MAX_WAIT_S = 60.0
"""For a blocking reload, whatever target duration the playlist has."""
MAX_OVERTIME_S = 30.0
"""Behind the end of the time to follow, for a playlist that grows faster than it can be fetched."""
_IDLE_S = 0.5
"""Between reloads of a server that says it blocks and does not."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to check."""

    duration_s: float = 20.0
    """How long a live playlist is followed."""
    renditions: tuple[str, ...] = ()
    """Parts of the names of those to check; empty for all."""
    is_all: bool = False
    """Whether every segment of a playlist that has ended is fetched."""


class Follower:
    """Follows one media playlist."""

    def __init__(self, record: Record, fetcher: Fetcher, report: Report, options: Options) -> None:
        self._record = record
        self._fetcher = fetcher
        self._report = report
        self._options = options
        self._content = Content(record, report)
        self._taken: set[tuple[int, int]] = set()
        self._compared_hints = 0
        self._recalled: set[Rule] = set()
        self._segment_gaps_s: list[float] = []
        self._part_gaps_s: list[float] = []
        self._last_segment_s: float | None = None
        self._last_part_s: float | None = None
        self._stop_s = 0.0

    async def run(self, others: dict[str, str]) -> None:
        """Follow it until time is up or it ends.

        Args:
            others: name of every other rendition by its address without query, to be reported on.
        """
        begin_s = self._fetcher.now_s()
        self._stop_s = begin_s + self._options.duration_s + MAX_OVERTIME_S
        exchange, playlist = await self._load()
        if playlist is None or exchange is None:
            return
        check_connection(exchange, self._record.name, self._report, is_low_latency=playlist.is_low_latency)
        self._remember(exchange, playlist)
        await self._take(playlist, choose(playlist, is_all=self._options.is_all), {})
        while not playlist.is_ended and self._fetcher.now_s() < begin_s + self._options.duration_s:
            playlist = await self._advance(playlist)
        name = self._record.name
        if not playlist.is_ended:
            # What has not come until now leaves a gap too.
            now_s = self._fetcher.now_s()
            self._segment_gaps_s.append(now_s - (self._last_segment_s or begin_s))
            self._part_gaps_s += [now_s - self._last_part_s] if self._last_part_s is not None else []
        check_arrivals(self._segment_gaps_s, self._part_gaps_s, playlist, name, self._report)
        if playlist.is_low_latency and not playlist.is_ended:
            check_reports(playlist, name, self._record.url, others, self._report)

    async def _load(
        self, query: str = "", timeout_s: float = 20.0
    ) -> tuple[Exchange | None, MediaPlaylist | None]:
        return await load_media_playlist(
            self._fetcher, self._record, self._report, query=query, timeout_s=timeout_s
        )

    async def _advance(self, before: MediaPlaylist) -> MediaPlaylist:
        """Get the next version and what is new in it."""
        block = before.control.get("CAN-BLOCK-RELOAD")
        if block is not None and block.is_yes and before.target_s is not None:
            return await self._advance_blocking(before, before.target_s)
        await self._fetcher.sleep(min(1.0, (before.target_s or 1) / 2))
        exchange, playlist = await self._load()
        if exchange is None or playlist is None:
            return before
        self._compare(before, playlist, exchange)
        await self._take(playlist, newer(before, playlist), {})
        await self._recall(before, playlist)
        return playlist

    async def _advance_blocking(self, before: MediaPlaylist, target_s: int) -> MediaPlaylist:
        wanted = following(before)
        query = f"_HLS_msn={wanted[0]}" + (f"&_HLS_part={wanted[1]}" if wanted[1] is not None else "")
        hint = hinted(before)
        timeout_s = min(3 * target_s + 5.0, MAX_WAIT_S)
        request = None
        if hint is not None:
            request = asyncio.create_task(
                fetch_resource(self._fetcher, self._record.base, hint, timeout_s=timeout_s)
            )
        skip = "&_HLS_skip=YES" if "CAN-SKIP-UNTIL" in before.control else ""
        exchange, update = await self._load(query + skip, timeout_s)
        known: dict[Resource, bytes] = {}
        if exchange is not None:
            check_blocking(exchange, update, wanted, self._record.name, self._report)
        if request is not None and hint is not None:
            known = await self._settle_hint(request, hint, update)
        playlist = await self._complete(before, update)
        if exchange is None or playlist is None:
            await self._fetcher.sleep(1.0)
            return before
        self._compare(before, playlist, exchange)
        await self._take(playlist, newer(before, playlist), known)
        await self._recall(before, playlist)
        if playlist.last == before.last and not playlist.is_ended:
            await self._fetcher.sleep(_IDLE_S)
        return playlist

    async def _complete(self, before: MediaPlaylist, update: MediaPlaylist | None) -> MediaPlaylist | None:
        """Make a full playlist of a delta update; one that does not fit is left, and the full one fetched."""
        if update is None or not update.skipped:
            return update
        self._report.seen["delta updates"] += 1
        check_delta(before, update, self._record.name, self._report)
        merged = merge_delta(before, update)
        return merged if merged is not None else (await self._load())[1]

    async def _settle_hint(
        self, request: asyncio.Task[Exchange], hint: Resource, playlist: MediaPlaylist | None
    ) -> dict[Resource, bytes]:
        """Wait for a hint that has become a part, and judge it; drop the request when it has become none."""
        part = None
        if playlist is not None:
            parts = [part for segment in playlist.all_segments for part in segment.parts]
            part = next((part for part in parts if part.resource == hint and not part.is_gap), None)
        if part is None:
            request.cancel()
            with contextlib.suppress(asyncio.CancelledError, FetchError):
                await request
            return {}
        try:
            exchange = await request
        except FetchError as error:
            exchange = Exchange(str(error), 0, {})
        alone = None
        if self._compared_hints < _COMPARED_HINTS:
            self._compared_hints += 1
            alone = await self._fetch(part.resource)
        check_hint(exchange, alone, part.duration_s, self._record.name, self._report)
        self._report.seen["hints"] += 1
        return {hint: exchange.body} if exchange.is_ok else {}

    def _compare(self, before: MediaPlaylist, now: MediaPlaylist, exchange: Exchange) -> None:
        check_reload(before, now, self._record.name, self._report)
        at_s, was_held = exchange.first_byte_s, exchange.waited_s > _BLOCKED_S
        if now.next_msn > before.next_msn:
            if self._last_segment_s is not None:
                self._segment_gaps_s.append(at_s - self._last_segment_s)
            self._last_segment_s = at_s
        if now.last != before.last:
            # Only of a part that was waited for is it known when it came.
            if self._last_part_s is not None and was_held:
                self._part_gaps_s.append(at_s - self._last_part_s)
            self._last_part_s = at_s if was_held else None
        self._remember(exchange, now)

    def _remember(self, exchange: Exchange, playlist: MediaPlaylist) -> None:
        self._record.base = exchange.final_url or self._record.url
        self._record.remember(exchange.finished_s, playlist)

    async def _take(self, playlist: MediaPlaylist, chosen: set[int], known: dict[Resource, bytes]) -> None:
        """Fetch chosen segments and their parts in order."""
        newest, listed = playlist.last[0], playlist.all_segments
        for before, segment in zip((None, *listed), listed, strict=False):
            if segment.msn not in chosen or segment.is_gap:
                continue
            if not playlist.is_ended and self._fetcher.now_s() > self._stop_s:
                return
            await self._take_initialization(segment)
            has_fresh_parts = segment.msn >= newest - 1 and not playlist.is_ended
            if has_fresh_parts and self._record.role != I_FRAMES:
                await self._take_parts(segment, before, known)
            where = (segment.msn, -1)
            if segment.resource is not None and where not in self._taken:
                self._taken.add(where)
                data = await self._fetch(segment.resource)
                if data is not None and self._record.role != SUBTITLES:
                    self._content.segment(segment, data)

    async def _recall(self, before: MediaPlaylist, now: MediaPlaylist) -> None:
        """Fetch the first segment and part that are removed from the playlist: they have to stay for a while."""
        for rule, resource in find_removed(before, now) if not now.is_ended else ():
            if rule not in self._recalled:
                self._recalled.add(rule)
                with contextlib.suppress(FetchError):
                    exchange = await fetch_resource(self._fetcher, self._record.base, resource)
                    detail = f"{resource.uri} was removed just now and is answered with {exchange.status}"
                    self._report.expect(rule, exchange.is_ok, Place(self._record.name), detail)

    async def _take_parts(
        self, segment: Segment, before: Segment | None, known: dict[Resource, bytes]
    ) -> None:
        for index, part in enumerate(segment.parts):
            where = (segment.msn, index)
            if part.is_gap or where in self._taken:
                continue
            self._taken.add(where)
            data = known.get(part.resource)
            if data is None:
                data = await self._fetch(part.resource)
            if data is not None:
                self._content.part(segment, index, data, before)

    async def _fetch(self, resource: Resource) -> bytes | None:
        return await load_resource(self._fetcher, self._record.base, resource, self._report)

    async def _take_initialization(self, segment: Segment) -> None:
        if segment.init is not None and self._content.needs(segment.init):
            data = await self._fetch(segment.init)
            self._content.initialization(segment.init, data)
