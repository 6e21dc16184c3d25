"""Waiting for parts: one wake-up per rendition, however many wait; nothing polls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from media.error import CapacityError

from .port import Told
from .rendition import Rendition
from .view import PartAddress

MAX_WAITERS = 10_000
"""Requests of one broadcast that may wait at once. A process may open 20,000 files."""


class Ticket:
    """A place in the queue of those who wait without a task of their own."""

    __slots__ = ("is_done", "timer", "told")

    timer: asyncio.TimerHandle

    def __init__(self, is_done: Callable[[], bool], told: Told) -> None:
        self.is_done = is_done
        self.told = told


class Delivery:
    """Lets requests wait for what renditions will publish: in a task, or with a callback, which costs a tenth."""

    def __init__(self) -> None:
        self._wakeups: dict[str, asyncio.Event] = {}
        self._tickets: dict[str, dict[Ticket, None]] = {}
        self._waiting = 0
        self.refused = 0
        """Requests that would have had to wait in a task, and might not; who is refused a call tries that."""
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
        if self._tickets.get(rendition.name):
            # Not here: whoever publishes goes on first.
            asyncio.get_running_loop().call_soon(self._look, rendition.name)

    def close(self) -> None:
        """Release everyone; nobody will wait any more."""
        self._is_closed = True
        for wakeup in self._wakeups.values():
            wakeup.set()
        self._wakeups.clear()
        for name, tickets in self._tickets.items():
            for ticket in list(tickets):
                self._tell(name, ticket, False)

    def call(self, rendition: Rendition, is_done: Callable[[], bool], told: Told, timeout_s: float) -> Ticket:
        """Have somebody called when something is done; `drop` it when nobody waits any more.

        Raises:
            CapacityError: too many wait.
        """
        if self._waiting >= MAX_WAITERS or self._is_closed:
            raise CapacityError("too many requests wait for this stream")
        self._waiting += 1
        name = rendition.name
        ticket = Ticket(is_done, told)
        ticket.timer = asyncio.get_running_loop().call_later(timeout_s, self._tell, name, ticket, False)
        self._tickets.setdefault(name, {})[ticket] = None
        return ticket

    def drop(self, rendition: Rendition, ticket: Ticket) -> None:
        """Forget somebody who has gone away."""
        if self._tickets.get(rendition.name, {}).pop(ticket, ticket) is None:
            ticket.timer.cancel()
            self._waiting -= 1

    def _look(self, name: str) -> None:
        for ticket in list(self._tickets.get(name, ())):
            if ticket.is_done():
                self._tell(name, ticket, True)

    def _tell(self, name: str, ticket: Ticket, is_there: bool) -> None:
        if self._tickets[name].pop(ticket, ticket) is None:
            ticket.timer.cancel()
            self._waiting -= 1
            ticket.told(is_there)

    async def wait(self, rendition: Rendition, msn: int, part: int | None, timeout_s: float) -> bool:
        """Wait until a rendition has a part, or a whole segment; False when time is up or delivery closed."""
        return await self._wait_until(rendition, lambda: has_reached(rendition, msn, part), timeout_s)

    async def get_part(self, rendition: Rendition, address: PartAddress, timeout_s: float) -> bytes | None:
        """Return a part; wait for it when it is the one that is hinted at, or promised.

        Raises:
            CapacityError: too many wait, or a promised part was not made in time.
        """
        if address == rendition.next_address:
            await self._wait_until(rendition, partial(is_hint_settled, rendition, address), timeout_s)
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
            CapacityError: too many wait, the segment was not made in time, or the disk cannot be read.
        """
        item = rendition.find(generation, msn)
        if item is None or not item.is_complete:
            return None
        await self._wait_for_promise(rendition, lambda: not item.is_promised, timeout_s)
        return await rendition.load(item)

    async def _wait_for_promise(
        self, rendition: Rendition, is_kept: Callable[[], bool], timeout_s: float
    ) -> None:
        if not await self._wait_until(rendition, is_kept, timeout_s) and not is_kept():
            raise CapacityError("this quality could not be made in time")

    async def _wait_until(self, rendition: Rendition, is_done: Callable[[], bool], timeout_s: float) -> bool:
        if is_done():
            return True
        if self._waiting >= MAX_WAITERS:
            self.refused += 1
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


def is_hint_settled(rendition: Rendition, address: PartAddress) -> bool:
    """Tell whether a part that was hinted at is there, or will not come."""
    return address != rendition.next_address or has_reached(rendition, address.msn, address.part)
