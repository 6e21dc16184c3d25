"""Players that people have: each joins live, goes on over a lost encoder that comes back as another, and sees the end.

Players in browsers are in `test_ladder_players` and `test_watch_page`.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.program import need

from .server import NEW_FFMPEG, OLD_FFMPEG, Server, encoder_args, running

RUN_S = 7.0
"""How long each of the two encoders is there."""

SMALL = 16 * 16
"""Bytes of a picture as GStreamer writes it down here."""


@dataclass
class Player:
    """A program that plays an address to its end."""

    command: Sequence[str]
    played_s: Callable[[str], float]
    """How long it has shown pictures, from what it has written."""
    env: dict[str, str]


def ffmpeg(program: str) -> Callable[[str, Path], Player]:
    def make(url: str, _folder: Path) -> Player:
        command = [
            program,
            "-hide_banner",
            "-loglevel",
            "error",
            "-progress",
            "-",
            "-i",
            url,
            "-f",
            "null",
            "-",
        ]
        return Player(command, lambda text: int((re.findall(r"frame=(\d+)", text) or [0])[-1]) / 25, {})

    return make


def mpv(url: str, _folder: Path) -> Player:
    words = ["--msg-level=all=error,statusline=status", "--term-status-msg=AT=${=time-pos}\n"]
    command = [need("mpv"), "--no-config", "--vo=null", "--ao=null", *words, url]

    def played_s(text: str) -> float:
        places = [float(place) for place in re.findall(r"AT=([\d.]+)", text)]
        return places[-1] - places[0] if places else 0.0

    return Player(command, played_s, {})


def gstreamer(url: str, folder: Path) -> Player:
    """Use the newer of its two elements for HLS; it writes small pictures down when they are shown."""
    pictures = folder / "gstreamer.raw"
    pipeline = (
        f"uridecodebin3 uri={url} name=from from. ! queue ! videoconvert ! videoscale ! "
        f"video/x-raw,width=16,height=16,format=GRAY8 ! filesink location={pictures} sync=true "
        "from. ! queue ! audioconvert ! fakesink sync=true"
    )
    command = [need("gst-launch-1.0"), "-q", *pipeline.split()]
    return Player(
        command, lambda _: pictures.stat().st_size / SMALL / 25, {"GST_PLUGIN_FEATURE_RANK": "hlsdemux:NONE"}
    )


PLAYERS = {
    "ffmpeg": ffmpeg(NEW_FFMPEG),
    "ffmpeg 5": ffmpeg(OLD_FFMPEG),
    "mpv": mpv,
    "GStreamer": gstreamer,
}


async def play(player: Player) -> tuple[int, float, str]:
    """Play to the end; returns exit code, seconds of pictures, and what was said."""
    process = await asyncio.create_subprocess_exec(
        *player.command,
        env=os.environ | player.env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        out, _ = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    text = out.decode(errors="replace")
    return process.returncode or 0, player.played_s(text), text[-500:]


async def test_players_of_all_kinds(server: Server, tmp_path: Path) -> None:
    need(OLD_FFMPEG)
    stream = await server.create_stream()
    url = f"{server.http_url}/hls/{stream['id']}/master.m3u8"
    async with AsyncExitStack() as first:
        await first.enter_async_context(
            running(NEW_FFMPEG, *encoder_args(server.publish_url(stream), gop_s=1.0))
        )
        await server.wait_for(f"/hls/{stream['id']}/360p/index.m3u8", contains="#EXTINF")
        tasks = {name: asyncio.create_task(play(make(url, tmp_path))) for name, make in PLAYERS.items()}
        await asyncio.sleep(RUN_S)
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream), size="320x180", gop_s=1.0)):
        await asyncio.sleep(RUN_S)
    await server.api("POST", f"/streams/{stream['id']}/end")
    found = dict(zip(tasks, await asyncio.gather(*tasks.values()), strict=True))
    wanted = {name: (code, seconds > RUN_S + 2) for name, (code, seconds, _) in found.items()}
    assert wanted == dict.fromkeys(PLAYERS, (0, True)), found


async def test_ffmpeg_begins_where_it_is_told(server: Server, tmp_path: Path) -> None:
    """`?start=`, as EXT-X-START, which it reads when it is asked to."""
    stream = await server.create_stream()
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream), gop_s=1.0)):
        await server.wait_for(f"/hls/{stream['id']}/360p/index.m3u8", contains="#EXTINF")
        await asyncio.sleep(10)
        url = f"{server.http_url}/hls/{stream['id']}/360p/index.m3u8"
        tasks = []
        for query in ("", "?start=0", "?start=5"):
            player = PLAYERS["ffmpeg"](url + query, tmp_path)
            player.command = [NEW_FFMPEG, "-prefer_x_start", "1", *player.command[1:]]
            tasks.append(asyncio.create_task(play(player)))
        await asyncio.sleep(2)
    await server.api("POST", f"/streams/{stream['id']}/end")
    (_, live, said), (_, anew, _), (_, later, _) = await asyncio.gather(*tasks)
    assert anew > 11, said
    assert anew - later == pytest.approx(5, abs=1.1), "by whole segments"
    assert live < anew - 2
