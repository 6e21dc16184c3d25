"""All viewers of a stream in one: reads every playlist again and again, and keeps all that was ever listed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from .playlist import MediaPlaylist, Segment, parse_master, parse_media
from .server import Server

EVERY_S = 0.3
"""Less than a part: nothing that a playlist says is missed."""

ROUNDING_S = 0.002
"""Dates in playlists are in milliseconds, durations are not."""

AUDIO_FRAMES_S = 0.1
"""Frames of audio and video do not end together: audio segments are longer or shorter than their dates say."""

MAX_FAULTS = 50
"""A broken stream breaks with every request; the first ones tell."""


class Audience:
    """Watches one stream. `faults` says, in words, what a player would have tripped over.

    Args:
        server: that the stream is on; another one may be put in its place after a restart.
        stream_id: of the stream.
    """

    def __init__(self, server: Server, stream_id: str) -> None:
        self.server = server
        self.path = f"/hls/{stream_id}"
        self.faults: list[str] = []
        self.segments: dict[str, dict[int, Segment]] = {}
        """The newest state of each segment that was ever listed, by rendition and media sequence number."""
        self.is_paused = False
        """While the server is known to be away."""
        self._newest: dict[str, MediaPlaylist] = {}

    async def run(self) -> None:
        """Watch until cancelled."""
        timeout = aiohttp.ClientTimeout(total=20)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                await self.look(session)
                await asyncio.sleep(EVERY_S)

    async def look(self, session: aiohttp.ClientSession) -> None:
        """Read all playlists once."""
        master = await self._get(session, "master.m3u8")
        for uri in parse_master(master):
            text = await self._get(session, uri)
            if text:
                self._keep(uri.split("/")[0], parse_media(text))

    def discontinuities(self) -> list[int]:
        """Media sequence numbers of the segments that a discontinuity stands before, on any rendition."""
        return sorted(
            {msn for kept in self.segments.values() for msn, item in kept.items() if item.discontinuity}
        )

    def missing_s(self) -> dict[str, float]:
        """Media that is a gap, in seconds, by rendition; those without any are left out."""
        found = {name: sum(map(_missing_s, kept.values())) for name, kept in self.segments.items()}
        return {name: round(seconds, 3) for name, seconds in found.items() if seconds}

    def check(self) -> list[str]:
        """Compare the renditions; returns all faults."""
        for name, kept in self.segments.items():
            for msn, segment in kept.items():
                self._check_segment(name, segment, kept.get(msn + 1))
        for msn in sorted({msn for kept in self.segments.values() for msn in kept}):
            here = {name: kept[msn] for name, kept in self.segments.items() if msn in kept}
            with_break = sorted(name for name, segment in here.items() if segment.discontinuity)
            if with_break and len(with_break) != len(here):
                self._note(f"segment {msn}: a discontinuity on {with_break} of {sorted(here)}")
            dates = [segment.date_time for segment in here.values() if segment.date_time is not None]
            if dates and max(dates) - min(dates) > ROUNDING_S:
                self._note(f"segment {msn}: dates differ by {max(dates) - min(dates):.3f} s")
        return self.faults

    def _check_segment(self, name: str, segment: Segment, following: Segment | None) -> None:
        if following is None or segment.duration is None:
            return
        if segment.date_time is None or following.date_time is None:
            return
        step = following.date_time - segment.date_time - segment.duration
        tolerance_s = AUDIO_FRAMES_S if name == "audio" else ROUNDING_S
        if step < -tolerance_s or (step > tolerance_s and not following.discontinuity):
            self._note(f"{name}: dates step by {step:+.3f} s before segment {following.msn}")
        if segment.init != following.init and not following.discontinuity:
            self._note(f"{name}: another EXT-X-MAP without a discontinuity at {following.msn}")

    def _keep(self, name: str, playlist: MediaPlaylist) -> None:
        before = self._newest.get(name)
        if before is not None and playlist.media_sequence < before.media_sequence:
            self._note(f"{name}: media sequence {before.media_sequence} -> {playlist.media_sequence}")
        self._newest[name] = playlist
        kept = self.segments.setdefault(name, {})
        for segment in playlist.segments:
            old = kept.get(segment.msn)
            if old is not None and old.duration not in (None, segment.duration):
                self._note(f"{name}: segment {segment.msn} was {old.duration} s, is {segment.duration} s")
            if segment.duration is not None and round(segment.duration) > playlist.target_duration:
                self._note(f"{name}: segment {segment.msn} is {segment.duration} s long")
            if old is not None and not segment.parts:
                segment.parts = old.parts  # playlists list the parts of the newest segments only
            kept[segment.msn] = segment

    async def _get(self, session: aiohttp.ClientSession, uri: str) -> str:
        url = f"{self.server.http_url}{self.path}/{uri}"
        try:
            async with session.get(url) as response:
                text = await response.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            if not self.is_paused:
                self._note(f"{uri}: {type(error).__name__} {error}")
            return ""
        if response.status == 200:
            return text
        if not self.is_paused:
            self._note(f"{uri}: {response.status} {text[:200]}")
        return ""

    def _note(self, fault: str) -> None:
        if len(self.faults) < MAX_FAULTS and fault not in self.faults:
            self.faults.append(fault)


@asynccontextmanager
async def audience(server: Server, stream_id: str) -> AsyncIterator[Audience]:
    """Watch a stream from its first playlists on, to the end of the block."""
    found = Audience(server, stream_id)
    await server.wait_for(f"{found.path}/master.m3u8", seconds=30)
    task = asyncio.create_task(found.run())
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _missing_s(segment: Segment) -> float:
    if segment.gap:
        return segment.duration or 0.0
    return sum(part.duration for part in segment.parts if part.gap)
