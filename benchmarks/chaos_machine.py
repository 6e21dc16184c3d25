"""`chaos`: what happens to the machine below the server."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress

from benchmarks.chaos_scene import STAY_S, Scene
from tests.integration.server import running_server

FROZEN_S = 14.0
"""Longer than an encoder may be silent."""

FILES = 64


async def server_frozen(scene: Scene) -> None:
    """The machine stands still for 14 s, as when a virtual one is moved: the publisher stays, nothing is lost."""
    async with scene.publishing() as encoder, scene.watching() as viewers:
        await asyncio.sleep(STAY_S)
        viewers.is_paused = True
        pids = [scene.server.process.pid, *scene.server.workers()]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(FROZEN_S)
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)
        await asyncio.sleep(1)
        viewers.is_paused = False
        await asyncio.sleep(STAY_S)
        if encoder.returncode is not None:
            scene.faults.append("the publisher was dropped")
    scene.expected = 0


async def few_files(scene: Scene) -> None:
    """Open files run out while strangers connect: media goes on, and when they have left there is room again."""
    scene.folder = scene.folder / "few"
    scene.folder.mkdir()
    async with AsyncExitStack() as stack:
        with _files(FILES):
            starting = running_server(scene.folder, LADDER="360p,144p")
            scene.server = await stack.enter_async_context(starting)
        scene.stream = await scene.server.create_stream()
        await _crowd(scene)
        await scene.finish()


async def hung_up(scene: Scene) -> None:
    """SIGHUP without a certificate is nothing."""
    async with scene.publishing() as encoder, scene.watching():
        await asyncio.sleep(STAY_S)
        scene.server.process.send_signal(signal.SIGHUP)
        await asyncio.sleep(STAY_S)
        if encoder.returncode is not None:
            scene.faults.append("the publisher was dropped")
    scene.expected = 0


async def _crowd(scene: Scene) -> None:
    async with scene.publishing() as encoder, scene.watching():
        await asyncio.sleep(STAY_S)
        scene.note_resources()
        taken = []
        for _ in range(2 * FILES):
            with suppress(OSError, TimeoutError):
                taken.append(await asyncio.wait_for(asyncio.open_connection("127.0.0.1", scene.rtmp_port), 1))
        await asyncio.sleep(4)
        scene.result["connections_taken"] = len(taken)
        for _, writer in taken:
            writer.transport.abort()
        await asyncio.sleep(3)
        if encoder.returncode is not None:
            scene.faults.append("the publisher was dropped")
        scene.note_resources()
        await scene.publish_for(STAY_S)


@contextmanager
def _files(count: int) -> Iterator[None]:
    """Bound the open files of what is started meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


SCENARIOS = (server_frozen, few_files, hung_up)
