"""A real publisher, aiortc, with a real WebRTC process behind it."""

from __future__ import annotations

import fractions
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import av
import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

from media.packet import AudioTrack, VideoTrack

from .sender import decode
from .studio import KEY, Studio, open_studio

pytestmark = pytest.mark.timeout(40)


@pytest.fixture
async def studio() -> AsyncIterator[Studio]:
    async with open_studio() as made:
        yield made


class Camera(VideoStreamTrack):
    """A picture that changes."""

    def __init__(self) -> None:
        super().__init__()
        self._image = np.random.default_rng(1).integers(0, 90, (270, 320), np.uint8)

    async def recv(self) -> av.VideoFrame:
        pts, time_base = await self.next_timestamp()
        frame = av.VideoFrame.from_ndarray(np.roll(self._image, pts // 3000, axis=1), format="yuv420p")
        frame.pts, frame.time_base = pts, fractions.Fraction(time_base)
        return frame


class Publisher:
    """An encoder: aiortc's."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.session = ""

    async def publish(self, key: str = KEY) -> int:
        """Send an offer; return the status of the answer."""
        self.connection.addTransceiver(Camera(), direction="sendonly")
        self.connection.addTransceiver(AudioStreamTrack(), direction="sendonly")
        await self.connection.setLocalDescription(await self.connection.createOffer())
        headers = {"Content-Type": "application/sdp", "Authorization": f"Bearer {key}"}
        offer = self.connection.localDescription.sdp
        async with (
            aiohttp.ClientSession() as client,
            client.post(f"{self.studio.url}whip", data=offer, headers=headers) as response,
        ):
            if response.status == 201:
                self.session = response.headers["Location"].lstrip("/")
                answer = RTCSessionDescription(await response.text(), "answer")
                await self.connection.setRemoteDescription(answer)
            return response.status

    async def delete(self) -> int:
        async with (
            aiohttp.ClientSession() as client,
            client.delete(self.studio.url + self.session) as response,
        ):
            return response.status


async def test_pictures_and_sound_arrive(studio: Studio) -> None:
    publisher = Publisher(studio)
    assert await publisher.publish() == 201
    taken = await studio.gate.next()
    assert taken.encoder.startswith("Python")
    await taken.until(lambda: len(taken.pictures) >= 75 and len(taken.sounds) >= 100)
    shown = decode(taken.pictures)
    assert len(shown) == len(taken.pictures)
    assert len({picture.digest for picture in shown}) > 60
    assert isinstance(taken.pictures[0].track, VideoTrack)
    assert (taken.pictures[0].track.width, taken.pictures[0].track.height) == (320, 180)
    assert isinstance(taken.sounds[0].track, AudioTrack)
    assert taken.sounds[0].track.frame_samples == 960
    assert sum(packet.is_keyframe for packet in taken.pictures) >= 2
    assert await publisher.delete() == 200
    await taken.until(lambda: taken.ending)
    assert taken.ending == (True, "the encoder stopped")
    await publisher.connection.close()


async def test_a_lossy_network(studio: Studio) -> None:
    publisher = Publisher(studio)
    await publisher.publish()
    taken = await studio.gate.next()
    await taken.until(lambda: len(taken.pictures) >= 10)
    studio.path.loss = 0.05
    await taken.until(lambda: len(taken.pictures) >= 150)
    assert len(decode(taken.pictures)) == len(taken.pictures)
    studio.path.loss = 0.0
    await taken.until(lambda: studio.counters().get("ingest_packets_repaired"))
    await publisher.connection.close()


async def test_who_is_replaced_is_gone(studio: Studio) -> None:
    publisher = Publisher(studio)
    await publisher.publish()
    taken = await studio.gate.next()
    await taken.until(lambda: taken.pictures)
    taken.kick("another encoder has connected")
    assert taken.ending == (False, "another encoder has connected")
    assert await publisher.delete() == 404
    await publisher.connection.close()


async def test_a_wrong_key_is_refused_before_anything_is_set_up(studio: Studio) -> None:
    publisher = Publisher(studio)
    assert await publisher.publish("wrong") == 401
    assert studio.gate.taken == []
    await publisher.connection.close()


async def test_the_process_that_takes_publishers_has_no_thread_that_decodes(studio: Studio) -> None:
    """Numpy and uvloop have threads of their own from the start; publishers add none."""
    (worker,) = studio.plane.workers
    threads = Path(f"/proc/{worker.pid}/task")
    before = {item.name for item in threads.iterdir()}
    publisher = Publisher(studio)
    await publisher.publish()
    taken = await studio.gate.next()
    await taken.until(lambda: len(taken.pictures) >= 30)
    after = {item.name for item in threads.iterdir()}
    assert after == before
    assert "decoder" not in " ".join((threads / item / "comm").read_text() for item in after)
    await publisher.connection.close()
