"""Waiting for parts: one wake-up per rendition, however many wait; nothing polls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from media.error import CapacityError

from .rendition import Rendition
from .view import PartAddress

MAX_WAITERS = 10_000
"""Requests of one broadcast that may wait at once. A process may open 20,000 files."""


class Delivery:
    """Lets requests wait for what renditions will publish."""

    def __init__(self) -> None:
        self._wakeups: dict[str, asyncio.Event] = {}
        self._waiting = 0
        self._is_closed = False

    @property
    def waiting(self) -> int:
        """Requests that wait now."""
        return self._waiting

    def wake(self, rendition: Rendition) -> None:
        """Wake everyone who waits for this rendition."""
        wakeup = self._wakeups.pop(rendition.name, None)
        if wakeup is not None:
            wakeup.set()

    def close(self) -> None:
        """Release everyone; nobody will wait any more."""
        self._is_closed = True
        for wakeup in self._wakeups.values():
            wakeup.set()
        self._wakeups.clear()

    async def wait(self, rendition: Rendition, msn: int, part: int | None, timeout_s: float) -> bool:
        """Wait until a rendition has a part, or a whole segment; False when time is up or delivery closed."""
        return await self._wait_until(rendition, lambda: has_reached(rendition, msn, part), timeout_s)

    async def get_part(self, rendition: Rendition, address: PartAddress, timeout_s: float) -> bytes | None:
        """Return a part; wait for it when it is the one that is hinted at, or promised.

        Raises:
            CapacityError: too many wait, or a promised part was not made in time.
        """
        if address == rendition.next_address:

            def is_settled() -> bool:
                is_hint = address == rendition.next_address
                return not is_hint or has_reached(rendition, address.msn, address.part)

            await self._wait_until(rendition, is_settled, timeout_s)
        item = rendition.find(address.generation, address.msn)
        if item is None:
            return None
        await self._wait_for_promise(rendition, lambda: not item.is_part_promised(address.part), timeout_s)
        return item.part_data(address.part)

    async def get_segment(
        self, rendition: Rendition, generation: int, msn: int, timeout_s: float
    ) -> bytes | None:
        """Return a complete segment; wait for it when it is promised.

        Raises:
            CapacityError: too many wait, or the segment was not made in time.
        """
        item = rendition.find(generation, msn)
        if item is None or not item.is_complete:
            return None
        await self._wait_for_promise(rendition, lambda: not item.is_promised, timeout_s)
        return item.data()

    async def _wait_for_promise(
        self, rendition: Rendition, is_kept: Callable[[], bool], timeout_s: float
    ) -> None:
        if not await self._wait_until(rendition, is_kept, timeout_s) and not is_kept():
            raise CapacityError("this quality could not be made in time")

    async def _wait_until(self, rendition: Rendition, is_done: Callable[[], bool], timeout_s: float) -> bool:
        if is_done():
            return True
        if self._waiting >= MAX_WAITERS:
            raise CapacityError("too many requests wait for this stream")
        self._waiting += 1
        try:
            async with asyncio.timeout(timeout_s):
                while not (self._is_closed or is_done()):
                    await self._wakeups.setdefault(rendition.name, asyncio.Event()).wait()
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1
        return not self._is_closed


def has_reached(rendition: Rendition, msn: int, part: int | None) -> bool:
    """Tell whether a rendition has a part, or the whole segment when `part` is None, or has ended."""
    if rendition.is_ended:
        return True
    if part is None:
        return rendition.last_complete_msn >= msn
    last = rendition.last
    return last is not None and last >= (msn, part)
