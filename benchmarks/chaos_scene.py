"""A server, a stream and its audience: what every scenario of `chaos` begins and ends with."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import psutil

from benchmarks.chaos_source import prepare, push
from benchmarks.clip import FFMPEG
from tests.integration.audience import Audience, audience
from tests.integration.playlist import parse_media
from tests.integration.server import Server, running, running_server

LADDER = "1080p,720p,360p,144p"
"""Few enough for two cores; all kinds of rungs are there: copied, encoded, carried smaller."""

MAX_S = 200.0
"""What a scenario may take; the longest takes half of it."""

STAY_S = 6.0
"""How long an encoder stays at least, so that whole segments of it are seen."""

HARMLESS = (
    "duplicated MOOV",
    "non monotonically increasing dts to muxer",
    "Last message repeated",
    "skipping one",
)
"""What ffmpeg remarks on playlists that are right: it reads init segments again, and shows frames that last longer."""


class Scene:
    """One stream on one server.

    Args:
        server: that runs.
        folder: its DATA_DIR, with its log.
        sources: where prepared sources are kept.
        stream: as the API describes it.
    """

    def __init__(self, server: Server, folder: Path, sources: Path, stream: dict[str, Any]) -> None:
        self.server = server
        self.folder = folder
        self.stream = stream
        self.viewers: Audience | None = None
        self.result: dict[str, Any] = {}
        """What is reported beside the faults."""
        self.faults: list[str] = []
        self.not_decoded: set[str] = set()
        """Renditions whose codec changes, which ffmpeg cannot follow."""
        self.expected: int | None = None
        """Discontinuities that viewers may see, None for any number."""
        self._sources = sources
        self._before: tuple[float, int] | None = None

    @property
    def url(self) -> str:
        """Where an encoder publishes."""
        return self.server.publish_url(self.stream)

    @property
    def rtmp_port(self) -> int:
        """Where RTMP is listened for."""
        return int(self.server.rtmp_url.rsplit(":", 1)[1].split("/")[0])

    @property
    def log(self) -> str:
        """All that the server has logged."""
        return (self.folder / "server.log").read_text()

    async def source(self, name: str) -> Path:
        """Return a prepared source."""
        return await asyncio.to_thread(prepare, self._sources, name)

    async def health(self) -> dict[str, Any]:
        """Ask what the owner is told."""
        found: dict[str, Any] = await self.server.api("GET", f"/streams/{self.stream['id']}/health")
        return found

    @asynccontextmanager
    async def publishing(
        self, name: str = "360p", *, url: str | None = None, output: str = ""
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """Publish a source; its encoder is killed at the end of the block."""
        arguments = push(await self.source(name), url or self.url, output=output)
        async with running(FFMPEG, *arguments) as encoder:
            yield encoder

    async def publish_for(self, seconds: float, name: str = "360p") -> None:
        """Publish for a while, then be killed."""
        async with self.publishing(name):
            await asyncio.sleep(seconds)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[Audience]:
        """Let viewers watch to the end of the block; an encoder has to be about to publish."""
        async with audience(self.server, self.stream["id"]) as self.viewers:
            yield self.viewers

    @asynccontextmanager
    async def after(self, name: str = "360p") -> AsyncIterator[Audience]:
        """Put media on the air and viewers before it, then kill the encoder; the block is what comes afterwards."""
        async with AsyncExitStack() as stack:
            async with self.publishing(name):
                viewers = await stack.enter_async_context(self.watching())
                await asyncio.sleep(STAY_S)
            yield viewers

    async def until(self, words: str) -> None:
        """Wait until words are logged."""
        for _ in range(400):
            if words in self.log:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"never logged: {words}")

    def note_resources(self) -> None:
        """Remember memory and files; the second time, report how they have grown."""
        process = psutil.Process(self.server.process.pid)
        now = process.memory_info().rss / 2**20, process.num_fds()
        if self._before is None:
            self._before = now
        else:
            grown_mib, grown_fds = round(now[0] - self._before[0], 1), now[1] - self._before[1]
            self.result |= {"grown_mib": grown_mib, "grown_fds": grown_fds}
            if grown_fds > 10:
                self.faults.append(f"{grown_fds} more files are open than before")

    async def finish(self) -> None:
        """End the stream by the API and let ffmpeg decode what there is."""
        stream = await self.server.api("GET", f"/streams/{self.stream['id']}")
        if stream["status"] == "live":
            await self.server.api("POST", f"/streams/{self.stream['id']}/end")
        if self.viewers is not None:
            for name in self.viewers.segments.keys() - self.not_decoded:
                await self._decode(f"{self.viewers.path}/{name}/index.m3u8")

    def check(self) -> None:
        """Look at what viewers saw and at the log."""
        if self.viewers is not None:
            self.faults += self.viewers.check()
            seen, missing = len(self.viewers.discontinuities()), self.viewers.missing_s()
            self.result |= {"discontinuities": seen, "missing_s": missing}
            if missing:
                self.faults.append(f"media is missing: {missing}")
            if self.expected is not None and seen != self.expected:
                self.faults.append(f"{seen} discontinuities instead of {self.expected}")
        log = self.log
        if "Traceback" in log:
            self.faults.append("a traceback in the log: " + log[log.index("Traceback") :][:1500])
        if self.stream["stream_key"] in log:
            self.faults.append("the stream key is in the log")

    async def _decode(self, path: str) -> None:
        answer = await self.server.request(path)
        if answer.status != 200 or not parse_media(answer.text).ended:
            self.faults.append(f"{path}: {answer.status}, not ended")
            return
        url = self.server.http_url + path
        arguments = ("-v", "warning", "-live_start_index", "0", "-i", url, "-f", "null", "-")
        async with running(FFMPEG, *arguments) as player:
            _, said = await asyncio.wait_for(player.communicate(), 120)
        bad = [line for line in said.decode().splitlines() if not any(text in line for text in HARMLESS)]
        if bad or player.returncode:
            self.faults.append(f"ffmpeg plays {path}: {player.returncode} {bad[:6]}")


Scenario = Callable[[Scene], Awaitable[None]]


async def play(scenario: Scenario, sources: Path, **env: str) -> dict[str, Any]:
    """Run a scenario on a server of its own, end its stream, check everything; returns what is reported."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with running_server(folder, **({"LADDER": LADDER} | env)) as server:
            scene = Scene(server, folder, sources, await server.create_stream(quality="2160p"))
            started = time.monotonic()
            try:
                await asyncio.wait_for(scenario(scene), MAX_S)
                if scene.server.process.returncode is None:
                    await scene.finish()
            except Exception as error:  # one scenario that fails is a finding, the others go on
                scene.faults.append(f"{type(error).__name__}: {error}"[:1000])
            scene.check()
            scene.result["seconds"] = round(time.monotonic() - started)
    return scene.result | {"faults": scene.faults}
