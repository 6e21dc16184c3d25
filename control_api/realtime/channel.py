"""The sockets of one stream on this node: a room with a clock, and writes that leave the loop time for others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from control_api.realtime.bus import Bus, Subscription
from control_api.realtime.frame import message_frame
from control_api.realtime.happening import Happening
from control_api.realtime.room import Room
from control_api.realtime.socket import Socket
from control_api.realtime.traffic import Traffic
from control_api.stream.record import Identity, Stream

FOR_OWNER = "analytics"
"""Happenings of this type are for the owner of the stream and for admins, who have sockets open."""

SLICE = 250
"""Sockets that are written to in one go, some two milliseconds of work; then whatever else is due has its turn."""


class Channel:
    """Listens to a stream's topic and writes what its room has to say to all sockets.

    Happenings are kept until there is a room: what is stored is asked for meanwhile.

    Args:
        stream: as it was when the channel was opened.
        traffic: counts whoever is too slow.
        on_change: is called when the stream may be another one than before.
    """

    def __init__(self, stream: Stream, traffic: Traffic, on_change: Callable[[Channel], None]) -> None:
        self.stream = stream
        self._traffic = traffic
        self._on_change = on_change
        self.users = 0
        """Who needs it: sockets, and those that are about to be."""
        self.opening = asyncio.Lock()
        self.lost_since: int | None = None
        """The newest `seq` before the bus lost messages that have not been made up for."""
        self.sockets: dict[Socket, Identity | None] = {}
        """Who is told, and who that is."""
        self._room: Room | None = None
        self._early: list[Happening] = []
        self._subscription: Subscription | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._is_writing = False
        self._loop = asyncio.get_running_loop()

    @property
    def room(self) -> Room | None:
        """What is to be told, once what is stored is known."""
        return self._room

    async def listen(self, bus: Bus, topic: str) -> None:
        """Begin to receive what happens; again changes nothing."""
        if self._subscription is not None:
            return
        self._subscription = await bus.subscribe(topic, self._receive)

    def begin(self, room: Room) -> None:
        """Begin to tell."""
        self._room = room
        for happening in self._early:
            room.receive_happening(happening)
        self._early.clear()
        self._schedule()

    def receive_missed(self, missed: Sequence[Happening]) -> None:
        """Take what the bus has lost."""
        if self._room is not None:
            for happening in missed:
                self._room.receive_missed(happening)
            self._schedule()

    def receive_viewer_count(self, count: int) -> None:
        """Take how many watch now."""
        if self._room is not None:
            self._room.receive_viewer_count(count)
            self._schedule()

    def close(self) -> None:
        """Listen and write no more."""
        if self._subscription is not None:
            self._subscription.close()
        if self._timer is not None:
            self._timer.cancel()
        self._room = None

    def _receive(self, message: bytes) -> None:
        happening = Happening.parse(message)
        if happening.type == FOR_OWNER:
            self._tell_owner(happening)
            return
        if happening.type == "stream_status":
            self._on_change(self)
        if self._room is None:
            self._early.append(happening)
            return
        self._room.receive_happening(happening)
        self._schedule()

    def _tell_owner(self, happening: Happening) -> None:
        frame = message_frame(happening.type, happening.data)
        for socket, viewer in self.sockets.items():
            if viewer is not None and viewer.is_in_charge_of(self.stream):
                self._traffic.slow += not socket.write(frame)

    def _schedule(self) -> None:
        if self._room is None or self._is_writing or (due := self._room.get_timer()) is None:
            return
        if self._timer is not None:
            if self._due <= due:
                return
            self._timer.cancel()
        # It is kept here: what an event loop gives for a time that is past need not know it.
        self._due = due
        self._timer = self._loop.call_at(max(due, self._loop.time()), self._write)

    def _write(self) -> None:
        self._timer = None
        frames = self._room.data_to_send(self._loop.time()) if self._room is not None else b""
        if frames:
            self._is_writing = True
            self._write_slice(frames, iter(list(self.sockets)))
        else:
            self._schedule()

    def _write_slice(self, frames: bytes, sockets: Iterator[Socket]) -> None:
        """Write to the next sockets. Those that came since the frames were made are not among them."""
        count = 0
        for socket in islice(sockets, SLICE):
            self._traffic.slow += not socket.write(frames)
            count += 1
        if count == SLICE:
            self._loop.call_soon(self._write_slice, frames, sockets)
        else:
            self._is_writing = False
            self._schedule()
