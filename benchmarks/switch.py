"""How long players stand still when they switch to a rung that nobody watched: hls.js, plain hls.js, Shaka.

python benchmarks/switch.py [--height 720]

The demo broadcaster sends 1080p or 720p in real time to the real server with its ladder on demand. Each player, in a
Chromium of its own, begins with the source and goes through all dormant rungs; between two of them it plays on for some
seconds. Writes `benchmarks/results/switch.json`: seconds from the choice to the picture, stalls, errors.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.clip import FFMPEG, RESULTS, prepared, push
from tests.integration.bare_player import PLAYERS, BarePlayer
from tests.integration.browser import open_browser
from tests.integration.server import Server, running, running_server

BITRATES = {720: "3M", 1080: "6M"}
BETWEEN_S = 4.0
"""Played between two switches."""


async def measure(server: Server, stream_id: str, name: str, folder: Path) -> dict[str, Any]:
    """Switch one player through the ladder."""
    async with open_browser(folder) as browser:
        player = await BarePlayer.open(browser, server, stream_id, name)
        await player.wait_until_playing()
        await player.wait_for(BETWEEN_S)
        heights = await player.heights()
        await player.choose(max(heights))
        before = len(await player.stalls())
        took: dict[str, float] = {}
        for height in sorted(heights, reverse=True)[1:]:
            began = time.monotonic()
            await player.choose(height)
            took[f"{height}p"] = round(time.monotonic() - began, 2)
            await player.wait_for(BETWEEN_S)
        return {
            "choice_to_picture_s": took,
            "stalls_s": [round(stall, 2) for stall in (await player.stalls())[before:]],
            "errors": await player.errors(),
            "rungs_asked_for": sorted(player.rungs_asked_for()),
        }


async def switch(height: int, folder: Path) -> dict[str, Any]:
    """Measure all players, one after the other, each on a broadcast of its own."""
    source = await asyncio.to_thread(prepared, folder, height=height, seconds=20, bitrate=BITRATES[height])
    found: dict[str, Any] = {}
    for number, name in enumerate(PLAYERS):
        place = folder / str(number)
        (place / "server").mkdir(parents=True)
        async with running_server(place / "server", LADDER="on_demand") as server:
            stream = await server.create_stream(quality="2160p")
            async with running(FFMPEG, *push(source, server.publish_url(stream))):
                await server.wait_for(f"/hls/{stream['id']}/{height}p/index.m3u8", contains="#EXTINF")
                found[name] = await measure(server, stream["id"], name, place)
        print(name, found[name], flush=True)
    return {"height": height, "players": found}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--height", type=int, default=720, choices=sorted(BITRATES))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = asyncio.run(switch(options.height, Path(folder)))
    (RESULTS / "switch.json").write_text(json.dumps(report, indent=2) + "\n")
    return int(any(player["errors"] for player in report["players"].values()))


if __name__ == "__main__":
    sys.exit(main())
