"""A WHEP player of a few lines in a real Chromium, and what it shows and measures.

async with open_browser(tmp_path) as browser:
    player = await WhepPlayer.open(browser, server.http_url)
    await player.watch(stream["id"])
    shown = await player.frames(seconds=5)
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import httpx
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from av import AudioFrame, VideoFrame
from playwright.async_api import Page

from .browser import Browser, WatchPage
from .udp_path import UdpPath

_PLAYER = """
() => {
  const video = document.createElement("video");
  video.autoplay = video.playsInline = true;
  video.style.width = "640px";
  document.body.replaceChildren(video);
  const shown = [];
  const onFrame = (now, { width, height, presentedFrames }) => {
    shown.push([now, width, height, presentedFrames]);
    video.requestVideoFrameCallback(onFrame);
  };
  video.requestVideoFrameCallback(onFrame);
  let pc, session, etag;
  const answerOf = async (response) => ({
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: await response.text(),
  });
  const call = async (url, method, body, headers = {}) => answerOf(await fetch(url, { method, body, headers }));
  window.whep = {
    offer: async (url, headers) => {
      pc = new RTCPeerConnection();
      const media = new MediaStream();
      video.srcObject = media;
      pc.ontrack = ({ track, receiver }) => {
        receiver.jitterBufferTarget = 0;
        media.addTrack(track);
      };
      for (const kind of ["video", "audio"]) pc.addTransceiver(kind, { direction: "recvonly" });
      await pc.setLocalDescription(await pc.createOffer());
      const type = { "Content-Type": "application/sdp" };
      const answer = await call(url, "POST", pc.localDescription.sdp, { ...type, ...headers });
      if (answer.headers.location) session = new URL(answer.headers.location, url).href;
      etag = answer.headers.etag;
      return answer;
    },
    accept: (sdp) => pc.setRemoteDescription({ type: "answer", sdp }),
    choose: (rung) => rung === null
      ? call(`${session}/layer`, "DELETE")
      : call(`${session}/layer`, "POST", JSON.stringify({ encodingId: rung }), { "Content-Type": "application/json" }),
    end: () => call(session, "DELETE"),
    restart: async (match) => {
      pc.restartIce();
      await pc.setLocalDescription(await pc.createOffer());
      const lines = pc.localDescription.sdp.split("\\r\\n");
      const ice = lines.filter((line) => /^a=ice-(ufrag|pwd)/.test(line)).slice(0, 2);
      const headers = { "Content-Type": "application/trickle-ice-sdpfrag" };
      if (match !== null) headers["If-Match"] = match ?? etag;
      const answer = await call(session, "PATCH", [...ice, ""].join("\\r\\n"), headers);
      if (answer.status !== 200) {
        await pc.setLocalDescription({ type: "rollback" });
        return answer;
      }
      etag = answer.headers.etag;
      let sdp = pc.remoteDescription.sdp;
      for (const name of ["ice-ufrag", "ice-pwd"]) {
        const value = answer.body.match(new RegExp(`a=${name}:(\\\\S+)`))[1];
        sdp = sdp.replace(new RegExp(`a=${name}:\\\\S+`, "g"), `a=${name}:${value}`);
      }
      await pc.setRemoteDescription({ type: "answer", sdp });
      return answer;
    },
    state: () => pc.connectionState,
    take: () => shown.splice(0),
    count: () => shown.length,
    height: () => video.videoHeight,
    stats: async () => {
      const found = [];
      (await pc.getStats()).forEach((item) => found.push(item));
      return found;
    },
  };
}
"""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer over HTTP as the page sees it: of the headers, those that pages of other origins may read."""

    status: int
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A frame that the browser showed."""

    at_s: float
    """By the page's clock."""
    width: int
    height: int
    number: int


class WhepPlayer(WatchPage):
    """One viewer."""

    def __init__(self, page: Page, http_url: str) -> None:
        super().__init__(page)
        self._http_url = http_url

    @classmethod
    async def open(cls, browser: Browser, http_url: str) -> WhepPlayer:
        """Open an empty page with a player in it."""
        player = cls(await browser.blank(), http_url)
        await player.page.goto(f"{http_url}/healthz")
        await player.page.evaluate(_PLAYER)
        return player

    async def offer(self, place: str, *, token: str | None = None) -> Reply:
        """Send an offer to `/webrtc/PLACE`."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        url = f"{self._http_url}/webrtc/{place}"
        return await self._call("([url, headers]) => whep.offer(url, headers)", [url, headers])

    async def watch(self, place: str, *, token: str | None = None) -> Reply:
        """Watch what is at `/webrtc/PLACE`, whose token may be shown as Bearer."""
        reply = await self.offer(place, token=token)
        assert reply.status == 201, reply
        await self.accept(reply.body)
        return reply

    async def accept(self, sdp: str) -> None:
        """Take an answer."""
        await self.page.evaluate("sdp => whep.accept(sdp)", sdp)

    async def choose(self, rung: str | None) -> Reply:
        """Fix a rung, or leave it to the server."""
        return await self._call("rung => whep.choose(rung)", rung)

    async def restart_ice(self, match: str | None = "") -> Reply:
        """Restart ICE.

        Args:
            match: what `If-Match` says; nothing for the session's own entity tag, None for no such header.
        """
        argument = "undefined" if match == "" else "match"
        return await self._call(f"match => whep.restart({argument})", match)

    async def end(self) -> Reply:
        """End the session as WHEP has it, and leave the connection to the server."""
        return await self._call("() => whep.end()")

    async def state(self) -> str:
        """Return the state of the connection."""
        found: str = await self.page.evaluate("() => whep.state()")
        return found

    async def wait_for_state(self, *states: str, seconds: float = 15.0) -> None:
        """Wait until the connection is in one of some states."""
        await self.page.wait_for_function(
            "states => states.includes(whep.state())", arg=states, timeout=seconds * 1000
        )

    async def wait_for_picture(self, seconds: float = 15.0) -> None:
        """Wait for a picture that has not been taken with `frames` yet."""
        await self.page.wait_for_function("() => whep.count() > 0", timeout=seconds * 1000, polling=20)

    async def wait_for_height(self, height: int, seconds: float = 15.0) -> float:
        """Wait for pictures of some height; returns the seconds that it took."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        await self.page.wait_for_function(
            "height => whep.height() === height", arg=height, timeout=seconds * 1000, polling=50
        )
        return loop.time() - began

    async def frames(self, seconds: float = 0.0) -> list[Shown]:
        """Return what was shown during some seconds; for 0, what was shown since the last time."""
        if seconds:
            await self.page.evaluate("() => whep.take()")
            await asyncio.sleep(seconds)
        found = await self.page.evaluate("() => whep.take()")
        return [Shown(at / 1000, width, height, number) for at, width, height, number in found]

    async def stats(self) -> dict[str, Any]:
        """Return the statistics of what comes, by kind, and of the `transport`."""
        found: dict[str, Any] = {}
        for item in await self.page.evaluate("() => whep.stats()"):
            if item["type"] == "inbound-rtp":
                found[item["kind"]] = item
            elif item["type"] == "transport":
                found["transport"] = item
        return found

    async def _call(self, script: str, argument: object = None) -> Reply:
        found = await self.page.evaluate(script, argument)
        return Reply(found["status"], found["headers"], found["body"])


async def path_to(sdp: str) -> UdpPath:
    """Open a path to the server of an answer."""
    return await UdpPath.open(server_of(sdp))


def server_of(sdp: str) -> tuple[str, int]:
    """Read where the media comes from, from an answer."""
    found = re.search(r"a=candidate:\S+ 1 udp \d+ (\S+) (\d+)", sdp)
    assert found, sdp
    return found.group(1), int(found.group(2))


def detour(sdp: str, port: int) -> str:
    """Lead an answer's media over another port."""
    return re.sub(r"(a=candidate:\S+ 1 udp \d+ \S+) \d+", rf"\1 {port}", sdp)


def longest_gap_s(frames: Sequence[Shown]) -> float:
    """Return the longest time between two frames."""
    return max(after.at_s - before.at_s for before, after in pairwise(frames))


class AiortcPlayer:
    """One viewer without a browser: aiortc's connection, which decodes what comes."""

    def __init__(self, http_url: str) -> None:
        self._http_url = http_url
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))

    async def watch(self, place: str) -> str:
        """Watch what is at `/webrtc/PLACE`; returns the answer."""
        for kind in ("video", "audio"):
            self._connection.addTransceiver(kind, direction="recvonly")
        await self._connection.setLocalDescription(await self._connection.createOffer())
        sdp = self._connection.localDescription.sdp
        async with httpx.AsyncClient() as client:
            answer = await client.post(
                f"{self._http_url}/webrtc/{place}", content=sdp, headers={"Content-Type": "application/sdp"}
            )
        assert answer.status_code == 201, answer.text
        await self._connection.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
        return answer.text

    async def picture(self) -> VideoFrame:
        """Return the next picture."""
        frame = await self._receive("video")
        assert isinstance(frame, VideoFrame)
        return frame

    async def sound(self) -> AudioFrame:
        """Return the next piece of sound."""
        frame = await self._receive("audio")
        assert isinstance(frame, AudioFrame)
        return frame

    async def longest_gap_s(self, seconds: float) -> float:
        """Watch for some seconds; returns the longest time between two pictures."""
        clock = asyncio.get_running_loop().time
        began = before = clock()
        longest = 0.0
        while before - began < seconds:
            await self.picture()
            before, gap = clock(), clock() - before
            longest = max(longest, gap)
        return longest

    async def close(self) -> None:
        """Leave."""
        await self._connection.close()

    async def _receive(self, kind: str) -> object:
        transceivers = self._connection.getTransceivers()
        track = next(item.receiver.track for item in transceivers if item.kind == kind)
        return await asyncio.wait_for(track.recv(), 15)
