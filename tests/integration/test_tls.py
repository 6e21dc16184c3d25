"""HTTPS and RTMPS of the whole server, with the newest FFmpeg, while the certificate changes."""

from __future__ import annotations

import asyncio
import re
import signal
import ssl
from pathlib import Path

import pytest

from tests.certificate import CertificateFiles, make_certificate

from .server import NEW_FFMPEG, READY_S, Server, encoder_args, running, running_server

POLL_S = 0.1
POLLS = 150


async def rtmps_address(server: Server) -> str:
    """Read the address from what the server prints behind that of RTMP."""
    assert server.process.stdout is not None
    async with asyncio.timeout(READY_S):
        line = (await server.process.stdout.readline()).decode()
    found = re.search(r"rtmps://\S+/live", line)
    assert found, line
    return found[0]


async def shown_certificate(port: int) -> str:
    def ask() -> str:
        return ssl.get_server_certificate(("127.0.0.1", port), timeout=10)

    return await asyncio.to_thread(ask)


async def until_logged(log: Path, words: str) -> None:
    for _ in range(POLLS):
        if words in log.read_text():
            return
        await asyncio.sleep(POLL_S)
    raise AssertionError(f"never logged: {words}")


async def test_publishing_over_tls_goes_on_while_the_certificate_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(files.certificate))  # whom the test's own requests trust
    tls = {"TLS_CERT_FILE": str(files.certificate), "TLS_KEY_FILE": str(files.key), "RTMPS_PORT": "0"}
    async with running_server(tmp_path, **tls) as server:
        assert server.http_url.startswith("https://")
        secure = await rtmps_address(server)
        stream = await server.create_stream()
        assert stream["rtmp_url"].startswith("rtmp://")
        assert stream["hls_url"].startswith("https://")
        playlist = f"/hls/{stream['id']}/360p/index.m3u8"
        publisher = encoder_args(f"{secure}/{stream['stream_key']}", extra="-tls_verify 0")
        async with running(NEW_FFMPEG, *publisher) as encoder:
            await server.wait_for(playlist, contains="#EXTINF", seconds=30)
            ports = [int(secure.split(":")[2].split("/")[0]), int(server.http_url.rsplit(":", 1)[1])]
            await renew(server, files, tmp_path, ports)
            end = sequence((await server.wait_for(playlist)).text)
            await until_sequence(server, playlist, end + 2)
            assert encoder.returncode is None
            assert await plain_answer(ports[1]) == b""
        assert await server.stop() == 0
    log = (tmp_path / "server.log").read_text()
    assert log.count("rtmp publishing") == 1
    assert "Traceback" not in log


async def plain_answer(port: int) -> bytes:
    """Speak plain HTTP to a port."""
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.close()


async def renew(server: Server, files: CertificateFiles, folder: Path, ports: list[int]) -> None:
    """Change the certificate, well and then badly, and look at what new connections are shown."""
    files.renew("second")
    server.process.send_signal(signal.SIGHUP)
    await until_logged(folder / "server.log", "new certificate")
    second = files.certificate.read_text()
    for port in ports:
        assert (await shown_certificate(port)).split() == second.split()
    key = files.key.read_text()
    files.key.write_text("no key")
    server.process.send_signal(signal.SIGHUP)
    await until_logged(folder / "server.log", "new certificate cannot be used")
    for port in ports:
        assert (await shown_certificate(port)).split() == second.split()
    files.key.write_text(key)


def sequence(playlist: str) -> int:
    """Give the media sequence number behind the last whole segment."""
    first = re.search(r"#EXT-X-MEDIA-SEQUENCE:(\d+)", playlist)
    assert first
    return int(first[1]) + playlist.count("#EXTINF")


async def until_sequence(server: Server, path: str, number: int) -> None:
    for _ in range(POLLS):
        if sequence((await server.wait_for(path)).text) >= number:
            return
        await asyncio.sleep(POLL_S)
    raise AssertionError("the broadcast does not go on")
