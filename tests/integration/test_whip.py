"""A browser publishes over WHIP, and everybody watches as if it were OBS."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page

from .browser import CHROMIUM, Browser, open_browser
from .server import Server

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(120),
    pytest.mark.skipif(
        not CHROMIUM.exists() and "CI" not in os.environ,
        reason="no Chromium; scripts/system-packages installs it",
    ),
]
CAMERA = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")

PUBLISH = """
async ({ url, key }) => {
  const camera = await navigator.mediaDevices.getUserMedia({
    video: { width: 640, height: 360, frameRate: 30 }, audio: true });
  const pc = (window.pc = new RTCPeerConnection());
  for (const track of camera.getTracks()) {
    const transceiver = pc.addTransceiver(track, { direction: "sendonly" });
    if (track.kind === "video") {
      const codecs = RTCRtpSender.getCapabilities("video").codecs;
      transceiver.setCodecPreferences(codecs.filter((codec) => codec.mimeType === "video/H264"));
    }
  }
  await pc.setLocalDescription(await pc.createOffer());
  const headers = { "Content-Type": "application/sdp", Authorization: `Bearer ${key}` };
  const answer = await fetch(url, { method: "POST", headers, body: pc.localDescription.sdp });
  if (answer.status !== 201) return [answer.status, await answer.text()];
  await pc.setRemoteDescription({ type: "answer", sdp: await answer.text() });
  return [answer.status, new URL(answer.headers.get("Location"), url).href];
}
"""


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    folder = tmp_path / "browser"
    folder.mkdir()
    async with open_browser(folder, *CAMERA) as opened:
        yield opened


async def publish(server: Server, page: Page, key: str) -> tuple[int, str]:
    await page.goto(f"{server.http_url}/healthz")
    status, text = await page.evaluate(PUBLISH, {"url": f"{server.http_url}/whip", "key": key})
    return status, text


async def test_a_browser_goes_live(server: Server, browser: Browser) -> None:
    stream = await server.create_stream(quality="360p")
    camera = await browser.blank()
    status, session = await publish(server, camera, stream["stream_key"])
    assert status == 201, session
    master = f"/hls/{stream['id']}/master.m3u8"
    text = (await server.wait_for(master, contains="RESOLUTION", seconds=30)).text
    assert "640x360" in text
    assert "mp4a" in text, "Opus has become AAC for HLS"
    for transport in ("webrtc", "hls"):
        page = await browser.watch(f"{server.http_url}/watch/{stream['id']}?transport={transport}")
        await page.wait_until_playing(30)
        assert await page.page.evaluate("() => document.querySelector('video').videoHeight") == 360
        await page.close()
    health = await server.api("GET", f"/streams/{stream['id']}/health")
    assert health["connected"]
    assert health["keyframe_interval_s"] <= 2.5, "keyframes are asked for"
    answer = await camera.evaluate("async (url) => (await fetch(url, { method: 'DELETE' })).status", session)
    assert answer == 200
    async with asyncio.timeout(15):
        while (await server.api("GET", f"/streams/{stream['id']}"))["media"]["connected"]:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_a_wrong_key_is_refused(server: Server, browser: Browser) -> None:
    status, text = await publish(server, await browser.blank(), "no-such-key")
    assert (status, "unknown_key" in text) == (401, True)
