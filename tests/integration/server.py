"""The real server in a process of its own, and real encoders that publish to it."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imageio_ffmpeg

from mediaserver.postgres import EmbeddedPostgres
from tests.program import need

ROOT = Path(__file__).parents[2]
NEW_FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
OLD_FFMPEG = "/usr/bin/ffmpeg"
READY_S = 15.0
STEADY = (str(ROOT / "tests" / "integration" / "shedding_server.py"),)
"""The server with a ladder that follows orders of its standard input, and not what the machine can carry."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


def request(url: str, *, method: str = "GET", token: str | None = None, body: object = None) -> Answer:
    """Make one HTTP request; statuses are answers, not exceptions."""
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    call = urllib.request.Request(url, data=data, method=method, headers=headers)
    try:
        with urllib.request.urlopen(call, timeout=20) as response:
            return Answer(response.status, dict(response.headers), response.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, dict(error.headers), error.read())


class Server:
    """A running `mediaserver serve`."""

    def __init__(self, process: asyncio.subprocess.Process, http_url: str, rtmp_url: str, token: str) -> None:
        self.process = process
        self.http_url = http_url
        self.rtmp_url = rtmp_url
        self.token = token

    async def request(
        self, path: str, *, method: str = "GET", body: object = None, token: str | None = None
    ) -> Answer:
        return await asyncio.to_thread(request, self.http_url + path, method=method, body=body, token=token)

    async def api(self, method: str, path: str, body: object = None) -> Any:
        answer = await self.request(f"/api/v1{path}", method=method, body=body, token=self.token)
        assert answer.status in (200, 201), (answer.status, answer.text)
        return answer.json()

    async def create_stream(self, *, start: bool = True, **fields: object) -> dict[str, Any]:
        """Create a stream, start it unless told otherwise, and return its fields."""
        stream: dict[str, Any] = await self.api("POST", "/streams", {"title": "a test"} | fields)
        if start:
            await self.api("POST", f"/streams/{stream['id']}/start")
        return stream

    def publish_url(self, stream: Mapping[str, Any]) -> str:
        return f"{self.rtmp_url}/{stream['stream_key']}"

    async def wait_for(self, path: str, *, seconds: float = 15.0, contains: str = "") -> Answer:
        """Ask until the answer is 200 and contains a text."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            answer = await self.request(path)
            if answer.status == 200 and contains in answer.text:
                return answer
            if asyncio.get_running_loop().time() > deadline:
                raise AssertionError(f"{path}: {answer.status} {answer.text[:2000]}")
            await asyncio.sleep(0.1)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)

    async def stop(self) -> int:
        """Stop in order and return the exit code."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), 10)

    def tell(self, line: str) -> None:
        """Write a line to a program that takes orders, such as `shedding_server`."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())

    def workers(self) -> list[int]:
        """Process ids of the codec workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [
            int(pid) for pid in children if b"transcode.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]


async def _read_ready(process: asyncio.subprocess.Process) -> tuple[str, str]:
    assert process.stdout is not None
    text = ""
    while line := (await process.stdout.readline()).decode():
        text += line
        pages, rtmp = re.search(r"(https?://\S+?)/?\s", text), re.search(r"(rtmp://\S+/live)\s", text)
        if pages and rtmp:
            return pages.group(1), rtmp.group(1)
    raise AssertionError(f"the server ended before it was ready: {text}")


async def copy_database(data_dir: Path) -> None:
    """Spare a server its first start: give it an empty database that was made once for all tests."""
    if not _empty_databases:
        folder = Path(tempfile.mkdtemp(prefix="mediaserver-test-"))
        atexit.register(shutil.rmtree, folder)
        postgres = EmbeddedPostgres(folder)
        await postgres.start()
        await postgres.stop()
        _empty_databases.append(folder / "postgres")
    # It keeps the owner, which is not root.
    copy = await asyncio.create_subprocess_exec("cp", "-a", _empty_databases[0], data_dir / "postgres")
    assert await copy.wait() == 0


_empty_databases: list[Path] = []


@asynccontextmanager
async def running_server(
    data_dir: Path, program: Sequence[str] = ("-m", "mediaserver"), **env: str
) -> AsyncIterator[Server]:
    """Start the server on free ports of the loopback; stop it at the end, hard if need be."""
    settings = {
        "HOST": "127.0.0.1",
        "RTMP_HOST": "127.0.0.1",
        "PORT": "0",
        "RTMP_PORT": "0",
        "WEBRTC_UDP_PORT": "0",
        "DATA_DIR": str(data_dir),
        "MIN_FOLLOWERS_TO_STREAM": "0",
    } | env
    if not (data_dir / "postgres").exists() and "DATABASE_URL" not in env:
        await copy_database(data_dir)
    command = [sys.executable, *program]
    environment = os.environ | settings
    with (data_dir / "server.log").open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            *command,
            "serve",
            env=environment,
            cwd=data_dir,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
    try:
        http_url, rtmp_url = await asyncio.wait_for(_read_ready(process), READY_S)
        token = await asyncio.create_subprocess_exec(
            *command, "token", "alice", env=environment, cwd=data_dir, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await token.communicate()
        yield Server(process, http_url, rtmp_url, out.decode().strip())
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 10)
            except TimeoutError:
                process.kill()
                await process.wait()


def encoder_args(
    url: str,
    *,
    size: str = "640x360",
    rate: int = 25,
    gop_s: float = 2.0,
    audio: bool = True,
    extra: str = "",
) -> list[str]:
    """Ffmpeg arguments that publish a test picture and a tone in real time."""
    picture = ["-re", "-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}"]
    tone = ["-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"] if audio else []
    codecs = (
        f"-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g {round(rate * gop_s)} -b:v 1M {extra}".split()
    )
    sound = ["-c:a", "aac", "-ac", "2", "-b:a", "96k"] if audio else ["-an"]
    return ["-hide_banner", "-loglevel", "error", *picture, *tone, *codecs, *sound, "-f", "flv", url]


@asynccontextmanager
async def running(program: str, *args: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program in the background and end it with the block."""
    process = await asyncio.create_subprocess_exec(
        need(program), *args, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def demo(url: str) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
    """Publish the demo picture, whose strip `browser` reads, for as long as the block lasts."""
    return running(sys.executable, "-m", "mediaserver.demo_source", url, "--with-parent")
