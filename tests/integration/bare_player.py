"""Players as others use them, with next to no page around: hls.js with and without low latency, Shaka.

player = await BarePlayer.open(browser, server, stream_id, "shaka")
await player.wait_until_playing()
await player.choose(480)
assert await player.errors() == []
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.async_api import Page, Request, Route

from .browser import Browser
from .server import ROOT, Server

MODULES = ROOT / "web" / "node_modules"
_HLS_JS = MODULES / "hls.js" / "dist" / "hls.min.js"
_SHAKA = MODULES / "shaka-player" / "dist" / "shaka-player.compiled.js"

_DASH_JS = MODULES / "dashjs" / "dist" / "modern" / "umd" / "dash.all.min.js"

_START_HLS_JS = """
const hls = new Hls({ lowLatencyMode: LOW_LATENCY, testBandwidth: false, enableWorker: false, autoStartLoad: false });
hls.on(Hls.Events.ERROR, (event, data) => {
  bare.said.push(data.details);
  if (data.fatal || /frag(Load|Parsing)|bufferA/.test(data.details)) bare.errors.push(data.details);
});
hls.on(Hls.Events.MANIFEST_PARSED, () => { hls.startLevel = hls.firstLevel; hls.startLoad(); });
bare.heights = () => hls.levels.map((level) => Math.min(level.width, level.height));
bare.choose = (height) => { hls.loadLevel = bare.heights().indexOf(height); };
hls.attachMedia(video);
hls.loadSource(url);
"""
_START_SHAKA = """
shaka.polyfill.installAll();
const player = new shaka.Player();
const SEGMENT_MISSING = 1011;
player.addEventListener("error", ({ detail }) => {
  bare.said.push(`${detail.code}`);
  if (detail.code !== SEGMENT_MISSING) return bare.errors.push(`${detail.severity}: ${detail.code}`);
  player.configure({ abr: { enabled: true } });  // a rung that was chosen by hand is never left otherwise
  player.retryStreaming();
});
const tracks = () => player.getVariantTracks();
const lines = (track) => Math.min(track.width, track.height);
bare.heights = () => tracks().map(lines);
bare.choose = (height) => {
  player.configure({ abr: { enabled: false } });
  player.selectVariantTrack(tracks().find((track) => lines(track) === height), false);
};
player.attach(video).then(() => player.load(url)).catch((error) => bare.errors.push(`load: ${error.code ?? error}`));
"""
_START_DASH_JS = """
const player = dashjs.MediaPlayer().create();
player.on("error", ({ error }) => bare.errors.push(`${error.code}: ${error.message}`));
player.initialize(video, url, true);
"""
_PAGE = """<!doctype html><video muted autoplay playsinline style="width:640px"></video>
<script src="/bare/library.js"></script>
<script>
const url = new URL("ADDRESS", location.href).href;
const video = document.querySelector("video");
const bare = window.bare = { errors: [], said: [], stalls: [], waitingSince: 0 };
video.addEventListener("waiting", () => {
  if (video.currentTime > 0 && !video.seeking && !bare.waitingSince) bare.waitingSince = performance.now();
});
video.addEventListener("playing", () => {
  if (bare.waitingSince) bare.stalls.push((performance.now() - bare.waitingSince) / 1000);
  bare.waitingSince = 0;
});
video.addEventListener("error", () => bare.errors.push(`media: ${video.error.message}`));
START
</script>"""

PLAYERS: dict[str, tuple[Path, str]] = {
    "hls.js, low latency": (_HLS_JS, _START_HLS_JS.replace("LOW_LATENCY", "true")),
    "hls.js": (_HLS_JS, _START_HLS_JS.replace("LOW_LATENCY", "false")),
    "shaka": (_SHAKA, _START_SHAKA),
}
"""By name: the library, and how it is started."""

DASH_PLAYERS = {"dash.js": (_DASH_JS, _START_DASH_JS), "shaka": PLAYERS["shaka"]}
"""Those that take `/dash/ID/manifest.mpd`."""


class BarePlayer:
    """One page that plays one broadcast."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._media: list[str] = []
        page.on("request", self._on_request)

    @classmethod
    async def open(
        cls,
        browser: Browser,
        server: Server,
        stream_id: str,
        name: str,
        playlist: str = "master.m3u8",
        *,
        is_dash: bool = False,
    ) -> BarePlayer:
        """Play a broadcast from its first variant on, or one playlist of it, or its DASH manifest."""
        library, start = DASH_PLAYERS[name] if is_dash else PLAYERS[name]
        address = f"/dash/{stream_id}/manifest.mpd" if is_dash else f"/hls/{stream_id}/{playlist}"
        page = await browser.blank()
        text = _PAGE.replace("START", start).replace("ADDRESS", address)

        async def give_page(route: Route) -> None:
            await route.fulfill(body=text, content_type="text/html")

        async def give_library(route: Route) -> None:
            await route.fulfill(path=library, content_type="text/javascript")

        await page.route("**/bare/page", give_page)
        await page.route("**/bare/library.js", give_library)
        player = cls(page)
        await page.goto(f"{server.http_url}/bare/page", wait_until="domcontentloaded")
        return player

    def rungs_asked_for(self) -> set[str]:
        """Name the rungs of which media was asked for, not playlists alone."""
        return {url.split("/hls/")[1].split("/")[1] for url in self._media} - {"audio"}

    async def wait_until_playing(self, timeout_s: float = 20.0) -> None:
        """Wait until the picture moves."""
        await self.wait_for(2, timeout_s)

    async def wait_for(self, seconds: float, timeout_s: float = 20.0) -> None:
        """Wait until so much more has been played."""
        await self.page.wait_for_function(
            "([from, seconds]) => document.querySelector('video').currentTime > from + seconds",
            arg=[await self._place(), seconds],
            timeout=timeout_s * 1000,
        )

    async def heights(self) -> list[int]:
        """List the heights of the rungs on offer."""
        found: list[int] = await self.page.evaluate("() => bare.heights()")
        return found

    async def choose(self, height: int, timeout_s: float = 25.0) -> None:
        """Choose a rung and wait until it is on the screen; what is buffered of the other one is played first."""
        await self.page.evaluate("height => bare.choose(height)", height)
        await self.wait_for_height(height, timeout_s)

    async def wait_for_height(self, height: int, timeout_s: float = 25.0) -> None:
        """Wait until a rung is on the screen."""
        await self.page.wait_for_function(
            "height => document.querySelector('video').videoHeight === height",
            arg=height,
            timeout=timeout_s * 1000,
        )

    async def wait_until_left(self, height: int, timeout_s: float = 25.0) -> None:
        """Wait until another rung is on the screen."""
        await self.page.wait_for_function(
            "height => document.querySelector('video').videoHeight !== height",
            arg=height,
            timeout=timeout_s * 1000,
        )

    async def stalls(self) -> list[float]:
        """Say how long playback stood still, each time that it did, in seconds."""
        found: list[float] = await self.page.evaluate(
            "() => bare.waitingSince"
            " ? [...bare.stalls, (performance.now() - bare.waitingSince) / 1000] : bare.stalls"
        )
        return found

    async def errors(self) -> list[str]:
        """List what the player reported as an error; no gaps, and not that it waits for a machine that is slow."""
        found: list[str] = await self.page.evaluate("() => bare.errors")
        return found

    async def latency(self) -> float:
        """Say how far behind live it is, in seconds: DASH plays at dates, as the server gave them to what came in."""
        found: float = await self.page.evaluate(
            "() => Date.now() / 1000 - document.querySelector('video').currentTime"
        )
        return found

    async def _place(self) -> float:
        place: Any = await self.page.evaluate("() => document.querySelector('video').currentTime")
        return float(place)

    def _on_request(self, request: Request) -> None:
        if "/hls/" in request.url and request.url.partition("?")[0].endswith((".m4s", ".mp4")):
            self._media.append(request.url)
