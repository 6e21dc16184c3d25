"""The real nginx with the configuration that `deploy/` offers, on a free port of the loopback."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

from tests.certificate import make_certificate
from tests.program import need

CONFIGURATION = Path(__file__).parents[2] / "deploy/nginx/mediaserver.conf"

_FRAME = """
daemon off; master_process off; error_log {folder}/error.log notice; pid {folder}/nginx.pid;
events {{ worker_connections 2000; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    include {folder}/mediaserver.conf;
}}
"""


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def running_nginx(folder: Path, http_url: str) -> AsyncIterator[str]:
    """Run nginx before a server; yields its address."""
    folder.mkdir()
    port = free_port()
    files = make_certificate(folder)
    text = CONFIGURATION.read_text()
    for ours, theirs in {
        "127.0.0.1:8098": http_url.removeprefix("http://"),
        "listen 443 ssl http2;": f"listen 127.0.0.1:{port} ssl http2;",
        "listen [::]:443 ssl http2;": "",
        "/etc/ssl/certs/stream.example.org.pem": str(files.certificate),
        "/etc/ssl/private/stream.example.org.key": str(files.key),
        "/var/cache/nginx": str(folder),
        "stream.example.org": "localhost",
    }.items():
        assert ours in text, ours
        text = text.replace(ours, theirs)
    (folder / "mediaserver.conf").write_text(text)
    (folder / "nginx.conf").write_text(_FRAME.format(folder=folder))
    process = await asyncio.create_subprocess_exec(
        need("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf"), stderr=asyncio.subprocess.PIPE
    )
    try:
        await _wait_for(port, process)
        yield f"https://localhost:{port}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def _wait_for(port: int, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(10):
        while True:
            if process.returncode is not None:
                assert process.stderr is not None
                raise AssertionError((await process.stderr.read()).decode())
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return
