"""A gate that lets everybody in but one, and records what comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from media.error import StreamError
from media.packet import Packet
from rtmp.port import Publication, PublishRequest

WAIT_S = 15
"""Shorter than the limit of a test, so that the wait that failed is named."""


class RecordingPublication:
    def __init__(self, kick: Callable[[str], None]) -> None:
        self.kick = kick
        self.packets: list[Packet] = []
        self.metadata: list[Mapping[str, object]] = []
        self.dropped: list[int] = []
        self.holds_s: list[float] = []
        """How long the socket is left alone after each of the next reads."""
        self.reason = ""
        self.closed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.is_ready = asyncio.Event()
        self.is_ready.set()
        self.has_fault = False
        self._news = asyncio.Event()

    def receive(self, packet: Packet) -> None:
        self.packets.append(packet)
        self._news.set()

    def receive_metadata(self, metadata: Mapping[str, object]) -> None:
        self.metadata.append(metadata)
        self._news.set()

    def note_dropped(self, count: int) -> None:
        self.dropped.append(count)
        self._news.set()

    def hold_s(self) -> float:
        return self.holds_s.pop(0) if self.holds_s else 0.0

    async def ready(self) -> None:
        await self.is_ready.wait()

    def close(self, clean: bool, reason: str) -> None:
        if not self.closed.done():
            self.reason = reason
            self.closed.set_result(clean)
        if self.has_fault:
            raise RuntimeError("a fault of the publication")

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for something to have come."""
        async with asyncio.timeout(WAIT_S):
            while not is_so():
                self._news.clear()
                await self._news.wait()

    @property
    def video(self) -> list[Packet]:
        return [packet for packet in self.packets if packet.is_video]

    @property
    def audio(self) -> list[Packet]:
        return [packet for packet in self.packets if not packet.is_video]


class RecordingGate:
    def __init__(self) -> None:
        self.requests: list[PublishRequest] = []
        self.publications: list[RecordingPublication] = []
        self.changed = asyncio.Event()

    async def publish(self, request: PublishRequest, kick: Callable[[str], None]) -> Publication:
        self.requests.append(request)
        if request.stream_key == "bad":
            raise StreamError("not_found", "this stream key is not known")
        if request.stream_key == "bug":
            raise RuntimeError("a fault of the gate")
        publication = RecordingPublication(kick)
        self.publications.append(publication)
        self.changed.set()
        return publication

    async def next_publication(self) -> RecordingPublication:
        """Wait for a publication that was not returned yet."""
        async with asyncio.timeout(WAIT_S):
            await self.changed.wait()
        self.changed.clear()
        return self.publications[-1]
