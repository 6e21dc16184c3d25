"""Segments on disk: what has left memory and can still be asked for.

One thread writes and removes, in order, for all broadcasts; a few read. Nothing is synchronised to the disk: it
survives the death of the process, not of the machine.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import structlog

from media.error import CapacityError, os_reason

from .ledger import Remembered
from .ledger_file import LedgerFiles, load_ledger
from .shared_cache import SharedCache

Result = TypeVar("Result")

log = structlog.get_logger(__name__)

MAX_QUEUED_BYTES = 128 << 20
"""What may wait to be written, of all broadcasts: some seconds of a slow disk. Beyond, segments are not kept."""

RESERVE_BYTES = 1 << 30
"""What is left free for everybody else on the same disk, unless it is a small one."""

RESERVE_SHARE = 0.05
"""Of a small disk."""

READERS = 2

MAX_CACHED_BYTES = 64 << 20
"""Of what has been read: forty segments of two seconds at 6 Mbit/s; the system's own cache is behind it."""


class Archives:
    """The segments of all broadcasts of this server, under one folder.

    Args:
        folder: made when it is needed.
        max_bytes: of all segments together. Over it, the broadcasts that hold the most give up their oldest.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._writer = ThreadPoolExecutor(1, "archive-writer")
        self.readers = ThreadPoolExecutor(READERS, "archive-reader")
        self.cache: SharedCache[Path] = SharedCache(MAX_CACHED_BYTES)
        self._archives: dict[str, Archive] = {}
        self._queued_bytes = 0
        self._missing_bytes = 0  # by which the disk has less free space than it should
        self.relieve: Callable[[], bool] = lambda: False
        """Removes what is needed least, a broadcast that is over; tells whether there was any."""
        self.failure: str | None = None
        """Why segments cannot be written at present."""
        self._is_closed = False

    @property
    def size_bytes(self) -> int:
        """Media on disk, with what waits to be written."""
        return sum(archive.size_bytes for archive in self._archives.values())

    def open(self, stream_id: str) -> Archive:
        """Return the archive of a broadcast."""
        archive = self._archives.get(stream_id)
        if archive is None:
            archive = self._archives[stream_id] = Archive(self, self._folder / stream_id)
        return archive

    async def load(self, stream_id: str) -> Remembered:
        """Read what an earlier process has left of a broadcast; its archive goes on with it."""
        archive = self.open(stream_id)
        await self._run(archive.ledger.adopt)
        found = await self._run(load_ledger, archive.folder)
        archive.size_bytes = found.size_bytes
        return found

    async def sweep(self, keep: Collection[str]) -> None:
        """Remove what an earlier process has left of broadcasts that are over."""
        await self._run(self._sweep, frozenset(keep))

    def remove(self, stream_id: str) -> None:
        """Remove everything of a broadcast that is over."""
        archive = self._archives.pop(stream_id, None)
        if archive is not None:
            folder = archive.folder
            self._missing_bytes -= archive.size_bytes
            self.cache.forget(lambda path: path.is_relative_to(folder))
            archive.ledger.flush()
            self.submit(shutil.rmtree, folder, True)

    async def close(self) -> None:
        """Wait until everything is written."""
        for archive in self._archives.values():
            archive.ledger.flush()
        self._is_closed = True
        await asyncio.to_thread(self._writer.shutdown)
        self.readers.shutdown(wait=False)

    def is_over_budget(self, archive: Archive) -> bool:
        """Tell whether a broadcast has to give something up: it holds no less than the others on average."""
        while self._is_over:
            if not self.relieve():
                return archive.size_bytes > 0 and archive.size_bytes * len(self._archives) >= self.size_bytes
        return False

    @property
    def _is_over(self) -> bool:
        return self._missing_bytes > 0 or self.size_bytes > self._max_bytes

    def write(self, path: Path, data: bytes, on_done: Callable[[bool], None]) -> None:
        """Write a file; `on_done` is told, on the event loop, whether it is there."""
        is_full = self._queued_bytes + len(data) > MAX_QUEUED_BYTES
        if is_full:
            self._note("the disk is too slow")
        if is_full or self._is_closed:
            on_done(False)
            return
        self._queued_bytes += len(data)
        task = asyncio.get_running_loop().run_in_executor(self._writer, self._write, path, data)

        def written(future: asyncio.Future[None]) -> None:
            self._queued_bytes -= len(data)
            error = None if future.cancelled() else future.exception()
            self._note(os_reason(error) if isinstance(error, OSError) else None)
            on_done(not future.cancelled() and error is None)

        task.add_done_callback(written)

    def unlink(self, path: Path, size_bytes: int) -> None:
        """Remove a file."""
        self._missing_bytes -= size_bytes
        self.submit(path.unlink, True)

    def submit(self, call: Callable[..., object], *arguments: object) -> None:
        """Have something done by the writer, in order; what goes wrong there is of no interest."""
        if not self._is_closed:
            self._writer.submit(call, *arguments)

    async def _run(self, call: Callable[..., Result], *arguments: object) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._writer, call, *arguments)

    def _note(self, failure: str | None) -> None:
        if failure is not None and self.failure is None:
            log.error("segments cannot be kept for rewinding", reason=failure, folder=str(self._folder))
        elif failure is None and self.failure is not None:
            log.info("segments are kept for rewinding again")
        self.failure = failure

    # In the writer's thread.

    def _write(self, path: Path, data: bytes) -> None:
        try:
            path.write_bytes(data)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        except OSError:
            path.unlink(missing_ok=True)  # half a file must not use up the rest of the disk
            raise
        finally:
            self._measure()

    def _measure(self) -> None:
        if self._folder.exists():
            disk = os.statvfs(self._folder)
            reserve = min(RESERVE_BYTES, RESERVE_SHARE * disk.f_blocks * disk.f_frsize)
            self._missing_bytes = int(reserve) - disk.f_bavail * disk.f_frsize

    def _sweep(self, keep: frozenset[str]) -> None:
        for folder in self._folder.iterdir() if self._folder.is_dir() else ():
            if folder.is_dir() and folder.name not in keep:
                shutil.rmtree(folder, ignore_errors=True)


class Archive:
    """The segments of one broadcast, each under its address; made by `Archives.open`.

    Args:
        archives: of the server.
        folder: of this broadcast.
    """

    def __init__(self, archives: Archives, folder: Path) -> None:
        self._archives = archives
        self.folder = folder
        self.ledger = LedgerFiles(folder, archives.submit)
        self.size_bytes = 0
        """Media on disk, with what waits to be written."""

    @property
    def failure(self) -> str | None:
        """Why segments cannot be written at present, None when they can."""
        return self._archives.failure

    @property
    def is_over_budget(self) -> bool:
        """Whether it has to give something up."""
        return self._archives.is_over_budget(self)

    def write(
        self, rendition: str, generation: int, msn: int, data: bytes, on_done: Callable[[bool], None]
    ) -> None:
        """Write a segment; `on_done` is told whether it is there."""
        self.size_bytes += len(data)

        def done(is_there: bool) -> None:
            if not is_there:
                self.size_bytes -= len(data)
            on_done(is_there)

        self._archives.write(self._path(rendition, generation, msn), data, done)

    async def read(self, rendition: str, generation: int, msn: int) -> bytes | None:
        """Read a segment; None when it is not there (any more).

        Raises:
            CapacityError: it cannot be read at the moment.
        """
        path = self._path(rendition, generation, msn)
        try:
            return await self._archives.cache.get(path, lambda: self._read(path))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CapacityError(f"the past cannot be read now: {os_reason(error)}") from error

    def remove(self, rendition: str, generation: int, msn: int, size_bytes: int) -> None:
        """Remove a segment that is there."""
        self.size_bytes -= size_bytes
        self._archives.unlink(self._path(rendition, generation, msn), size_bytes)

    async def _read(self, path: Path) -> bytes:
        return await asyncio.get_running_loop().run_in_executor(self._archives.readers, path.read_bytes)

    def _path(self, rendition: str, generation: int, msn: int) -> Path:
        return self.folder / rendition / f"{generation}-{msn}.m4s"
