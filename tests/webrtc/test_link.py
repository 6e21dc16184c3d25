"""The socket between the server and a WebRTC process."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from webrtc.link import BUFFER_BYTES, MAX_WAITING_BYTES, Link
from webrtc.message import Connected, Message, RungChanged, Video
from webrtc.port import VideoFrame
from webrtc.wire import serialize


class End:
    """One end with what came."""

    def __init__(self, sock: socket.socket) -> None:
        self.messages: list[Message] = []
        self.reasons: list[str] = []
        self._news = asyncio.Event()
        self.link = Link(sock, self._take, self._end)

    async def wait(self, count: int) -> list[Message]:
        while len(self.messages) < count:
            await self._hear()
        return self.messages

    async def wait_for_end(self) -> str:
        while not self.reasons:
            await self._hear()
        return self.reasons[0]

    async def _hear(self) -> None:
        self._news.clear()
        await self._news.wait()

    def _take(self, message: Message) -> None:
        self.messages.append(message)
        self._news.set()

    def _end(self, reason: str) -> None:
        self.reasons.append(reason)
        self._news.set()


@pytest.fixture
async def ends() -> Iterator[tuple[End, End]]:  # type: ignore[misc]
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pair = End(ours), End(theirs)
    yield pair
    for end in pair:
        end.link.close()


async def test_messages_come_in_order_in_both_directions(ends: tuple[End, End]) -> None:
    first, second = ends
    frame = Video("s", "720p", VideoFrame(0, True, bytes(500_000)))
    first.link.send(Connected("a"))
    assert first.link.send_media(serialize(frame))
    first.link.send(RungChanged("a", "720p"))
    second.link.send(Connected("b"))
    assert await second.wait(3) == [Connected("a"), frame, RungChanged("a", "720p")]
    assert await first.wait(1) == [Connected("b")]


async def test_who_does_not_read_loses_media_and_no_message(ends: tuple[End, End]) -> None:
    first, second = ends
    asyncio.get_running_loop().remove_reader(second.link._socket)  # it hangs
    data = serialize(Video("s", "720p", VideoFrame(0, False, bytes(100_000))))
    sent = 0
    while first.link.send_media(data):
        sent += 1
        assert sent * len(data) < MAX_WAITING_BYTES + 4 * BUFFER_BYTES
    first.link.send(Connected("a"))
    assert not first.link.send_media(data)
    asyncio.get_running_loop().add_reader(second.link._socket, second.link._read)
    assert (await second.wait(sent + 1))[-1] == Connected("a")
    assert first.link.send_media(data)


async def test_the_other_side_going_away_is_told_once(ends: tuple[End, End]) -> None:
    first, second = ends
    second.link.close()
    assert await first.wait_for_end() == "the other side has closed the connection"
    first.link.send(Connected("a"))
    assert not first.link.send_media(b"x")
    await asyncio.sleep(0)
    assert len(first.reasons) == 1
    assert second.reasons == []


async def test_nonsense_ends_the_link(ends: tuple[End, End]) -> None:
    first, second = ends
    first.link._socket.send(b"\0\7garbage")
    assert "not a message" in await second.wait_for_end()
