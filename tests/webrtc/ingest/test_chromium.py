"""A real browser goes live."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import av
import numpy as np
import pytest
from playwright.async_api import Page

from media.h264 import with_parameter_sets
from media.nal import join_annexb, split_length_prefixed
from media.packet import VideoTrack
from tests.integration.browser import open_browser

from .sender import decode
from .studio import Studio, Taken, open_studio

pytestmark = [pytest.mark.integration, pytest.mark.browser, pytest.mark.timeout(90)]

GO_LIVE = """
async () => {
  // Once a second the picture is white and a tone is heard, both for 0.2 s.
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [640, 360];
  document.body.append(canvas);
  const pen = canvas.getContext("2d");
  const audio = new AudioContext();
  await audio.resume();
  const [tone, gate, out] = [audio.createOscillator(), audio.createGain(), audio.createMediaStreamDestination()];
  tone.frequency.value = 1000;
  gate.gain.value = 0;
  tone.connect(gate).connect(out);
  tone.start();
  const start = audio.currentTime + 0.5;
  const startMs = performance.now() + 500;
  for (let second = 0; second < 120; second++) {
    gate.gain.setValueAtTime(0.5, start + second);
    gate.gain.setValueAtTime(0, start + second + 0.2);
  }
  let count = 0;
  setInterval(() => {
    const phase = (performance.now() - startMs) % 1000;
    pen.fillStyle = phase >= 0 && phase < 200 ? "white" : "black";
    pen.fillRect(0, 0, 640, 360);
    pen.fillStyle = "gray";
    pen.fillRect(count++ * 4 % 600, 300, 40, 40);
  }, 1000 / 60);
  const stream = canvas.captureStream(30);
  const pc = window.pc = new RTCPeerConnection();
  const transceiver = pc.addTransceiver(stream.getVideoTracks()[0], { direction: "sendonly", streams: [stream] });
  pc.addTransceiver(out.stream.getAudioTracks()[0], { direction: "sendonly", streams: [stream] });
  const parameters = transceiver.sender.getParameters();
  parameters.degradationPreference = "maintain-resolution";
  await transceiver.sender.setParameters(parameters);
  await pc.setLocalDescription();
  const headers = { "Content-Type": "application/sdp", Authorization: "Bearer good" };
  const response = await fetch("/whip", { method: "POST", headers, body: pc.localDescription.sdp });
  const sdp = await response.text();
  if (response.status === 201) await pc.setRemoteDescription({ type: "answer", sdp });
  window.session = response.headers.get("Location");
  return response.status;
}
"""

READ_RATE = """
async () => {
  for (const item of (await pc.getStats()).values()) {
    if (item.type === "candidate-pair" && item.nominated) return item.availableOutgoingBitrate;
  }
  return null;
}
"""


@pytest.fixture
async def studio() -> AsyncIterator[Studio]:
    async with open_studio() as made:
        yield made


@pytest.fixture
async def page(tmp_path: Path, studio: Studio) -> AsyncIterator[Page]:
    async with open_browser(tmp_path) as browser:
        made = await browser.blank()
        await made.goto(f"{studio.url}page")
        yield made


async def go_live(page: Page, studio: Studio) -> Taken:
    assert await page.evaluate(GO_LIVE) == 201
    return await studio.gate.next()


async def wait_for_seconds(taken: Taken, seconds: float) -> None:
    await taken.until(lambda: taken.pictures)
    start = taken.pictures[0].pts
    while taken.pictures[-1].pts - start < seconds * 90_000:
        taken.news.clear()
        await asyncio.wait_for(taken.news.wait(), 10)


def flashes(taken: Taken) -> list[float]:
    """Return when pictures turn white, in seconds on the timeline."""
    decoder = av.CodecContext.create("h264", "r")
    decoder.options = {"threads": "1", "flags": "low_delay"}
    found, was_white = [], True
    for packet in taken.pictures:
        assert isinstance(packet.track, VideoTrack)
        data = with_parameter_sets(packet.track.config, packet.data) if packet.is_keyframe else packet.data
        for frame in decoder.decode(av.Packet(join_annexb(split_length_prefixed(data)))):
            assert isinstance(frame, av.VideoFrame)
            is_white = bool(frame.to_ndarray(format="gray")[:200].mean() > 128)
            if is_white and not was_white:
                found.append(packet.pts / 90_000)
            was_white = is_white
    return found


def beeps(taken: Taken) -> list[float]:
    """Return when tones begin, in seconds on the timeline."""
    decoder = av.CodecContext.create("opus", "r")
    assert isinstance(decoder, av.AudioCodecContext)
    decoder.sample_rate, decoder.layout = 48_000, "stereo"
    found, was_loud = [], True
    for packet in taken.sounds:
        for frame in decoder.decode(av.Packet(packet.data)):
            samples = np.abs(frame.to_ndarray().reshape(-1, frame.samples)[0].astype(float))
            loud = samples > 0.1
            if loud.any() and not was_loud:
                # What comes out of the decoder went in 6.5 ms before (RFC 6716, 2.1.2).
                found.append(packet.pts / 90_000 + int(loud.argmax()) / 48_000 - 0.0065)
            was_loud = bool(loud.any())
    return found


def distances(taken: Taken) -> list[float]:
    """Return by how much each tone comes after its flash, in seconds."""
    heard = beeps(taken)
    return [min((beep - flash for beep in heard), key=abs) for flash in flashes(taken)]


async def test_a_browser_goes_live(page: Page, studio: Studio) -> None:
    taken = await go_live(page, studio)
    assert "Chrome" in taken.encoder
    await wait_for_seconds(taken, 9)
    assert len(decode(taken.pictures)) == len(taken.pictures)
    assert {
        (packet.track.width, packet.track.height)
        for packet in taken.pictures
        if isinstance(packet.track, VideoTrack)
    } == {(640, 360)}
    keyframes = [packet.pts / 90_000 for packet in taken.pictures if packet.is_keyframe]
    assert len(keyframes) >= 4
    assert max(after - before for before, after in pairwise(keyframes)) < 2.6
    rate: Any = await page.evaluate(READ_RATE)
    assert rate > 2_500_000
    # A picture that a canvas gives takes up to a frame longer than the sound that belongs to it.
    assert -0.06 < median(distances(taken)) < 0.04
    await page.evaluate("() => fetch(session, { method: 'DELETE' })")
    await taken.until(lambda: taken.ending)
    assert taken.ending == (True, "the encoder stopped")


async def test_a_lossy_network(page: Page, studio: Studio) -> None:
    taken = await go_live(page, studio)
    await wait_for_seconds(taken, 2)
    studio.path.loss = 0.05
    await wait_for_seconds(taken, 10)
    studio.path.loss = 0.0
    await wait_for_seconds(taken, 12)
    assert len(decode(taken.pictures)) == len(taken.pictures)
    assert studio.counters()["ingest_packets_repaired"] > 0
    assert -0.06 < median(distances(taken)) < 0.04
