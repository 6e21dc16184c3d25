"""CPU of the whole server for broadcasts that are only copied: 1080p30, 6 Mbit/s, nobody or top-rung viewers there.

python benchmarks/idle.py [--seconds 30] [--broadcasts 1 20] [--ladder on_demand]

The real server is a process of its own, its publishers are another one: bytes made before, written frame by frame at
their time, a keyframe every two seconds. Each case runs without viewers and with one low-latency player for each
broadcast, which follows picture and sound of the top rung by blocking reloads. All processes of the server count,
publishers and players do not. Writes `benchmarks/results/idle.json`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.clip import RESULTS
from benchmarks.rtmp_publishers import connect, cpu_s, publish
from tests.integration.playlist import FetchedPart, collect, parse_master, parse_media
from tests.integration.server import Server, running_server
from tests.rtmp.client import AAC_HEADER, Client, audio_frame, avc_config, video_frame, video_header

TARGET_CORES = {1: 0.04, 20: 1.0}
"""What the server may take, by the number of broadcasts."""
WIDTH, HEIGHT, BITRATE_BPS = 1920, 1080, 6_000_000
PICTURES_PER_S, SOUNDS_PER_S, GOP_S = 30, 47, 2
AUDIO_BYTES = 340
KEYFRAME_WEIGHT = 6
"""Size of a keyframe in other pictures."""
CHUNK_SIZE = 4096
SETTLE_S = 5.0
"""From the last broadcast's first playlist to the first look at the clock of the CPU."""
SPARE_S = 30.0
"""For which publishers go on, so that they outlast a slow start of the server."""
START_S = 60.0


def media(seconds: float) -> list[tuple[float, bytes]]:
    """Write the frames of a publisher with their times."""
    client = Client(CHUNK_SIZE)
    client.set_chunk_size(CHUNK_SIZE)
    pictures = GOP_S * PICTURES_PER_S
    gop_bytes = GOP_S * (BITRATE_BPS // 8 - SOUNDS_PER_S * AUDIO_BYTES)
    size = gop_bytes // (pictures - 1 + KEYFRAME_WEIGHT)
    picture, sound = video_frame(b"\x41" + bytes(size)), audio_frame(bytes(AUDIO_BYTES))
    keyframe = video_frame(b"\x65" + bytes(KEYFRAME_WEIGHT * size))
    headers = client.video(video_header(avc_config(WIDTH, HEIGHT))) + client.audio(AAC_HEADER)
    frames = [(0.0, headers + client.video(keyframe))]
    due = [(index / PICTURES_PER_S, True, index) for index in range(1, int(seconds * PICTURES_PER_S))]
    due += [(index / SOUNDS_PER_S, False, index) for index in range(int(seconds * SOUNDS_PER_S))]
    for at, is_picture, index in sorted(due):
        if is_picture:
            data = client.video(picture if index % pictures else keyframe, round(at * 1000))
        else:
            data = client.audio(sound, round(at * 1000))
        frames.append((at, data))
    return frames


def publish_all(port: int, seconds: float, keys: list[str]) -> None:
    """Publish under each key; the first line of output says that all have begun."""
    frames = media(seconds)
    peers = [connect(port, key) for key in keys]
    print("publishing", flush=True)
    publish(peers, frames)


@asynccontextmanager
async def publishers(server: Server, keys: list[str], seconds: float) -> AsyncIterator[None]:
    """Run the publishers, in a process of their own, to the end of the block."""
    port = urlsplit(server.rtmp_url).port
    command = [sys.executable, __file__, "--publish", str(port), "--seconds", str(seconds), *keys]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        if not await asyncio.wait_for(process.stdout.readline(), START_S):
            raise SystemExit("the publishers did not get in")
        yield
        if process.returncode is not None:
            raise SystemExit("the publishers ended before the measurement did")
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def newest_part(server: Server, stream_id: str, uri: str) -> tuple[int, int]:
    """Media sequence number and index of the newest part; a broadcast that is not as it should be ends all."""
    playlist = parse_media((await server.request(f"/hls/{stream_id}/{uri}")).text)
    for segment in playlist.segments:
        if segment.gap or segment.discontinuity or any(part.gap for part in segment.parts):
            raise SystemExit(f"{stream_id} {uri}: segment {segment.msn} has a gap or a discontinuity")
    last = playlist.segments[-1]
    return last.msn, len(last.parts)


async def check_health(server: Server, stream_id: str) -> None:
    """End all when anything was dropped or repaired."""
    health = await server.api("GET", f"/streams/{stream_id}/health")
    if health["dropped_frames"] or health["repaired_timestamps"] or health["warnings"]:
        raise SystemExit(f"{stream_id}: {health}")


async def watch(base: str, uris: list[str], until: float) -> list[list[FetchedPart]]:
    """Play the first variant and its sound as one low-latency player does."""
    async with aiohttp.ClientSession() as session:
        return await asyncio.gather(*(collect(session, f"{base}/{uri}", until) for uri in uris))


async def measure(broadcasts: int, seconds: float, ladder: str, folder: Path) -> list[dict[str, Any]]:
    """Take the CPU of a server under so many broadcasts, without viewers and with them."""
    async with running_server(folder, LADDER=ladder) as server:
        streams = [await server.create_stream(title=f"number {number}") for number in range(broadcasts)]
        keys = [stream["stream_key"] for stream in streams]
        async with publishers(server, keys, 2 * (SETTLE_S + seconds) + SPARE_S + broadcasts):
            uris: list[str] = []
            for stream in streams:
                answer = await server.wait_for(f"/hls/{stream['id']}/master.m3u8", seconds=30)
                master = parse_master(answer.text)
                uris = [
                    next(uri for uri, values in master.items() if "BANDWIDTH" in values),
                    "audio/index.m3u8",
                ]
            await asyncio.sleep(SETTLE_S)
            ids = [stream["id"] for stream in streams]
            alone = await _measure(server, ids, uris, seconds, viewers=0)
            return [alone, await _measure(server, ids, uris, seconds, viewers=1)]


async def _measure(
    server: Server, ids: list[str], uris: list[str], seconds: float, *, viewers: int
) -> dict[str, Any]:
    before = [await newest_part(server, stream_id, uris[0]) for stream_id in ids]
    started, cpu = time.monotonic(), cpu_s(server.process.pid)
    bases = [f"{server.http_url}/hls/{stream_id}" for stream_id in ids for _ in range(viewers)]
    played, _ = await asyncio.gather(
        asyncio.gather(*(watch(base, uris, started + seconds) for base in bases)), asyncio.sleep(seconds)
    )
    took_s = time.monotonic() - started
    cores = (cpu_s(server.process.pid) - cpu) / took_s
    after = [await newest_part(server, stream_id, uris[0]) for stream_id in ids]
    if any(new[0] - old[0] < took_s / GOP_S - 2 for old, new in zip(before, after, strict=True)):
        raise SystemExit(f"a playlist does not advance: {before} {after}")
    for stream_id in ids:
        await check_health(server, stream_id)
    return {
        "broadcasts": len(ids),
        "viewers_each": viewers,
        "cores": round(cores, 3),
        "cores_each": round(cores / len(ids), 4),
        "target_cores": TARGET_CORES.get(len(ids)),
        "parts_played": sum(len(parts) for player in played for parts in player),
        "mbps_played": round(
            8e-6 * sum(part.size_bytes for player in played for parts in player for part in parts) / took_s, 1
        ),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--broadcasts", type=int, nargs="*", default=[1, 20])
    parser.add_argument("--ladder", default="on_demand")
    parser.add_argument("--publish", type=int, help=argparse.SUPPRESS)
    parser.add_argument("keys", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.publish is not None:
        publish_all(options.publish, options.seconds, options.keys)
        return 0
    rows: list[dict[str, Any]] = []
    for broadcasts in options.broadcasts:
        with tempfile.TemporaryDirectory() as folder:
            found = asyncio.run(measure(broadcasts, options.seconds, options.ladder, Path(folder)))
        rows += found
        print(*found, sep="\n", flush=True)
    report = {"ladder": options.ladder, "seconds": options.seconds, "measured": rows}
    (RESULTS / "idle.json").write_text(json.dumps(report, indent=2) + "\n")
    return int(any(row["cores"] > (row["target_cores"] or 1.0) for row in rows))


if __name__ == "__main__":
    sys.exit(main())
