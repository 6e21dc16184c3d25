"""`chaos`: many publishers at once, and a publisher over TLS while the certificate changes."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
from contextlib import AsyncExitStack

import psutil

from benchmarks.chaos_scene import Scene
from benchmarks.chaos_source import push
from benchmarks.clip import FFMPEG
from tests.certificate import make_certificate
from tests.integration.server import running, running_server

MANY = 50


async def many(scene: Scene) -> None:
    """Fifty publishers of 0.7 Mbit/s, each a stream of its own with an encoded rung: all are served."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(scene.publishing())
        await stack.enter_async_context(scene.watching())
        streams = [await scene.server.create_stream() for _ in range(MANY - 1)]
        for stream in streams:
            await stack.enter_async_context(scene.publishing(url=scene.server.publish_url(stream)))
        await asyncio.sleep(20)
        process = psutil.Process(scene.server.process.pid)
        process.cpu_percent()
        await asyncio.sleep(10)
        scene.result["server_cores"] = round(process.cpu_percent() / 100, 2)
        scene.result["memory_mib"] = round(process.memory_info().rss / 2**20)
        scene.result["workers"] = len(scene.server.workers())
        for stream in streams:
            await scene.server.wait_for(f"/hls/{stream['id']}/master.m3u8")
        scene.result["warnings"] = (await scene.health())["warnings"]


async def certificates(scene: Scene) -> None:
    """The certificate is replaced ten times under a publisher over RTMPS: it stays, newcomers are shown the new one."""
    scene.folder = scene.folder / "tls"
    scene.folder.mkdir()
    files = make_certificate(scene.folder)
    os.environ["SSL_CERT_FILE"] = str(files.certificate)  # whom the requests here trust
    settings = {
        "TLS_CERT_FILE": str(files.certificate),
        "TLS_KEY_FILE": str(files.key),
        "RTMPS_PORT": "0",
    }
    async with running_server(scene.folder, LADDER="360p,144p", **settings) as server:
        assert server.process.stdout is not None
        line = (await asyncio.wait_for(server.process.stdout.readline(), 15)).decode()
        secure = line[line.index("rtmps://") :].split()[0]
        stream = await server.create_stream()
        source = await scene.source("360p")
        arguments = push(source, f"{secure}/{stream['stream_key']}", output="-tls_verify 0")
        async with running(FFMPEG, *arguments) as encoder:
            await server.wait_for(f"/hls/{stream['id']}/144p/index.m3u8", contains="#EXTINF")
            port = int(secure.split(":")[2].split("/")[0])
            for number in range(10):
                files.renew(str(number))
                server.process.send_signal(signal.SIGHUP)
                await asyncio.sleep(0.7)
                shown = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port), timeout=10)
                if shown.split() != files.certificate.read_text().split():
                    scene.faults.append(f"certificate {number} is not shown")
            if encoder.returncode is not None:
                scene.faults.append("the publisher was dropped")


SCENARIOS = (many, certificates)
