"""A real Chromium on the watch page: what plays, what the demo picture's strip says, rungs, screenshots.

async with open_browser(tmp_path) as browser:
    page = await browser.watch(f"{base}/watch/{stream_id}")
    await page.wait_until_playing()
    frames = await page.read_frames(seconds=5)
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, ConsoleMessage, Page, async_playwright

from mediaserver.demo_strip import Stamp, decode_levels

CHROMIUM = Path("/usr/bin/chromium")
ARTEFACTS = Path(__file__).parent.parent / "artefacts"
DESKTOP, PHONE = (1280, 800), (390, 844)
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]

_READ_STRIP = """
async ({ seconds, intervalMs }) => {
  const video = document.querySelector("video");
  const canvas = new OffscreenCanvas(128, 12);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const found = [];
  const level = (pixels, row, column) => {
    let sum = 0;
    for (const y of [1, 2]) {
      for (const x of [1, 2]) sum += pixels[((row * 4 + y) * 128 + column * 4 + x) * 4 + 1];
    }
    return sum / 4;
  };
  const read = (metadata) => {
    const lines = Math.floor(video.videoHeight / 6);
    context.drawImage(video, 0, video.videoHeight - lines, video.videoWidth, lines, 0, 0, 128, 12);
    const { data } = context.getImageData(0, 0, 128, 12);
    const levels = [];
    for (let i = 0; i < 96; i++) levels.push(level(data, Math.floor(i / 32), i % 32));
    found.push({
      levels,
      shownMs: performance.timeOrigin + metadata.expectedDisplayTime,
      mediaTime: metadata.mediaTime,
      height: video.videoHeight,
    });
  };
  const end = performance.now() + seconds * 1000;
  let last = -Infinity;
  let done;
  const finished = new Promise((resolve) => (done = resolve));
  const onFrame = (now, metadata) => {
    if (now - last >= intervalMs) {
      last = now;
      read(metadata);
    }
    if (now < end) video.requestVideoFrameCallback(onFrame);
    else done();
  };
  video.requestVideoFrameCallback(onFrame);
  setTimeout(done, seconds * 1000 + 500);
  await finished;
  return found;
}
"""


@dataclass(frozen=True, slots=True)
class ShownFrame:
    """A frame of the demo picture as the browser showed it."""

    stamp: Stamp | None
    """What the strip says; None when it could not be read."""
    shown_ms: float
    """When it went to the screen, milliseconds since 1970."""
    media_time_s: float
    height: int
    """Lines of the decoded picture: tells the rung."""

    @property
    def latency_s(self) -> float | None:
        """Glass to glass: from the broadcaster's drawing to the browser's screen, by this machine's clock."""
        return None if self.stamp is None else (self.shown_ms - self.stamp.time_ms) / 1000


class WatchPage:
    """One open watch page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.console_errors: list[str] = []
        self.page_errors: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.page_errors.append(str(error)))

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.console_errors.append(f"{message.text} {message.location.get('url', '')}")

    def unexpected_errors(self) -> list[str]:
        """List console errors and exceptions, but for the playlist's 404 before the first media."""
        waiting = [
            error for error in self.console_errors if "404" in error and error.endswith("/master.m3u8")
        ]
        return [error for error in self.console_errors if error not in waiting] + self.page_errors

    async def stats(self) -> dict[str, Any]:
        """Return what the page says about its player (`window.__player`)."""
        stats: dict[str, Any] = await self.page.evaluate("() => ({...window.__player})")
        return stats

    async def wait_until_playing(self, timeout_s: float = 15.0) -> float:
        """Wait until the picture moves; returns the seconds that it took."""
        began = time.monotonic()
        await self.page.wait_for_function(
            "() => { const v = document.querySelector('video');"
            " return v && !v.paused && v.readyState >= 3 && v.currentTime > 0"
            " && v.getVideoPlaybackQuality().totalVideoFrames > 2; }",
            timeout=timeout_s * 1000,
            polling=50,
        )
        return time.monotonic() - began

    async def wait_for_phase(self, phase: str, timeout_s: float = 15.0) -> None:
        """Wait until the page is `waiting`, `playing`, `reconnecting`, `ended`, `cancelled` or `missing`."""
        await self.page.wait_for_function(
            "phase => window.__player && window.__player.phase === phase", arg=phase, timeout=timeout_s * 1000
        )

    async def read_frames(self, seconds: float, interval_s: float = 0.1) -> list[ShownFrame]:
        """Read the strip of the frames shown during some seconds, at most one per interval."""
        found = await self.page.evaluate(_READ_STRIP, {"seconds": seconds, "intervalMs": interval_s * 1000})
        return [
            ShownFrame(decode_levels(each["levels"]), each["shownMs"], each["mediaTime"], each["height"])
            for each in found
        ]

    async def wait_for_strip(self, timeout_s: float = 20.0) -> None:
        """Wait until the demo picture is shown, and not a slate."""
        async with asyncio.timeout(timeout_s):
            while not any(frame.stamp is not None for frame in await self.read_frames(0.3)):
                pass

    async def wait_for_slate(self, timeout_s: float = 20.0) -> None:
        """Wait until pictures are shown whose strip is too dark to read."""
        async with asyncio.timeout(timeout_s):
            while not (frames := await self.read_frames(0.5)) or any(frame.stamp for frame in frames):
                pass

    async def qualities(self) -> list[str]:
        """List the rungs in the quality menu, as written there without the automatic choice."""
        texts = await self.page.locator("select.quality option").all_inner_texts()
        return texts[1:]

    async def choose_quality(self, name: str | None, timeout_s: float = 15.0) -> None:
        """Choose a rung in the menu (None = automatic) and wait until it is on the screen."""
        await self.page.select_option("select.quality", name or "")
        if name is not None:
            await self.wait_for_level(name, timeout_s)

    async def wait_for_level(self, name: str, timeout_s: float = 15.0) -> None:
        """Wait until a rung is on the screen."""
        await self.page.wait_for_function(
            "name => window.__player.level === name"
            " && `${Math.min(document.querySelector('video').videoWidth,"
            " document.querySelector('video').videoHeight)}p` === name",
            arg=name,
            timeout=timeout_s * 1000,
        )

    async def screenshot(self, name: str) -> Path:
        """Keep a picture of the page in `tests/artefacts`."""
        ARTEFACTS.mkdir(exist_ok=True)
        path = ARTEFACTS / f"{name}.png"
        await self.page.mouse.move(200, 200)
        await self.page.screenshot(path=path)
        return path

    async def close(self) -> None:
        """Close the page."""
        await self.page.close()


class Browser:
    """A running Chromium with an empty profile."""

    def __init__(self, context: BrowserContext) -> None:
        self._context = context

    async def watch(self, url: str, size: tuple[int, int] = DESKTOP) -> WatchPage:
        """Open an address in a new page of some size."""
        page = await self.blank(size)
        watch = WatchPage(page)
        await page.goto(url, wait_until="domcontentloaded")
        return watch

    async def blank(self, size: tuple[int, int] = DESKTOP) -> Page:
        """Open an empty page of some size."""
        page = await self._context.new_page()
        await page.set_viewport_size({"width": size[0], "height": size[1]})
        return page


@asynccontextmanager
async def open_browser(directory: Path, *flags: str) -> AsyncIterator[Browser]:
    """Start Chromium with a new profile below `directory`, and end it.

    Args:
        directory: an empty folder.
        flags: more of its command line.

    Raises:
        RuntimeError: there is no Chromium (`scripts/system-packages` installs it).
    """
    _require_chromium()
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            directory / "profile", executable_path=CHROMIUM, headless=True, args=[*_FLAGS, *flags]
        )
        try:
            yield Browser(context)
        finally:
            async with asyncio.timeout(10):
                await context.close()


def _require_chromium() -> None:
    if not CHROMIUM.exists():
        raise RuntimeError(f"no browser at {CHROMIUM}; scripts/system-packages installs it")
