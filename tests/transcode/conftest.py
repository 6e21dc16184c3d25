from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from transcode.render import Renderer
from transcode.supervisor import WorkerPool


def children() -> set[int]:
    tasks = Path(f"/proc/{os.getpid()}/task")
    return {int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()}


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    """Give a pool, and see that it leaves no process, no socket and no task behind."""
    before, files = children(), open_files()
    tasks = len(asyncio.all_tasks())
    pool = WorkerPool()
    await pool.start()
    yield pool
    await pool.close()
    await asyncio.sleep(0.05)  # transports close their sockets in the loop's next turns
    assert children() - before == set()
    assert open_files() <= files + 1  # asyncio's own, for watching children
    assert len(asyncio.all_tasks()) <= tasks


@pytest.fixture
async def renderer(pool: WorkerPool) -> AsyncIterator[Renderer]:
    """Give a renderer of that pool."""
    renderer = Renderer(pool)
    yield renderer
    await renderer.close()
