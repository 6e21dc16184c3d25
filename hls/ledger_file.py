"""The ledger of a broadcast in files: appended to off the event loop, dropped as the past is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from .ledger import Remembered, Track, entry_line, read_ledger, segment_line, track_line
from .published import PublishedSegment

PER_FILE = 1024
"""Segments whose lines are in one file: half an hour."""

FLUSH_S = 0.05
"""How long lines wait for more. What a crash loses of them are gaps."""

_NAME = "ledger-{:015d}.jsonl"
_PATTERN = f"ledger-{'[0-9]' * 15}.jsonl"


class LedgerFiles:
    """Writes the ledger of one broadcast.

    Args:
        folder: of the broadcast.
        submit: has something done off the event loop, in order.
    """

    def __init__(self, folder: Path, submit: Callable[..., object]) -> None:
        self._folder = folder
        self._submit = submit
        self._tracks: dict[tuple[str, int], bytes] = {}
        self._newest_msn = -1
        self._files: set[int] = set()
        self._lines: dict[int, list[bytes]] = {}
        self._flush: asyncio.TimerHandle | None = None

    def adopt(self) -> None:
        """Go on with the files that are there; blocks."""
        self._files.update(int(path.stem.partition("-")[2]) for path in self._folder.glob(_PATTERN))

    def note_track(self, rendition: str, generation: int, track: Track) -> None:
        """Take note of a track."""
        line = self._tracks[rendition, generation] = track_line(rendition, generation, track)
        if self._files:
            self._put(max(self._files), line)

    def note(self, rendition: str, item: PublishedSegment) -> None:
        """Take note of what has become of a complete segment."""
        msn = item.segment.msn
        number = msn // PER_FILE
        if number not in self._files:
            # Each file can be read by itself, since those before it are dropped.
            self._files.add(number)
            for line in self._tracks.values():
                self._put(number, line)
        if msn > self._newest_msn:
            self._newest_msn = msn
            self._put(number, segment_line(item.segment))
        self._put(number, entry_line(rendition, item))

    def drop_before(self, msn: int) -> None:
        """Forget what is said of segments below a media sequence number, and the tracks that only they had."""
        for number in [number for number in self._files if (number + 1) * PER_FILE <= msn]:
            self._files.discard(number)
            self._lines.pop(number, None)
            self._submit(_remove, self._folder / _NAME.format(number))

    def forget_tracks(self, rendition: str, oldest_generation: int) -> None:
        """Write no more of the tracks of a rendition that are older than this."""
        for key in [key for key in self._tracks if key[0] == rendition and key[1] < oldest_generation]:
            del self._tracks[key]

    def flush(self) -> None:
        """Have everything written that waits."""
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        lines, self._lines = self._lines, {}
        for number, found in lines.items():
            self._submit(_append, self._folder / _NAME.format(number), b"".join(found))

    def _put(self, number: int, line: bytes) -> None:
        self._lines.setdefault(number, []).append(line)
        if self._flush is None:
            self._flush = asyncio.get_running_loop().call_later(FLUSH_S, self.flush)


def load_ledger(folder: Path) -> Remembered:
    """Read what an earlier process has left of a broadcast; blocks. Only what is really there is remembered.

    Files that are not spoken of are removed.
    """
    found = read_ledger(_lines(folder))
    expected = {}
    for name, rendition in found.renditions.items():
        for msn, entry in list(rendition.entries.items()):
            path = folder / name / f"{entry.generation}-{msn}.m4s"
            # A promise with a file has been kept, and nobody has written down how: it must not be made anew.
            if (entry.is_promised and path.exists()) or (
                entry.size_bytes and not _has_size(path, entry.size_bytes)
            ):
                del rendition.entries[msn]
            elif entry.size_bytes:
                expected[path] = entry
    for path in folder.glob("*/*"):
        if path not in expected:
            _remove(path)
    return found


def _lines(folder: Path) -> Iterator[bytes]:
    for path in sorted(folder.glob(_PATTERN)):
        with suppress(OSError), path.open("rb") as file:
            yield from file


def _has_size(path: Path, size_bytes: int) -> bool:
    with suppress(OSError):
        return path.stat().st_size == size_bytes
    return False


# A disk that cannot be written to is told of where segments are written.


def _append(path: Path, data: bytes) -> None:
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(data)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)
