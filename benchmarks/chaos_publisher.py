"""`chaos`: publishers that go and come back, and what dies meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
from itertools import pairwise

from benchmarks.chaos_scene import LADDER, STAY_S, Scene
from tests.integration.server import running_server

FLAPS, FLAP_S = 20, 2.0
RETURNS, AWAY_S, BACK_S = 6, 5.0, 4.0
CHANGE_S = 9.0
CHANGES = (
    "1080p30 H.264, AAC",
    "360p HEVC, Opus",
    "720p60 AV1, no audio",
    "portrait 10-bit H.264, MP3",
    "audio only",
    "VP9, FLAC",
    "multitrack",
)
TWINS = {"360p-hevc", "720p-av1"}
"""Copies of a source in its own codec. A slate and other sources are H.264 in them too, which browsers follow; ffmpeg
goes on with the codec that it began with."""


async def flapping(scene: Scene) -> None:
    """An encoder that is killed every 2 s and back after 2 s costs one discontinuity each time."""
    async with scene.after():
        scene.note_resources()
        for _ in range(FLAPS):
            await asyncio.sleep(FLAP_S)
            await scene.publish_for(FLAP_S)
        await scene.publish_for(STAY_S)
        scene.note_resources()
    scene.expected = FLAPS + 1


async def returning(scene: Scene) -> None:
    """An encoder that is killed and back after 5 s: a slate each time, two discontinuities around it."""
    async with scene.after():
        scene.note_resources()
        for _ in range(RETURNS):
            await asyncio.sleep(AWAY_S)
            await scene.publish_for(BACK_S)
        await scene.publish_for(STAY_S)
        scene.note_resources()
    scene.expected = 2 * RETURNS + 1


async def stopping(scene: Scene) -> None:
    """An encoder that stops in order and is back, before and during a slate: the stream goes on."""
    async with scene.after():
        for away_s in (1.0, 5.0, 2.0):
            async with scene.publishing() as encoder:
                await asyncio.sleep(4)
                encoder.send_signal(signal.SIGINT)
                await asyncio.wait_for(encoder.wait(), 10)
            await asyncio.sleep(away_s)
        await scene.publish_for(STAY_S)
    scene.expected = 5


async def taking_turns(scene: Scene) -> None:
    """Two encoders that reconnect by themselves share a key: after three takeovers in 30 s one stays, with words."""
    async with scene.after():
        turned_away = 0

        async def insist() -> None:
            nonlocal turned_away
            for _ in range(8):
                async with scene.publishing() as encoder:
                    try:
                        await asyncio.wait_for(encoder.wait(), 6)
                    except TimeoutError:
                        return
                    turned_away += 1
                    await asyncio.sleep(1)

        await asyncio.gather(insist(), insist())
        scene.result["turned_away"] = turned_away
        if "take turns" not in scene.log:
            scene.faults.append("nobody was told that two encoders take turns")


async def server_dies_during_slate(scene: Scene) -> None:
    """SIGKILL of the server while a slate is shown: the next one goes on, numbers and dates never step back."""
    async with scene.after() as viewers:
        await scene.until("slate shown")
        await asyncio.sleep(3)
        viewers.is_paused = True
        scene.server.kill()
        await scene.server.process.wait()
        async with running_server(scene.folder, LADDER=LADDER) as server:
            scene.server = viewers.server = server
            async with scene.publishing():
                await server.wait_for(f"{viewers.path}/144p/index.m3u8", contains="#EXTINF")
                viewers.is_paused = False
                await asyncio.sleep(STAY_S)
            await scene.finish()
            viewers.is_paused = True
    scene.expected = 2


async def workers_die_around_slate(scene: Scene) -> None:
    """SIGKILL of all workers while a slate is made, and at the switch back: nobody sees it (but for a black slate)."""
    async with scene.after():
        await asyncio.sleep(0.6)  # from 0.5 s on it is being made
        killed = _kill_workers(scene)
        await asyncio.sleep(4)
        async with scene.publishing():
            await asyncio.sleep(0.4)
            killed += _kill_workers(scene)
            await asyncio.sleep(STAY_S)
        scene.result["killed"] = killed
    scene.expected = 2


async def ended_during_slate(scene: Scene) -> None:
    """A stream that is ended by the API while a slate is shown ends its playlists."""
    async with scene.after():
        await scene.until("slate shown")
        await asyncio.sleep(2)
        await scene.finish()
        await asyncio.sleep(1)
    scene.expected = 1


async def stopped_during_slate(scene: Scene) -> None:
    """SIGTERM while a slate is shown: the server leaves in order."""
    async with scene.after() as viewers:
        await scene.until("slate shown")
        await asyncio.sleep(2)
        viewers.is_paused = True
        code = await scene.server.stop()
        if code:
            scene.faults.append(f"exit code {code}")
    scene.expected = 1


async def changing(scene: Scene) -> None:
    """Each return brings another picture, codec and sound: every rung is filled, one discontinuity each."""
    await _change(scene, CHANGES)


async def changing_backwards(scene: Scene) -> None:
    """The same the other way round."""
    await _change(scene, CHANGES[::-1])


async def changing_mixed(scene: Scene) -> None:
    """The same from sound alone on, from the largest picture to the smallest and back."""
    await _change(scene, ("audio only", *(CHANGES[index] for index in (3, 0, 6, 2, 4, 1, 5, 0))))


async def _change(scene: Scene, names: tuple[str, ...]) -> None:
    scene.not_decoded = TWINS
    for name in names:
        await scene.source(name)  # before anything runs: encoding them takes all cores
    async with scene.after(names[0]):
        scene.note_resources()
        said = scene.result["health"] = {}
        for before, name in pairwise(names):
            async with scene.publishing(name):
                await asyncio.sleep(CHANGE_S)
                health = await scene.health()
                rungs = {
                    item["name"]: f"{item['kind']} {item['width']}x{item['height']}"
                    for item in health["rungs"]
                }
                said[f"{before} -> {name}"] = {"warnings": health["warnings"], "rungs": rungs}
            await asyncio.sleep(1)
        scene.note_resources()


def _kill_workers(scene: Scene) -> int:
    pids = scene.server.workers()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    return len(pids)


SCENARIOS = (
    flapping,
    returning,
    stopping,
    taking_turns,
    server_dies_during_slate,
    workers_die_around_slate,
    ended_during_slate,
    stopped_during_slate,
    changing,
    changing_backwards,
    changing_mixed,
)
