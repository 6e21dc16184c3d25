"""A real browser takes what is written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page

from tests.integration.browser import open_browser
from webrtc.sdp.description import LocalDescription
from webrtc.sdp.reader import parse_answer, parse_offer
from webrtc.sdp.writer import write_answer, write_offer

from .offer import RECEIVES, SENDS

pytestmark = [pytest.mark.integration, pytest.mark.browser, pytest.mark.timeout(60)]

_OFFER = """
async kinds => {
  const pc = window.pc = new RTCPeerConnection();
  for (const [kind, direction] of kinds) {
    if (kind === "data") pc.createDataChannel("x");
    else if (direction === "recvonly") pc.addTransceiver(kind, { direction });
    else {
      const canvas = document.createElement("canvas");
      canvas.getContext("2d").fillRect(0, 0, 9, 9);
      const stream = kind === "video" ? canvas.captureStream(10)
        : new AudioContext().createMediaStreamDestination().stream;
      pc.addTransceiver(stream.getTracks()[0], { direction, streams: [stream] });
    }
  }
  await pc.setLocalDescription();
  return pc.localDescription.sdp;
}
"""

_TAKE_ANSWER = """
async sdp => {
  const pc = window.pc;
  await pc.setRemoteDescription({ type: "answer", sdp });
  return {
    state: pc.signalingState,
    directions: pc.getTransceivers().map(item => item.currentDirection),
    candidates: (pc.currentRemoteDescription.sdp.match(/a=candidate/g) || []).length,
  };
}
"""

_TAKE_OFFER = """
async sdp => {
  const pc = window.pc = new RTCPeerConnection();
  await pc.setRemoteDescription({ type: "offer", sdp });
  await pc.setLocalDescription();
  return pc.localDescription.sdp;
}
"""

_SENT_CODECS = """
() => window.pc.getTransceivers().map(item => item.sender.getParameters().codecs.map(codec => codec.mimeType))
"""

CASES = [
    ("viewer", [("video", "recvonly"), ("audio", "recvonly")], SENDS, ["recvonly", "recvonly"]),
    ("sound", [("audio", "recvonly")], SENDS, ["recvonly"]),
    (
        "data-first",
        [("data", ""), ("audio", "recvonly"), ("video", "recvonly"), ("video", "recvonly")],
        SENDS,
        ["recvonly", "recvonly"],  # a transceiver that was rejected is no more
    ),
    ("publisher", [("video", "sendonly"), ("audio", "sendonly")], RECEIVES, ["sendonly", "sendonly"]),
]


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    async with open_browser(tmp_path) as browser:
        yield await browser.blank()


@pytest.mark.parametrize(
    ("kinds", "local", "directions"), [item[1:] for item in CASES], ids=[item[0] for item in CASES]
)
async def test_chromium_takes_the_answer(
    page: Page, kinds: list[tuple[str, str]], local: LocalDescription, directions: list[str]
) -> None:
    offer = parse_offer(await page.evaluate(_OFFER, kinds))
    taken = await page.evaluate(_TAKE_ANSWER, write_answer(offer, local))
    assert taken["state"] == "stable"
    assert taken["candidates"] >= len(local.candidates)
    assert taken["directions"] == directions


async def test_chromium_will_send_what_was_agreed(page: Page) -> None:
    offer = parse_offer(await page.evaluate(_OFFER, [("video", "sendonly"), ("audio", "sendonly")]))
    await page.evaluate(_TAKE_ANSWER, write_answer(offer, RECEIVES))
    assert await page.evaluate(_SENT_CODECS) == [["video/H264", "video/rtx"], ["audio/opus"]]


async def test_chromium_takes_the_counter_offer(page: Page) -> None:
    answer = parse_answer(await page.evaluate(_TAKE_OFFER, write_offer(SENDS)))
    video, audio = answer.section("video"), answer.section("audio")
    assert video is not None
    assert audio is not None
    assert video.codec is not None
    assert video.codec.rtx_payload_type == 103
    assert (video.direction, audio.direction) == ("recvonly", "recvonly")
