"""What has just been read or made, for the others who ask for the same: done once, however many ask."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class SharedCache(Generic[Key]):
    """Bytes by a key; the least recently asked for go first.

    Args:
        max_bytes: of all together.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held: OrderedDict[Key, bytes] = OrderedDict()
        self._size_bytes = 0
        self._making: dict[Key, asyncio.Task[bytes | None]] = {}

    async def get(self, key: Key, make: Callable[[], Awaitable[bytes | None]]) -> bytes | None:
        """Return what a key stands for; whoever asks while it is being made shares that, and its error.

        Args:
            key: names one set of bytes for ever.
            make: makes it; None is not kept.
        """
        data = self._held.get(key)
        if data is not None:
            self._held.move_to_end(key)
            return data
        task = self._making.get(key)
        if task is None:
            task = self._making[key] = asyncio.ensure_future(self._make(key, make))
        # One who goes away must not take the others' answer along.
        return await asyncio.shield(task)

    def forget(self, is_over: Callable[[Key], bool]) -> None:
        """Drop what nobody will ask for any more."""
        for key in [key for key in self._held if is_over(key)]:
            self._size_bytes -= len(self._held.pop(key))

    async def _make(self, key: Key, make: Callable[[], Awaitable[bytes | None]]) -> bytes | None:
        try:
            data = await make()
        finally:
            del self._making[key]
        if data is not None:
            self._held[key] = data
            self._size_bytes += len(data)
        while self._size_bytes > self._max_bytes:
            self._size_bytes -= len(self._held.popitem(last=False)[1])
        return data
