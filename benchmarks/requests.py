"""Requests per second against nginx with the same bodies, in one run, each on one core with the load on the other.

Ours is the whole server with a real broadcast: tokens in the path, CORS, counters and the check of host names included.
nginx has the same bytes as files in memory. Both are asked in turn, several times; what counts is the ratio of medians.

    python -m benchmarks.requests [--seconds 4] [--rounds 3]        (needs wrk and nginx: apt-get install wrk nginx)
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.clip import RESULTS
from tests.integration.playlist import parse_media
from tests.integration.proxy import free_port
from tests.integration.server import NEW_FFMPEG, encoder_args, running, running_server

SERVER_CORE, LOAD_CORE = "0", "1"
CONNECTIONS = 50

NGINX = """
daemon off; master_process off; error_log stderr crit; pid {folder}/nginx.pid;
events {{ worker_connections 1000; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; open_file_cache max=100;
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e; default_type video/mp4;
    server {{
        listen 127.0.0.1:{port}; root {folder}/www;
        add_header Access-Control-Allow-Origin *; add_header Cache-Control max-age=1;
    }}
}}
"""


async def wrk(url: str, seconds: float) -> float:
    """Return requests per second."""
    command = ["taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s"]
    command += ["-H", "Accept-Encoding: identity", url]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    text = out.decode()
    assert "Non-2xx" not in text, text
    found = re.search(r"Requests/sec:\s+([\d.]+)", text)
    assert found is not None, text
    return float(found[1])


async def measure(seconds: float, rounds: int, folder: Path) -> dict[str, Any]:
    (folder / "data").mkdir()
    (folder / "www").mkdir()
    port = free_port()
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
    pinned = ("taskset", "-c", SERVER_CORE)
    async with (
        running_server(folder / "data", LADDER="1080p", DVR_WINDOW_S="0") as server,
        running(*pinned, "nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")),
    ):
        process = await asyncio.create_subprocess_exec(
            "taskset", "-acp", SERVER_CORE, str(server.process.pid), stdout=asyncio.subprocess.DEVNULL
        )
        await process.wait()
        stream = await server.create_stream(is_private=True, quality="1080p")
        path = stream["hls_url"].partition("/hls/")[2].removesuffix("/master.m3u8")
        rung = f"/hls/{path}/720p"
        arguments = encoder_args(server.publish_url(stream), size="1280x720", extra="-b:v 2400k -minrate 2400k "
                                 "-maxrate 2400k -bufsize 600k -x264-params nal-hrd=cbr")  # fmt: skip
        async with running(NEW_FFMPEG, *arguments):
            await server.wait_for(f"{rung}/index.m3u8", contains="#EXTINF")
            await asyncio.sleep(8)
        # The encoder has gone: nothing changes any more, and nothing takes the core.
        listed = parse_media((await server.request(f"{rung}/index.m3u8")).text)
        part = max(
            [part for segment in listed.segments for part in segment.parts[1:]],
            key=lambda part: part.duration,
        ).uri
        found: dict[str, dict[str, list[float]]] = {}
        for kind, name in (("playlist", "index.m3u8"), ("part", part)):
            body = (await server.request(f"{rung}/{name}")).body
            (folder / "www" / f"{kind}.bin").write_bytes(body)
            figures = found[kind] = {"bytes": [float(len(body))], "nginx": [], "ours": []}
            for _ in range(rounds):
                figures["nginx"].append(await wrk(f"http://127.0.0.1:{port}/{kind}.bin", seconds))
                figures["ours"].append(await wrk(f"{server.http_url}{rung}/{name}", seconds))
    return {kind: _sum_up(figures) for kind, figures in found.items()}


def _sum_up(figures: dict[str, list[float]]) -> dict[str, float]:
    nginx, ours = statistics.median(figures["nginx"]), statistics.median(figures["ours"])
    return {
        "bytes": figures["bytes"][0],
        "nginx_per_s": round(nginx),
        "ours_per_s": round(ours),
        "ratio": round(ours / nginx, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    missing = [program for program in ("wrk", "nginx", "taskset") if shutil.which(program) is None]
    if missing:
        sys.exit(f"needs {', '.join(missing)}")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        result = asyncio.run(measure(options.seconds, options.rounds, Path(folder)))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "requests.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
