"""Everybody who has a socket open on this node, by stream, and what they are told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSCloseCode

from control_api.analytics.model import AnalyticsPoint
from control_api.chat.event import ChatEvent
from control_api.chat.service import ChatService
from control_api.chore import Chore
from control_api.realtime import past
from control_api.realtime.bus import Bus
from control_api.realtime.channel import FOR_OWNER, Channel
from control_api.realtime.greeting import greeting
from control_api.realtime.happening import Happening, comment_data, happening_of
from control_api.realtime.recent import SHOWN, RecentChat
from control_api.realtime.room import Room
from control_api.realtime.socket import Socket
from control_api.realtime.traffic import Traffic
from control_api.stream.record import Identity, Stream
from control_api.stream.service import StreamService
from control_api.viewer.attendance import Attendance
from media.error import CapacityError

NOT_ALLOWED = 4403

TOPIC = "stream:"
"""Of the bus; the id of the stream follows."""

CHECK_S = 30.0
"""Between two attempts when the database is away."""

MAX_SOCKETS = 16_000
"""Of one server: it may open 20,000 files, and the database, encoders and players need some of them."""

Stored = tuple[list[dict[str, Any]], dict[str, Any] | None, int]


class Hub:
    """Tells sockets what happens on their streams, on whatever node.

    Args:
        streams: tell of their status.
        chat: tells what is said, and has what was.
        attendance: has who is counted, and what owners are told of that.
        bus: to the other nodes.
    """

    def __init__(self, streams: StreamService, chat: ChatService, attendance: Attendance, bus: Bus) -> None:
        self._streams = streams
        self._chat = chat
        self._viewers = attendance.viewers
        self._bus = bus
        self._channels: dict[str, Channel] = {}
        self.traffic = Traffic()
        self.checking = Chore("sockets", self._check_channels, CHECK_S)
        """Runs while the hub does."""
        self._changed: set[Channel] = set()
        self._is_closed = False
        chat.watch(self._tell_chat)
        streams.watch(self._tell_stream)
        attendance.viewers.watch(self._note_viewers)
        attendance.analytics.watch(self._tell_owner)
        bus.on_gap = self._note_gap

    @asynccontextmanager
    async def entered(
        self, stream: Stream, viewer: Identity | None, socket: Socket, since: int | None, **more: object
    ) -> AsyncIterator[None]:
        """Greet somebody, and tell what happens while the block runs.

        Args:
            stream: that the viewer may see.
            viewer: who comes; None is somebody without a token.
            socket: is written to.
            since: the last `seq` that somebody who comes back has seen.
            more: what else is told in the welcome.

        Raises:
            CapacityError: there are too many sockets, or the server is about to stop.
        """
        if self._is_closed or self.traffic.sockets >= MAX_SOCKETS:
            raise CapacityError("There are too many connections: come again later.")
        self.traffic.sockets += 1
        channel = self._channels.setdefault(stream.id, Channel(stream, self.traffic, self._note_change))
        channel.users += 1
        try:
            room = await self._open(channel, viewer)
            missed = None if since is None else await past.missed(self._chat, stream.id, room, since)
            # From here on nothing is awaited: what was told by now is in the greeting, the rest comes by itself.
            socket.write(greeting(room, missed, is_back=since is not None, **more))
            channel.sockets[socket] = viewer
            yield
        finally:
            self.traffic.sockets -= 1
            socket.forget()
            channel.sockets.pop(socket, None)
            channel.users -= 1
            if not channel.users:
                self._channels.pop(stream.id, None)
                channel.close()

    def close(self) -> None:
        """Hang up on everybody: the server is about to stop."""
        self._is_closed = True
        for channel in self._channels.values():
            for socket in list(channel.sockets):
                socket.close(WSCloseCode.GOING_AWAY, "the server stops: come again with ?since=")

    def _note_viewers(self, stream_id: str) -> None:
        if (channel := self._channels.get(stream_id)) is not None:
            channel.receive_viewer_count(self._viewers.figures(channel.stream).viewer_count)

    def _note_change(self, channel: Channel) -> None:
        self._changed.add(channel)
        self.checking.poke()

    def _note_gap(self, topic: str) -> None:
        """Take note that the bus has lost messages."""
        channel = self._channels.get(topic.removeprefix(TOPIC))
        if channel is not None and channel.room is not None:
            if channel.lost_since is None:
                channel.lost_since = channel.room.chat.seq
            self._note_change(channel)

    async def _check_channels(self) -> bool:
        """Look after the channels that something was noted of; what fails is tried again."""
        while self._changed:
            channel = self._changed.pop()
            is_done = False
            try:
                await past.make_up(self._chat, channel)
                await self._check_access(channel)
                is_done = True
            finally:
                if not is_done:
                    self._changed.add(channel)
        return False

    async def _check_access(self, channel: Channel) -> None:
        """Hang up on whoever may not see a stream any more."""
        stream = await self._streams.get(channel.stream.id)
        if not stream.is_private:
            return
        for socket, viewer in list(channel.sockets.items()):
            if not await self._streams.may_see(stream, viewer):
                socket.close(NOT_ALLOWED, "This stream is private.")

    async def _open(self, channel: Channel, viewer: Identity | None) -> Room:
        async with channel.opening:
            await channel.listen(self._bus, _topic(channel.stream.id))
            if (room := channel.room) is None:
                room = await self._make_room(channel.stream, viewer)
                channel.begin(room)
            elif (
                not room.chat.is_known and (stored := await self._stored(channel.stream, viewer)) is not None
            ):
                room.chat.learn(*stored)
            return room

    async def _make_room(self, stream: Stream, viewer: Identity | None) -> Room:
        stored = await self._stored(stream, viewer)
        chat = RecentChat(is_known=False) if stored is None else RecentChat(*stored)
        current = await self._streams.find(stream.id) or stream
        return Room(chat, current.status, self._viewers.figures(current).viewer_count)

    async def _stored(self, stream: Stream, viewer: Identity | None) -> Stored | None:
        """Read the newest comments, the pinned one, and a `seq` up to which that is all; None if it cannot be done."""
        try:
            seq = await self._chat.newest_seq(stream.id)
            history = await self._chat.history(stream.id, viewer, before=None, limit=SHOWN)
        except CapacityError:
            return None
        pinned = None if history.pinned is None else comment_data(history.pinned)
        return [comment_data(comment) for comment in history.comments], pinned, seq

    def _tell_chat(self, event: ChatEvent) -> None:
        stream_id, happening = happening_of(event)
        self._bus.publish(_topic(stream_id), happening.serialize())

    def _tell_stream(self, stream: Stream) -> None:
        happening = Happening("stream_status", {"status": stream.status})
        self._bus.publish(_topic(stream.id), happening.serialize())

    def _tell_owner(self, stream_id: str, point: AnalyticsPoint) -> None:
        happening = Happening(FOR_OWNER, point.model_dump(mode="json"))
        self._bus.publish(_topic(stream_id), happening.serialize())


def _topic(stream_id: str) -> str:
    return f"{TOPIC}{stream_id}"
