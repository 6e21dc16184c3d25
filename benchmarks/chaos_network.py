"""`chaos`: bad networks, crowds of strangers, many publishers, encoders that are too fast."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress

from benchmarks.chaos_proxy import Proxy, proxy
from benchmarks.chaos_scene import STAY_S, Scene
from benchmarks.clip import FFMPEG
from tests.integration.server import running

MAX_AHEAD_S = 8.0
"""Five seconds of burst, and what came before the viewers."""

CROWD = 480
"""Beside the publishers: an address may have 500 connections."""

CLIENT_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(200)
STRANGERS = (
    b"",
    os.urandom(4000),
    b"\x03" + bytes(700),
    CLIENT_HELLO,
    b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
    b"\x03" + bytes(3072),  # a whole handshake, then nothing
    b"\x03" + bytes(3072) + os.urandom(3000),
    b"\x06" + bytes(1536),
)


def _through(scene: Scene, way: Proxy) -> str:
    return scene.url.replace(f":{scene.rtmp_port}/", f":{way.port}/")


async def half_open(scene: Scene) -> None:
    """The network dies without a word: found within 10 s, then a slate; the encoder is back over another network."""
    async with proxy(scene.rtmp_port) as way, scene.publishing(url=_through(scene, way)), scene.watching():
        await asyncio.sleep(STAY_S)
        way.passes.clear()
        died = time.monotonic()
        await scene.until("publisher gone")
        scene.result["found_after_s"] = round(time.monotonic() - died, 1)
        scene.result["last_error"] = (await scene.health())["last_error"]["message"]
        await scene.until("slate shown")
        await asyncio.sleep(1)
        await scene.publish_for(STAY_S)
    scene.expected = 2


async def half_open_taken_over(scene: Scene) -> None:
    """The network dies without a word and the encoder is back before anybody has noticed: it takes over."""
    async with proxy(scene.rtmp_port) as way, scene.publishing(url=_through(scene, way)), scene.watching():
        await asyncio.sleep(STAY_S)
        way.passes.clear()
        await asyncio.sleep(5)
        await scene.publish_for(STAY_S)
    scene.expected = 1


async def frozen_encoder(scene: Scene) -> None:
    """An encoder that hangs for 4 s is waited for, one that hangs for 14 s counts as lost; it is back afterwards."""
    async with scene.publishing() as encoder, scene.watching():
        await asyncio.sleep(STAY_S)
        for seconds in (4, 14):
            encoder.send_signal(signal.SIGSTOP)
            await asyncio.sleep(seconds)
            scene.result[f"warnings_after_{seconds}_s"] = (await scene.health())["warnings"]
            encoder.send_signal(signal.SIGCONT)
            await asyncio.sleep(STAY_S)
        await scene.publish_for(STAY_S)


async def trickling(scene: Scene) -> None:
    """The network carries half of what the encoder makes, then all that has piled up: none is lost."""
    async with proxy(scene.rtmp_port) as way, scene.publishing(url=_through(scene, way)), scene.watching():
        await asyncio.sleep(STAY_S)
        way.bytes_per_s = 45_000
        await asyncio.sleep(15)
        scene.result["warnings"] = (await scene.health())["warnings"]
        way.bytes_per_s = float("inf")
        await asyncio.sleep(10)
        scene.result["warnings_afterwards"] = (await scene.health())["warnings"]
    scene.expected = 0


async def bursts(scene: Scene) -> None:
    """Bytes come every 2 s: players wait, nothing is lost."""
    async with proxy(scene.rtmp_port) as way, scene.publishing(url=_through(scene, way)), scene.watching():
        await asyncio.sleep(STAY_S)
        way.hold_s = 2.0
        await asyncio.sleep(15)
        scene.result["warnings"] = (await scene.health())["warnings"]
    scene.expected = 0


async def _stranger(port: int, number: int) -> None:
    """Say something that is no RTMP, every third one slowly, and wait until the connection is closed."""
    data = STRANGERS[number % len(STRANGERS)]
    with suppress(ConnectionError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        closed = asyncio.create_task(reader.read())
        try:
            if number % 3 == 0:
                for byte in b"\x03" + bytes(200):
                    writer.write(bytes([byte]))
                    await asyncio.wait({closed}, timeout=0.5)
                    if closed.done():
                        break
            else:
                writer.write(data)
            await asyncio.wait_for(closed, 60)
        finally:
            writer.close()


async def strangers(scene: Scene) -> None:
    """Hundreds of connections of garbage, half handshakes, TLS, and slow ones: gone within 30 s, nobody notices."""
    async with scene.publishing() as encoder, scene.watching():
        await asyncio.sleep(STAY_S)
        scene.note_resources()
        began = time.monotonic()
        crowd = [_stranger(scene.rtmp_port, number) for number in range(CROWD)]
        await asyncio.wait_for(asyncio.gather(*crowd), 90)
        scene.result["all_gone_after_s"] = round(time.monotonic() - began, 1)
        await asyncio.sleep(3)
        scene.note_resources()
        if encoder.returncode is not None:
            scene.faults.append("the publisher was dropped")
        await scene.publish_for(STAY_S)
    scene.expected = 1


async def too_fast(scene: Scene) -> None:
    """A file that is sent as fast as it goes is held back to real time, five seconds ahead of it."""
    source = await scene.source("360p")
    arguments = ("-v", "error", "-stream_loop", "-1", "-i", str(source), "-c", "copy", "-f", "flv", scene.url)
    async with running(FFMPEG, *arguments), scene.watching() as viewers:
        began = time.monotonic()
        await asyncio.sleep(20)
        scene.result["warnings"] = (await scene.health())["warnings"]
        listed_s = sum(item.duration or 0 for item in viewers.segments["144p"].values())
        scene.result["ahead_s"] = round(listed_s - (time.monotonic() - began), 1)
        if scene.result["ahead_s"] > MAX_AHEAD_S:
            scene.faults.append("media runs away from real time")
    scene.expected = 0


async def slow_viewers(scene: Scene) -> None:
    """Viewers that send half a request, garbage, or do not read what they asked for: nobody notices."""
    async with scene.publishing(), scene.watching() as viewers:
        await asyncio.sleep(STAY_S)
        scene.note_resources()
        port = int(scene.server.http_url.rsplit(":", 1)[1])
        requests = (
            b"GET /hls HTTP/1.1\r\nHost: x\r\n",
            f"GET {viewers.path}/360p/index.m3u8?_HLS_msn=3 HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 50,
            os.urandom(2000),
            b"GET /" + b"x" * 100_000,
        )
        writers = []
        for number in range(400):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(requests[number % len(requests)])
            writers.append(writer)
        await asyncio.sleep(15)
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(3)
        scene.note_resources()
    scene.expected = 0


SCENARIOS = (
    half_open,
    half_open_taken_over,
    frozen_encoder,
    trickling,
    bursts,
    strangers,
    too_fast,
    slow_viewers,
)
