"""The bridges of one broadcast, and what its own encoders have made meanwhile of the rungs on them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from media.packet import Packet
from transcode.rung import RungSpec
from transcode.supervisor import WorkerPool

from .bridge import Bridge

MAX_BRIDGES = 2
"""At once: each decodes the source once more. Whoever comes then waits for the next segment."""


class Bridges:
    """Carries rungs that wake from the begin of the open segment to its end.

    Args:
        pool: codec workers.
        deliver: takes a rung's frame, in order.
        on_done: called with a rung and where its bridge ended, before the frames that have waited are delivered.
    """

    def __init__(
        self, pool: WorkerPool, deliver: Callable[[str, Packet], None], on_done: Callable[[str, int], None]
    ) -> None:
        self._pool = pool
        self._deliver = deliver
        self._on_done = on_done
        self._bridges: dict[str, Bridge] = {}
        self._held: dict[str, list[Packet]] = {}
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def names(self) -> set[str]:
        """The rungs on bridges."""
        return set(self._bridges)

    def add(self, spec: RungSpec, start: int, packets: Sequence[Packet]) -> bool:
        """Put a rung on a bridge that begins at `start`; False when there are too many.

        Args:
            spec: the rung.
            start: of the open segment, in ticks.
            packets: from the keyframe at or before `start` on.
        """
        bridges = set(self._bridges.values())
        bridge = next((bridge for bridge in bridges if bridge.may_join and bridge.start == start), None)
        if bridge is None:
            if len(bridges) >= MAX_BRIDGES:
                return False
            bridge = Bridge(self._pool, start, packets, self._deliver, self._leave)
        self._bridges[spec.name] = bridge
        bridge.add(spec)
        return True

    def send(self, packet: Packet) -> None:
        """Take a packet of the main video."""
        for bridge in set(self._bridges.values()):
            bridge.send(packet)

    def close_segment(self, at: int) -> None:
        """Learn where the segment ends."""
        for bridge in set(self._bridges.values()):
            bridge.close_segment(at)

    def force_keyframe(self, name: str, pts: int) -> bool:
        """Start an IDR at `pts`, or as soon behind as may be, on a rung; False when it is on no bridge."""
        bridge = self._bridges.get(name)
        if bridge is not None:
            bridge.force_keyframe(name, pts)
        return bridge is not None

    def hold(self, packet: Packet, name: str) -> None:
        """Keep a frame behind a bridge until the bridge is done."""
        self._held.setdefault(name, []).append(packet)

    def drop(self, name: str) -> None:
        """Forget a rung: something else fills it."""
        self._held.pop(name, None)
        bridge = self._bridges.pop(name, None)
        if bridge is not None and bridge not in self._bridges.values():
            bridge.finish()

    def finish(self) -> None:
        """Wait for no bridge any more."""
        for bridge in set(self._bridges.values()):
            bridge.finish()

    async def close(self) -> None:
        """Stop all workers."""
        self.finish()
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _leave(self, bridge: Bridge) -> None:
        task = asyncio.create_task(bridge.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        for name in [name for name, other in self._bridges.items() if other is bridge]:
            del self._bridges[name]
            if bridge.end is not None:
                self._on_done(name, bridge.end)
            for packet in self._held.pop(name, ()):
                self._deliver(name, packet)
