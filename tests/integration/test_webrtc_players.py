"""WHEP players of other makers against the real server: GStreamer, aiortc, a library from npm."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.program import need

from .bare_player import MODULES
from .browser import CHROMIUM, open_browser
from .server import NEW_FFMPEG, STEADY, Server, encoder_args, running, running_server
from .whep_player import AiortcPlayer

WEBRTCBIN = Path(__file__).with_name("webrtcbin_player.py")
SYSTEM_PYTHON = "/usr/bin/python3"
"""Has GStreamer's bindings, which are not on PyPI."""
PLAY_S = 6.0
AT_ONCE = 4
LIBRARY = MODULES / "whip-whep" / "whep.js"

_WITH_LIBRARY = """
<!doctype html><video autoplay playsinline></video>
<script type="module">
import { WHEPClient } from "/whep.js";
const pc = window.pc = new RTCPeerConnection();
const media = new MediaStream();
document.querySelector("video").srcObject = media;
pc.ontrack = ({ track }) => media.addTrack(track);
pc.addTransceiver("audio", { direction: "recvonly" });
pc.addTransceiver("video", { direction: "recvonly" });
const whep = window.whep = new WHEPClient();
await whep.view(pc, "ADDRESS");
</script>
"""
_MOVES = """
async () => {
  const quality = () => document.querySelector("video").getVideoPlaybackQuality().totalVideoFrames;
  const before = quality();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  return quality() > before + 10;
}
"""
_PICTURE = "() => document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames > 10"


async def test_gstreamer_and_many_of_aiortc(tmp_path: Path) -> None:
    """GStreamer's ICE does not look at the loopback, so the server listens everywhere."""
    await need_webrtcbin()
    async with running_server(tmp_path, STEADY, HOST="0.0.0.0") as server:  # noqa: S104
        stream = await server.create_stream()
        async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream))):
            await server.wait_for(f"/hls/{stream['id']}/master.m3u8")
            await asyncio.gather(play_webrtcbin(server, stream), play_aiortc(server, stream))


async def need_webrtcbin() -> None:
    """Look for webrtcbin, its ICE and its bindings; where they are missing skip, or fail where all has to be there."""
    need("gst-launch-1.0")
    script = "import gi; gi.require_version('Gst', '1.0'); gi.require_version('GstWebRTC', '1.0')"
    for check in (
        ["gst-inspect-1.0", "webrtcbin"],
        ["gst-inspect-1.0", "nicesrc"],
        [SYSTEM_PYTHON, "-c", script],
    ):
        process = await asyncio.create_subprocess_exec(
            *check, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        if await process.wait() and "CI" in os.environ:
            raise FileNotFoundError("webrtcbin is needed for this test; scripts/system-packages installs it")
        if process.returncode:
            pytest.skip("GStreamer has no webrtcbin for Python")


async def play_webrtcbin(server: Server, stream: dict[str, Any]) -> None:
    command = [SYSTEM_PYTHON, str(WEBRTCBIN), f"{server.http_url}/webrtc/{stream['id']}", str(PLAY_S)]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, errors = await asyncio.wait_for(process.communicate(), 30)
    found = json.loads(out)
    assert found["errors"] == []
    assert sorted(found["codecs"]) == ["H264", "OPUS"], errors[-500:]
    assert found["size"] == [640, 360]
    assert found["video"] > 10 * PLAY_S
    assert found["audio"] > 48_000 * PLAY_S / 3


async def play_aiortc(server: Server, stream: dict[str, Any]) -> None:
    players = [AiortcPlayer(server.http_url) for _ in range(AT_ONCE)]
    for player in players:
        await player.watch(stream["id"])
    for player in players:
        pictures = [await player.picture() for _ in range(10)]
        assert {(picture.width, picture.height) for picture in pictures} == {(640, 360)}
        assert (await player.sound()).sample_rate == 48_000
    for player in players:
        await player.close()


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists() and "CI" not in os.environ, reason="no Chromium")
async def test_a_player_from_npm(server: Server, tmp_path: Path) -> None:
    """The client that was written along with the draft, on a page of another origin: picture, events, layers, end.

    It never names an entity tag when it tells its candidates, which is refused and makes no difference.
    """
    stream = await server.create_stream()
    folder = tmp_path / "browser"
    folder.mkdir()
    async with (
        running(NEW_FFMPEG, *encoder_args(server.publish_url(stream))),
        open_browser(folder) as browser,
        other_origin(_WITH_LIBRARY.replace("ADDRESS", f"{server.http_url}/webrtc/{stream['id']}")) as origin,
    ):
        await server.wait_for(f"/hls/{stream['id']}/master.m3u8")
        player = await browser.watch(origin)
        await player.page.wait_for_function(_PICTURE, timeout=15_000)
        await player.page.wait_for_function("() => whep.eventSource?.readyState === 1")
        await player.page.evaluate("() => whep.selectLayer({ encodingId: '144p' })")
        await player.page.wait_for_function("() => document.querySelector('video').videoHeight === 144")
        await player.page.evaluate("() => whep.unselectLayer()")
        await player.page.evaluate("() => whep.restart()")
        await player.page.wait_for_function(_MOVES)
        assert await player.page.evaluate("() => pc.connectionState") == "connected"
        session = await player.page.evaluate("() => whep.resourceURL.pathname")
        await player.page.evaluate("() => whep.stop()")
        assert (await server.request(session)).status == 404
        assert [error for error in player.page_errors if "428" not in error] == []


@asynccontextmanager
async def other_origin(html: str) -> AsyncIterator[str]:
    """Serve a page with the library; yields its address."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=html, content_type="text/html")

    async def library(_: web.Request) -> web.Response:
        return web.Response(text=LIBRARY.read_text(), content_type="text/javascript")

    application = web.Application()
    application.add_routes([web.get("/", page), web.get("/whep.js", library)])
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()
