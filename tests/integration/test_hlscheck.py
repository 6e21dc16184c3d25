"""The conformance checker on our own server: no errors, no warnings, live and after the end."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from .server import NEW_FFMPEG, Server, encoder_args, running
from .test_proxy import open_front
from .test_rewind import SHORT, long_enough, playlist

FOLLOW_S = 5
MAX_SLOW = 2


async def check(url: str, *options: str, allowed: Collection[str] = ()) -> dict[str, Any]:
    """Run the command and return its report, which has no warning but of the rules that are allowed to be broken."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "mediaserver",
        "hlscheck",
        "--json",
        "--strict",
        "--duration",
        str(FOLLOW_S),
        *options,
        url,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    report: dict[str, Any] = json.loads(out)
    faults = [finding for finding in report["findings"] if finding["severity"] != "note"]
    # A machine that runs a whole suite may keep one answer waiting; a server that sends as it makes does it each time.
    slow = [finding for finding in faults if finding["rule"] == "hint-speed"]
    wanted = [finding for finding in faults if finding["rule"] in allowed]
    faults = [f for f in faults if f not in wanted and (f not in slow or len(slow) > MAX_SLOW)]
    assert faults == [], json.dumps(faults, indent=1)
    assert process.returncode == (1 if slow or wanted else 0)
    return report


async def wake(server: Server, rung: str) -> None:
    """Ask for a quality that nobody watches: the first parts behind that come as late as its encoder starts."""
    newest = (await playlist(server, f"{rung}/index.m3u8")).complete[-1]
    assert (await server.request(f"{rung}/{newest.uri}")).status == 200


async def test_our_playlists_break_no_rule_live_and_after_the_end(server: Server) -> None:
    stream = await server.create_stream()
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream), extra="-bf 2")):
        path = f"/hls/{stream['id']}/master.m3u8"
        await server.wait_for(path)
        await server.wait_for(f"/hls/{stream['id']}/360p/index.m3u8", contains=".m4s\n#EXT-X-PROGRAM")
        report = await check(server.http_url + path)
        # 360p, 240p, 144p and the sound: it looked at all of them, into their bytes, and at what is low latency.
        assert report["seen"]["initialization sections"] >= 4
        assert report["seen"]["segments inspected"] >= 4
        assert report["seen"]["parts"] >= 4 * FOLLOW_S
        assert report["seen"]["hints"] >= 4 * FOLLOW_S
        needed = {
            "block-wanted",
            "block-part-alone",
            "block-old",
            "hint-bytes",
            "fmp4-part-bytes",
            "report-ahead",
        }
        assert needed <= report["rules_applied"].keys()
        await server.api("POST", f"/streams/{stream['id']}/end")
        await server.wait_for(f"/hls/{stream['id']}/360p/index.m3u8", contains="#EXT-X-ENDLIST")
        report = await check(server.http_url + path)
        assert report["seen"]["segments inspected"] >= 4
        assert "block-after-end" in report["rules_applied"]


async def test_rewound_reconnected_and_ended_through_a_proxy_with_http_2(tmp_path: Path) -> None:
    """Also what is on disk, what is rendered when it is asked for, and two runs of the source of other sizes."""
    async with open_front(tmp_path, **SHORT) as front:
        server = front.server
        stream = await server.create_stream()
        path = f"/hls/{stream['id']}"
        async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream), gop_s=0.8)):
            await long_enough(server, f"{path}/360p/index.m3u8")
        second = encoder_args(server.publish_url(stream), size="320x180", gop_s=0.8)
        async with running(NEW_FFMPEG, *second):
            await server.wait_for(f"{path}/360p/index.m3u8", contains="#EXT-X-DISCONTINUITY\n")
            for rung in ("240p", "144p"):
                await wake(server, f"{path}/{rung}")
            await asyncio.sleep(2)
            for query in ("", "?start=0"):
                report = await check(f"{front.url}{path}/master.m3u8{query}", "--insecure", "--all")
                assert report["seen"]["segments inspected"] >= 40
                assert "http-2" in report["rules_applied"]
        await server.api("POST", f"/streams/{stream['id']}/end")
        await server.wait_for(f"{path}/360p/index.m3u8", contains="#EXT-X-ENDLIST")
        report = await check(f"{front.url}{path}/master.m3u8", "--insecure", "--all")
        assert report["seen"]["segments inspected"] >= 40
