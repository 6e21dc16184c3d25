"""A WebRTC process with real viewers: aiortc over the loopback."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from media.error import CapacityError, PeerError, StreamError
from webrtc.gateway import Gateway
from webrtc.message import Listen
from webrtc.plane import WebRtcPlane
from webrtc.port import Kick, Publication
from webrtc.publisher import Publishers
from webrtc.supervisor import Worker
from webrtc.whep_port import CounterOffer, Established

from .broadcast import Broadcast, Broadcasts

HOST = "127.0.0.1"


class ClosedGate:
    """Lets nobody publish."""

    async def authorize(self, stream_key: str) -> None:
        raise StreamError("unknown_key", "No.")

    async def publish(self, stream_key: str, peer: str, encoder: str, kick: Kick) -> Publication:
        raise StreamError("unknown_key", "No.")


class Here:
    """A plane with one process and one broadcast."""

    def __init__(self, count: int = 1) -> None:
        self.broadcasts = Broadcasts()
        self.gateway = Gateway(self.broadcasts)
        self.plane = WebRtcPlane(Listen(HOST, 0, ()), count, self.gateway, Publishers(ClosedGate()))
        self.news = asyncio.Event()

    async def until(self, condition: Callable[[], object]) -> None:
        while not condition():
            self.news.clear()
            await asyncio.wait_for(self.news.wait(), 10)

    async def start(self) -> None:
        self.plane.start()
        for worker in self.plane.workers:
            await running(worker)


async def running(worker: Worker) -> None:
    """Wait until a process listens."""
    while not worker.is_running:  # noqa: ASYNC110
        await asyncio.sleep(0.02)


@pytest.fixture
async def here() -> AsyncIterator[Here]:
    made = Here()
    await made.start()
    made.broadcasts.sources["s"] = Broadcast()
    yield made
    await made.broadcasts.sources["s"].end()
    await made.plane.close()


class Viewer:
    """A player: aiortc's."""

    def __init__(self, here: Here) -> None:
        self.here = here
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.session = ""

    async def watch(self, stream_id: str = "s", *kinds: str) -> Established:
        for kind in kinds or ("video", "audio"):
            self.connection.addTransceiver(kind, direction="recvonly")
        await self.connection.setLocalDescription(await self.connection.createOffer())
        sdp = self.connection.localDescription.sdp
        answer = await self.here.gateway.offer(stream_id, sdp, self.here.news.set)
        assert isinstance(answer, Established)
        self.session = answer.session
        await self.connection.setRemoteDescription(RTCSessionDescription(answer.sdp, "answer"))
        return answer

    async def size(self) -> tuple[int, int]:
        """Return the size of the next picture."""
        track = next(
            item.receiver.track for item in self.connection.getTransceivers() if item.kind == "video"
        )
        frame = await asyncio.wait_for(track.recv(), 10)
        return frame.width, frame.height  # type: ignore[union-attr]

    async def hear(self) -> int:
        track = next(
            item.receiver.track for item in self.connection.getTransceivers() if item.kind == "audio"
        )
        frame = await asyncio.wait_for(track.recv(), 10)
        rate: int = frame.sample_rate  # type: ignore[union-attr]
        return rate


async def test_a_viewer_sees_and_hears_and_changes_the_rung(here: Here) -> None:
    viewer = Viewer(here)
    await viewer.watch()
    assert await viewer.size() == (640, 360)
    assert await viewer.hear() == 48_000
    await here.until(lambda: here.gateway.view(viewer.session).active == "360p")  # type: ignore[union-attr]
    await here.gateway.choose(viewer.session, "144p")
    while await viewer.size() != (256, 144):
        pass
    await here.until(lambda: here.gateway.view(viewer.session).active == "144p")  # type: ignore[union-attr]
    view = here.gateway.view(viewer.session)
    assert view is not None
    assert view.chosen == "144p"
    assert view.is_connected
    with pytest.raises(StreamError, match="no rung 9p"):
        await here.gateway.choose(viewer.session, "9p")
    await here.gateway.choose(viewer.session, None)
    await here.gateway.end(viewer.session)
    assert here.gateway.view(viewer.session) is None
    await viewer.connection.close()
    assert here.broadcasts.sources["s"].sink is None, "nothing is wanted without viewers"


async def test_many_viewers_share_one_port_and_one_of_them_leaves(here: Here) -> None:
    viewers = [Viewer(here) for _ in range(4)]
    for viewer in viewers:
        await viewer.watch()
    for viewer in viewers:
        assert await viewer.size() == (640, 360)
    assert here.broadcasts.sources["s"].wanted["360p"] == 4
    await viewers[0].connection.close()
    await here.until(lambda: here.gateway.view(viewers[0].session) is None)
    for viewer in viewers[1:]:
        assert await viewer.size() == (640, 360)
        await viewer.connection.close()


async def test_the_end_of_the_broadcast_ends_its_viewers(here: Here) -> None:
    viewer = Viewer(here)
    await viewer.watch("s", "video")
    await viewer.size()
    await here.broadcasts.sources["s"].end()
    await here.until(lambda: here.gateway.view(viewer.session) is None)
    while viewer.connection.connectionState != "closed":  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    await viewer.connection.close()


async def test_what_cannot_be_served_gets_a_counter_offer_and_its_answer_is_taken(here: Here) -> None:
    sdp = await _offer_of_vp8()
    counter = await here.gateway.offer("s", sdp, here.news.set)
    assert isinstance(counter, CounterOffer)
    viewer = Viewer(here)
    await viewer.connection.setRemoteDescription(RTCSessionDescription(counter.sdp, "offer"))
    await viewer.connection.setLocalDescription(await viewer.connection.createAnswer())
    await here.gateway.answer(counter.session, viewer.connection.localDescription.sdp)
    assert await viewer.size() == (640, 360)
    await viewer.connection.close()


async def test_refusals(here: Here) -> None:
    with pytest.raises(StreamError, match="not live"):
        await here.gateway.offer("other", "v=0", here.news.set)
    with pytest.raises(PeerError):
        await here.gateway.offer("s", "v=0\r\nnonsense", here.news.set)
    with pytest.raises(StreamError, match="no such session"):
        await here.gateway.choose("unknown", None)
    with pytest.raises(StreamError, match="no such session"):
        await here.gateway.restart("unknown", "a=ice-ufrag:abcd")
    assert here.broadcasts.sources["s"].sink is None


async def test_a_process_that_dies_is_replaced_and_viewers_come_back(here: Here) -> None:
    viewer = Viewer(here)
    await viewer.watch("s", "video")
    await viewer.size()
    (worker,) = here.plane.workers
    port = worker.listen.port
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    await here.until(lambda: here.gateway.view(viewer.session) is None)
    await viewer.connection.close()
    with pytest.raises(CapacityError):
        await here.gateway.offer("s", "v=0", here.news.set)
    await running(worker)
    assert worker.listen.port == port
    again = Viewer(here)
    await again.watch("s", "video")
    assert await again.size() == (640, 360)
    await again.connection.close()


async def _offer_of_vp8() -> str:
    """Make an offer of somebody who has no H.264."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection.addTransceiver("video", direction="recvonly")
    await connection.setLocalDescription(await connection.createOffer())
    sdp: str = connection.localDescription.sdp
    await connection.close()
    return sdp.replace("H264/90000", "H265/90000")
