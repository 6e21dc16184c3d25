"""What a broadcast needs to go on after its server process died: one small file for each live stream."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import structlog

from hls.timeline import Checkpoint

log = structlog.get_logger(__name__)

BOUND = 1 << 53
"""Ticks of 3,000 years. A damaged number beyond it would not fit into the boxes of fMP4."""


class CheckpointStore:
    """Checkpoints under a folder, written off the event loop, the newest one only.

    The write is an atomic replace without fsync: it survives the death of the process, and a broadcast that
    loses it to a power cut starts over with a higher generation only if the file system kept the older file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pending: dict[str, Checkpoint] = {}
        self._writer: asyncio.Task[None] | None = None

    def load(self, stream_id: str) -> Checkpoint | None:
        """Read a stream's checkpoint, None when there is none or it cannot be read."""
        try:
            return _parse(json.loads(self._path(stream_id).read_text()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, AttributeError) as error:
            log.warning(
                "checkpoint unreadable, the broadcast starts over", stream_id=stream_id, error=str(error)
            )
            return None

    def save(self, stream_id: str, checkpoint: Checkpoint) -> None:
        """Queue a write; a newer checkpoint of the same stream replaces one that is still queued."""
        self._pending[stream_id] = checkpoint
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_pending())

    async def forget(self, stream_id: str) -> None:
        """Remove the checkpoint of a stream that has ended."""
        self._pending.pop(stream_id, None)
        await self.close()
        with suppress(FileNotFoundError):
            await asyncio.to_thread(self._path(stream_id).unlink)

    async def close(self) -> None:
        """Wait until everything queued is written."""
        if self._writer is not None:
            await self._writer

    async def _write_pending(self) -> None:
        while self._pending:
            stream_id = next(iter(self._pending))
            checkpoint = self._pending.pop(stream_id)
            try:
                await asyncio.to_thread(self._write, stream_id, checkpoint)
            except OSError as error:
                log.warning("checkpoint not written", stream_id=stream_id, error=str(error))

    def _write(self, stream_id: str, checkpoint: Checkpoint) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(stream_id)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(checkpoint)))
        partial.replace(path)

    def _path(self, stream_id: str) -> Path:
        return self._folder / f"{stream_id}.json"


def _parse(fields: dict[str, object]) -> Checkpoint:
    if not all(isinstance(value, int) and 0 <= value < BOUND for value in fields.values()):
        raise ValueError(f"fields have to be whole numbers below {BOUND}")
    return Checkpoint(**fields)  # type: ignore[arg-type]  # just checked
