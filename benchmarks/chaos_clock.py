"""`chaos`: encoders whose timestamps are wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

from benchmarks.chaos_scene import Scenario, Scene
from benchmarks.clip import FFMPEG
from tests.integration.server import running
from tests.rtmp.client import Client

AUDIO, VIDEO = 8, 9
BOTH = (AUDIO, VIDEO)
BEFORE_S, AFTER_S = 6.0, 8.0


def tags(flv: Path) -> Iterator[tuple[int, int, bytes]]:
    """Type, timestamp in ms and payload of each tag of a file."""
    data = flv.read_bytes()
    at = 13
    while at + 11 <= len(data):
        kind, size = data[at], int.from_bytes(data[at + 1 : at + 4], "big")
        time_ms = int.from_bytes(data[at + 4 : at + 7], "big") | data[at + 7] << 24
        yield kind, time_ms, data[at + 11 : at + 11 + size]
        at += 11 + size + 4


async def _flv(scene: Scene) -> Path:
    source, target = await scene.source("360p"), scene.folder / "source.flv"
    async with running(FFMPEG, "-v", "error", "-y", "-i", str(source), "-c", "copy", str(target)) as process:
        await asyncio.wait_for(process.wait(), 30)
    return target


async def _send(scene: Scene, flv: Path, jump_ms: int, kinds: tuple[int, ...]) -> None:
    """Publish a file in real time; from `BEFORE_S` on the timestamps of some kinds of tags are off."""
    reader, writer = await asyncio.open_connection("127.0.0.1", scene.rtmp_port)
    drain = asyncio.create_task(reader.read())
    client = Client(4096)
    writer.write(client.opening(scene.stream["stream_key"]))
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        for kind, time_ms, payload in tags(flv):
            if time_ms / 1000 > BEFORE_S + AFTER_S or kind not in BOTH:
                continue
            await asyncio.sleep(max(0.0, began + time_ms / 1000 - loop.time()))
            off_ms = jump_ms if kind in kinds and time_ms >= BEFORE_S * 1000 else 0
            writer.write(client.message(kind, payload, time_ms + off_ms, 4 + kind))
            await writer.drain()
            if drain.done():
                raise AssertionError(f"the encoder was sent away at {time_ms} ms")
    finally:
        drain.cancel()
        writer.close()


def _jump(name: str, jump_s: float, kinds: tuple[int, ...], expected: int) -> Scenario:
    async def jumping(scene: Scene) -> None:
        flv = await _flv(scene)
        sending = asyncio.create_task(_send(scene, flv, round(jump_s * 1000), kinds))
        async with scene.watching():
            await asyncio.sleep(BEFORE_S + 5)
            scene.result["warnings"] = (await scene.health())["warnings"]
            await asyncio.wait_for(sending, 30)
        scene.expected = expected

    who = {BOTH: "Both jump", (VIDEO,): "The picture alone jumps", (AUDIO,): "The sound alone jumps"}[kinds]
    jumping.__name__ = name
    jumping.__doc__ = (
        f"{who} {abs(jump_s):g} s {'ahead' if jump_s > 0 else 'back'}: {expected} discontinuities."
    )
    return jumping


def _passing(name: str, at_s: float, what: str) -> Scenario:
    async def passing(scene: Scene) -> None:
        async with scene.publishing(output=f"-output_ts_offset {at_s - 8}"), scene.watching():
            await asyncio.sleep(14)
            scene.result["warnings"] = (await scene.health())["warnings"]
        scene.expected = 0

    passing.__name__ = name
    passing.__doc__ = f"{what}: nobody notices."
    return passing


SCENARIOS = (
    _jump("both_10_ahead", 10, BOTH, 1),
    _jump("both_3600_ahead", 3600, BOTH, 1),
    _jump("both_2_back", -2, BOTH, 1),
    _jump("both_10_back", -10, BOTH, 1),
    _jump("both_3600_back", -3600, BOTH, 1),
    _jump("picture_10_ahead", 10, (VIDEO,), 1),
    _jump("picture_10_back", -10, (VIDEO,), 1),
    _jump("picture_2_back", -2, (VIDEO,), 1),
    _jump("sound_2_ahead", 2, (AUDIO,), 0),
    _jump("sound_2_back", -2, (AUDIO,), 0),
    _jump("sound_10_ahead", 10, (AUDIO,), 0),
    _jump("sound_10_back", -10, (AUDIO,), 0),
    _jump("sound_3600_ahead", 3600, (AUDIO,), 0),
    _passing(
        "time_of_24_bits",
        16777.216,
        "Timestamps pass 2^24 ms (4 h 39 min), chunks have extended ones from there on",
    ),
    _passing(
        "time_of_31_bits",
        2147483.648,
        "Timestamps pass 2^31 ms (24.9 days) and begin at 0 again, as FFmpeg's do",
    ),
)
