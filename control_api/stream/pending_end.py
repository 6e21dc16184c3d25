"""Ends of streams that could not be stored yet: a file that is appended to, and read when the database is back."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from control_api.file import replace_file


@dataclass(frozen=True, slots=True)
class PendingEnd:
    """A stream that has ended."""

    stream_id: str
    ended_at: datetime
    reason: str


class PendingEnds:
    """The file.

    Args:
        path: of the file; its folder exists.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = asyncio.Lock()

    async def add(self, end: PendingEnd) -> None:
        """Write one down; it survives a killed server.

        Raises:
            OSError: it is not written.
        """
        async with self._lock:
            await asyncio.to_thread(self._append, end)

    async def read(self) -> Sequence[PendingEnd]:
        """List those that wait, each once."""
        async with self._lock:
            return await asyncio.to_thread(self._read)

    async def forget(self, done: Sequence[PendingEnd]) -> None:
        """Take out those that have been stored."""
        async with self._lock:
            await asyncio.to_thread(self._forget, frozenset(done))

    def _append(self, end: PendingEnd) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            file.write(_line(end))
            file.flush()
            os.fsync(file.fileno())

    def _read(self) -> Sequence[PendingEnd]:
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        found: dict[PendingEnd, None] = {}
        for line in lines:
            # A line that a power cut has torn was acknowledged to nobody.
            with suppress(ValueError, TypeError):
                stream_id, ended_at, reason = json.loads(line)
                found[PendingEnd(stream_id, datetime.fromisoformat(ended_at), reason)] = None
        return list(found)

    def _forget(self, done: frozenset[PendingEnd]) -> None:
        rest = [end for end in self._read() if end not in done]
        if rest:
            replace_file(self._path, b"".join(map(_line, rest)))
        else:
            self._path.unlink(missing_ok=True)


def _line(end: PendingEnd) -> bytes:
    return json.dumps([end.stream_id, end.ended_at.isoformat(), end.reason]).encode() + b"\n"
