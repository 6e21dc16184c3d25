"""What rooms do not remember, read from the database."""

from __future__ import annotations

from aiohttp import WSCloseCode

from control_api.chat.service import ChatService
from control_api.realtime.channel import Channel
from control_api.realtime.happening import Happening, happening_of
from control_api.realtime.room import Room
from media.error import CapacityError

MAX_MISSED = 1000
"""Happenings that somebody who comes back is told; who has missed more begins anew."""


async def missed(chat: ChatService, stream_id: str, room: Room, since: int) -> list[Happening] | None:
    """List what somebody has missed who saw `since` as the last, as far as the room has told it by the end of this.

    Returns:
        None when that is too much, or not known.
    """
    remembered = room.chat.missed(since)
    if remembered is not None and since <= room.chat.seq:
        return remembered
    try:
        found = await chat.missed(stream_id, since, MAX_MISSED)
    except CapacityError:
        return None
    if not found.is_whole:
        return None
    stored = [happening_of(event)[1] for event in found.events]
    last = max([room.chat.floor, since, *(one.seq or 0 for one in stored)])
    # What is stored and has not been told yet comes by itself; what was told while this was read is remembered.
    told = {one.seq: one for one in stored if (one.seq or 0) <= room.chat.seq}
    return [*told.values(), *(one for one in room.chat.missed(last) or () if one.seq not in told)]


async def make_up(chat: ChatService, channel: Channel) -> None:
    """Tell what the bus has lost. When that is too much everybody is asked to come again.

    Raises:
        CapacityError: it cannot be read at the moment.
    """
    if channel.lost_since is None:
        return
    found = await chat.missed(channel.stream.id, channel.lost_since, MAX_MISSED)
    channel.lost_since = None
    if found.is_whole:
        channel.receive_missed([happening_of(event)[1] for event in found.events])
        return
    for socket in list(channel.sockets):
        socket.close(WSCloseCode.TRY_AGAIN_LATER, "too much was missed: come again with ?since=")
