"""A WebRTC process with a real publisher: aiortc over the loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import av
import pytest
from aiortc import (
    AudioStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
    VideoStreamTrack,
)

from media.error import PeerError, StreamError
from media.h264 import with_parameter_sets
from media.nal import join_annexb, split_length_prefixed
from media.packet import AudioTrack, Packet, VideoTrack
from webrtc.gateway import Gateway
from webrtc.message import Listen
from webrtc.plane import WebRtcPlane
from webrtc.port import Kick
from webrtc.publisher import Publishers

from .broadcast import Broadcasts

KEY = "key"


class Publication:
    """Keeps what comes."""

    def __init__(self, kick: Kick) -> None:
        self.kick = kick
        self.packets: list[Packet] = []
        self.ends: list[tuple[bool, str]] = []
        self.dropped = 0
        self._news = asyncio.Event()

    def receive(self, packet: Packet) -> None:
        self.packets.append(packet)
        self._news.set()

    def note_dropped(self, count: int) -> None:
        self.dropped += count

    def close(self, clean: bool, reason: str) -> None:
        self.ends.append((clean, reason))
        self._news.set()

    async def until(self, *, videos: int = 0, is_over: bool = False) -> None:
        async with asyncio.timeout(15):
            while sum(p.is_video for p in self.packets) < videos or (is_over and not self.ends):
                self._news.clear()
                await self._news.wait()


class Gate:
    """Lets in who has the key; the one before goes."""

    def __init__(self) -> None:
        self.publications: list[Publication] = []
        self.opened = asyncio.Event()

    async def authorize(self, stream_key: str) -> None:
        if stream_key != KEY:
            raise StreamError("unknown_key", "No stream has this key.")

    async def publish(self, stream_key: str, peer: str, encoder: str, kick: Kick) -> Publication:
        assert (stream_key, peer, encoder) == (KEY, "192.0.2.1:5", "test")
        if self.publications:
            self.publications[-1].kick("another encoder has taken over")
        self.publications.append(Publication(kick))
        self.opened.set()
        return self.publications[-1]


@pytest.fixture
async def gate() -> Gate:
    return Gate()


@pytest.fixture
async def plane(gate: Gate) -> AsyncIterator[WebRtcPlane]:
    plane = WebRtcPlane(Listen("127.0.0.1", 0, ()), 1, Gateway(Broadcasts()), Publishers(gate))
    plane.start()
    while not plane.workers[0].is_running:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    yield plane
    await plane.close()


class Sender:
    """An encoder: aiortc's pictures and silence."""

    def __init__(self) -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.session = ""

    async def publish(self, plane: WebRtcPlane, key: str = KEY) -> None:
        self.connection.addTrack(VideoStreamTrack())
        self.connection.addTrack(AudioStreamTrack())
        h264 = [c for c in RTCRtpSender.getCapabilities("video").codecs if c.mimeType == "video/H264"]
        self.connection.getTransceivers()[0].setCodecPreferences(h264)
        await self.connection.setLocalDescription(await self.connection.createOffer())
        sdp = self.connection.localDescription.sdp
        made = await plane.publishers.publish(key, sdp, "192.0.2.1:5", "test")
        self.session = made.session
        await self.connection.setRemoteDescription(RTCSessionDescription(made.sdp, "answer"))


def decode(packets: list[Packet]) -> int:
    """Decode pictures from the first on; return how many there are."""
    codec = av.CodecContext.create("h264", "r")
    assert isinstance(codec, av.VideoCodecContext)
    codec.options = {"err_detect": "explode"}
    count = 0
    for packet in packets:
        data = with_parameter_sets(packet.track.config, packet.data) if packet.is_keyframe else packet.data
        count += len(codec.decode(av.Packet(join_annexb(split_length_prefixed(data)))))
    return count + len(codec.decode(None))


async def test_what_is_sent_becomes_packets_that_decode(plane: WebRtcPlane, gate: Gate) -> None:
    sender = Sender()
    await sender.publish(plane)
    await asyncio.wait_for(gate.opened.wait(), 10)
    (publication,) = gate.publications
    await publication.until(videos=60)
    videos = [packet for packet in publication.packets if packet.is_video]
    sounds = [packet for packet in publication.packets if not packet.is_video]
    assert isinstance(videos[0].track, VideoTrack)
    assert (videos[0].track.width, videos[0].track.height) == (640, 480)
    assert videos[0].is_keyframe
    assert all(packet.pts == packet.dts for packet in videos)
    assert all(one.pts < other.pts for one, other in pairwise(videos))
    assert decode(videos) == len(videos)
    assert isinstance(sounds[0].track, AudioTrack)
    assert sounds[0].track.codec == "opus"
    steps = [other.pts - one.pts for one, other in pairwise(sounds)]
    assert all(abs(step - 1800) < 90 for step in steps), (
        "20 ms, moved by less than one when the clocks are known"
    )
    assert abs(videos[-1].pts - sounds[-1].pts) < 90_000 // 4, "on one timeline"
    assert plane.publishers.has(sender.session)
    await sender.connection.close()
    await publication.until(is_over=True)
    assert publication.ends == [(True, "closed by the peer")]
    assert not plane.publishers.has(sender.session)


async def test_who_comes_with_the_same_key_takes_over(plane: WebRtcPlane, gate: Gate) -> None:
    first, second = Sender(), Sender()
    await first.publish(plane)
    await asyncio.wait_for(gate.opened.wait(), 10)
    await gate.publications[0].until(videos=3)
    await second.publish(plane)
    await gate.publications[0].until(is_over=True)
    assert gate.publications[0].ends == [(False, "another encoder has taken over")]
    assert not plane.publishers.has(first.session)
    await gate.publications[1].until(videos=3)
    await plane.publishers.end(second.session)
    assert gate.publications[1].ends == [(True, "the encoder stopped")]
    for sender in (first, second):
        await sender.connection.close()


async def test_refusals(plane: WebRtcPlane, gate: Gate) -> None:
    sender = Sender()
    with pytest.raises(StreamError, match="No stream has this key"):
        await sender.publish(plane, "wrong")
    await sender.connection.close()
    with pytest.raises(PeerError):
        await plane.publishers.publish(KEY, "nonsense", "192.0.2.1:5", "test")
    listener = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    listener.addTransceiver("video", direction="recvonly")
    await listener.setLocalDescription(await listener.createOffer())
    with pytest.raises(StreamError, match=r"no H\.264 video") as caught:
        await plane.publishers.publish(KEY, listener.localDescription.sdp, "192.0.2.1:5", "test")
    assert caught.value.code == "not_acceptable"
    await listener.close()
    assert not gate.publications


async def test_nothing_is_decoded_on_the_way_in(plane: WebRtcPlane, gate: Gate) -> None:
    """A receiver of aiortc would start a thread with a decoder for each track."""
    sender = Sender()
    await sender.publish(plane)
    await asyncio.wait_for(gate.opened.wait(), 10)
    await gate.publications[0].until(videos=10)
    pid = plane.workers[0].pid
    names = [path.read_text().strip() for path in Path(f"/proc/{pid}/task").glob("*/comm")]
    assert len(names) == 1, names
    await sender.connection.close()
