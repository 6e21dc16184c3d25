"""Measure the watch page in Chromium: how far behind the broadcaster is the picture, and how soon is it there.

The demo broadcaster burns its clock and a machine-readable strip into the picture; the page's pixels are read back,
so this is glass to glass, on one machine's clock.

    python benchmarks/page.py [--seconds 60] [--joins 20] [--transport webrtc|hls] [--part 0.5] [--dormant 0]

`--dormant N` opens each quality that nobody watches N times, by its own playlist in hls.js, each time when nobody has
watched it for long enough.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.clip import RESULTS
from benchmarks.hls_latency import percentile
from tests.integration.bare_player import BarePlayer
from tests.integration.browser import Browser, open_browser
from tests.integration.server import running, running_server

ASLEEP_S = 40.0
"""A quality that nobody asks for sleeps after 30 s."""

FRAME_S = 0.05
"""Between frames that are read: reading takes as long as drawing."""

SETTLE_S = 15.0
"""hls.js joins 1.5 s behind its edge and speeds up by some percent until it is at its target."""


async def joins(browser: Browser, url: str, count: int) -> list[float]:
    """Seconds from opening the page to a moving picture, each in a new page."""
    found = []
    for _ in range(count):
        began = asyncio.get_running_loop().time()
        page = await browser.watch(url)
        await page.wait_until_playing()
        found.append(asyncio.get_running_loop().time() - began)
        await page.close()
    return found


async def dormant_joins(folder: Path, rounds: int) -> list[float]:
    """Seconds from opening to a moving picture, on qualities that are not being made."""
    found: list[float] = []
    async with running_server(folder) as server, open_browser(folder) as browser:
        stream = await server.create_stream(quality="720p")
        demo = ("-m", "mediaserver.demo_source", server.publish_url(stream), "--with-parent")
        async with running(sys.executable, *demo):
            await server.wait_for(f"/hls/{stream['id']}/480p/index.m3u8", contains="#EXTINF")
            await asyncio.sleep(SETTLE_S)
            for number in range(rounds):
                if number:
                    await asyncio.sleep(ASLEEP_S)
                for rung in ("480p", "360p", "240p", "144p"):
                    began = asyncio.get_running_loop().time()
                    player = await BarePlayer.open(
                        browser, server, stream["id"], "hls.js, low latency", f"{rung}/index.m3u8"
                    )
                    await player.wait_until_playing()
                    found.append(asyncio.get_running_loop().time() - began)
                    await player.page.close()
    return found


async def measure(
    seconds: float, count: int, transport: str, part_s: float, folder: Path
) -> dict[str, object]:
    settings = {"LADDER": "always", "PART_S": f"{part_s:g}"}
    async with running_server(folder, **settings) as server, open_browser(folder) as browser:
        stream = await server.create_stream(quality="720p")
        demo = ("-m", "mediaserver.demo_source", server.publish_url(stream), "--with-parent")
        async with running(sys.executable, *demo):
            await server.wait_for(f"/hls/{stream['id']}/master.m3u8")
            await asyncio.sleep(5)
            url = f"{server.http_url}/watch/{stream['id']}?transport={transport}"
            opened = await joins(browser, url, count)
            page = await browser.watch(url)
            await page.wait_until_playing()
            await asyncio.sleep(SETTLE_S)
            frames = await page.read_frames(seconds, FRAME_S)
            stats = await page.stats()
            await page.screenshot("bench-page")
    latency = [frame.latency_s for frame in frames if frame.latency_s is not None]
    return {
        "part_s": part_s,
        "seconds": seconds,
        "frames_read": len(frames),
        "glass_to_glass_s": {
            "p50": round(percentile(latency, 0.5), 3),
            "p95": round(percentile(latency, 0.95), 3),
        },
        "transport": stats["transport"],
        "behind_live_says_the_page_s": round(stats["latency"], 3),
        "open_to_playing_s": _spread(opened),
        "stalls": stats["stalls"],
        "errors": stats["errors"],
        "console_errors": page.unexpected_errors(),
    }


def _spread(values: list[float]) -> dict[str, float]:
    shares = (("p50", 0.5), ("p95", 0.95), ("max", 1.0))
    return {name: round(percentile(values, share), 3) for name, share in shares}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--joins", type=int, default=20)
    parser.add_argument("--transport", choices=("hls", "webrtc"), default="hls")
    parser.add_argument("--part", type=float, default=0.5)
    parser.add_argument("--dormant", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        if options.dormant:
            result: dict[str, object] = {
                "dormant_s": _spread(asyncio.run(dormant_joins(data, options.dormant)))
            }
        else:
            result = asyncio.run(
                measure(options.seconds, options.joins, options.transport, options.part, data)
            )
    name = f"page_{options.part:g}" if options.transport == "hls" else "page_webrtc"
    if options.dormant:
        name = "page_dormant"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
