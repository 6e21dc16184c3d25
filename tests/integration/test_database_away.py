"""The database stops under a running broadcast: the media goes on, the rest says so and comes back by itself."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

import psutil

from .playlist import parse_media
from .server import NEW_FFMPEG, Server, encoder_args, running


def database_processes(data_dir: Path) -> list[int]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.name() == "postgres" and Path(process.cwd()).samefile(data_dir / "postgres/data"):
                found.append(process.pid)
    return found


def signal_database(data_dir: Path, number: int) -> None:
    running = database_processes(data_dir)
    assert running
    for pid in running:
        os.kill(pid, number)


async def last_msn(server: Server, path: str) -> int:
    return parse_media((await server.wait_for(path)).text).segments[-1].msn


async def test_media_goes_on_and_the_rest_comes_back(server: Server, tmp_path: Path) -> None:
    live, other = await server.create_stream(), await server.create_stream(start=False)
    path = f"/hls/{live['id']}/360p/index.m3u8"
    publish = encoder_args(server.publish_url(live))
    async with running(NEW_FFMPEG, *publish):
        before = await last_msn(server, path)
        signal_database(tmp_path, signal.SIGSTOP)
        refused = await server.request(
            "/api/v1/streams", method="POST", body={"title": "x"}, token=server.token
        )
        assert (refused.status, refused.headers["Retry-After"]) == (503, "2")
    async with running(NEW_FFMPEG, *publish):  # the encoder comes back while the database is away
        after = await last_msn(server, path)
        async with asyncio.timeout(20):
            while await last_msn(server, path) < after + 2:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        assert after >= before
        ready = await server.request("/readyz")
        assert ready.status == 503
        assert ready.json()["checks"]["database"] == "the database does not answer"
        assert (await server.request("/healthz")).status == 200
        for method, address in (("POST", f"{other['id']}/start"), ("PUT", live["id"])):
            body = {"title": "x"} if method == "PUT" else None
            answer = await server.request(
                f"/api/v1/streams/{address}", method=method, body=body, token=server.token
            )
            assert answer.status == 503, address
        ended = await server.api("POST", f"/streams/{live['id']}/end")
        assert ended["status"] == "ended"
        await server.wait_for(path, contains="#EXT-X-ENDLIST")
    signal_database(tmp_path, signal.SIGCONT)
    await server.wait_for("/readyz", seconds=10)
    stream = await server.api("GET", f"/streams/{live['id']}")
    assert (stream["status"], stream["end_reason"], stream["ended_at"]) == (
        "ended",
        "owner",
        ended["ended_at"],
    )
    started = await server.api("POST", f"/streams/{other['id']}/start")
    assert started["status"] == "live"


async def test_a_killed_database_is_started_again(server: Server, tmp_path: Path) -> None:
    stream = await server.create_stream()
    [master] = [
        pid for pid in database_processes(tmp_path) if psutil.Process(pid).ppid() == server.process.pid
    ]
    os.kill(master, signal.SIGKILL)
    await asyncio.sleep(0)
    async with asyncio.timeout(20):
        while True:
            answer = await server.request(
                "/api/v1/streams", method="POST", body={"title": "x"}, token=server.token
            )
            if answer.status == 201:
                break
            assert answer.status == 503
            await asyncio.sleep(0.1)
    assert (await server.api("GET", f"/streams/{stream['id']}"))["status"] == "live"
    await server.wait_for("/readyz")


async def test_a_stopped_server_leaves_no_database(server: Server, tmp_path: Path) -> None:
    assert database_processes(tmp_path)
    assert await server.stop() == 0
    assert database_processes(tmp_path) == []
