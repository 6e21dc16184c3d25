"""WebRTC as the server has it: its processes, and what they say to whom."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping

from webrtc.gateway import Gateway
from webrtc.message import Listen, Message, PublishedFrame
from webrtc.publisher import Publishers
from webrtc.supervisor import Worker


class WebRtcPlane:
    """Runs the processes.

    Args:
        listen: where the first process listens; the others do at the next ports.
        count: of processes.
        gateway: of the viewers.
        publishers: of those who publish.
    """

    def __init__(self, listen: Listen, count: int, gateway: Gateway, publishers: Publishers) -> None:
        self.gateway = gateway
        self.publishers = publishers
        self.workers = [
            Worker(
                Listen(listen.host, listen.port and listen.port + index, listen.addresses),
                self._on_message,
                self._on_lost,
            )
            for index in range(count)
        ]
        gateway.use(self.workers)
        publishers.use(self.workers)

    def start(self) -> None:
        """Start the processes; nobody waits for them."""
        for worker in self.workers:
            worker.start()

    def hang_up(self) -> None:
        """End all sessions."""
        self.publishers.close()
        self.gateway.close()

    async def close(self) -> None:
        """End the processes, and with them all sessions."""
        self.hang_up()
        await asyncio.gather(*(worker.close() for worker in self.workers))

    def counters(self) -> Mapping[str, int]:
        """Add up what the processes count."""
        total: Counter[str] = Counter()
        for worker in self.workers:
            total.update(worker.counters.values)
        return total

    def _on_message(self, worker: Worker, message: Message) -> None:
        self.publishers.on_message(message)
        if not isinstance(message, PublishedFrame):
            self.gateway.on_message(worker, message)

    def _on_lost(self, worker: Worker) -> None:
        self.publishers.on_lost(worker)
        self.gateway.on_lost(worker)
