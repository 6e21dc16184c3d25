"""The server as a whole in this process: what starts also stops, in order, on a signal."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import aiohttp
import pytest

from media.error import ConfigError
from mediaserver import server
from mediaserver.config import Settings


def settings(folder: Path, **fields: object) -> Settings:
    values = {"host": "127.0.0.1", "rtmp_host": "127.0.0.1", "port": 0, "rtmp_port": 0, "data_dir": folder}
    return Settings.model_validate(values | fields)


async def http_address(capsys: pytest.CaptureFixture[str]) -> str:
    shown = ""
    for _ in range(2000):
        shown += capsys.readouterr().out
        for word in shown.split():
            if word.startswith("http://"):
                return word
        await asyncio.sleep(0.005)
    raise AssertionError(f"never ready: {shown}")


async def test_serves_until_a_signal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = asyncio.all_tasks()
    serving = asyncio.create_task(server.serve(settings(tmp_path)))
    try:
        address = await http_address(capsys)
        async with aiohttp.ClientSession() as session, session.get(f"{address}readyz") as answer:
            assert answer.status == 200
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(serving, 10)
    finally:
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().remove_signal_handler(name)
    assert asyncio.all_tasks() <= before


@pytest.mark.parametrize("is_terminal", [True, False])
async def test_hang_up_stops_a_server_of_a_terminal_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, is_terminal: bool
) -> None:
    """Whoever rotates logs or renews certificates sends SIGHUP to any server; its default is to die at once."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    serving = asyncio.create_task(server.serve(settings(tmp_path)))
    try:
        address = await http_address(capsys)
        os.kill(os.getpid(), signal.SIGHUP)
        if not is_terminal:
            async with aiohttp.ClientSession() as session, session.get(f"{address}readyz") as answer:
                assert answer.status == 200
            os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(serving, 10)
    finally:
        for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            asyncio.get_running_loop().remove_signal_handler(name)


async def test_port_in_use_stops_the_start_and_leaves_nothing(tmp_path: Path) -> None:
    before = asyncio.all_tasks()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for field in ("port", "rtmp_port"):
            with pytest.raises(ConfigError, match=str(port)):
                await server.serve(settings(tmp_path, **{field: port}))
    assert asyncio.all_tasks() <= before


async def test_second_server_on_the_same_folder_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    serving = asyncio.create_task(server.serve(settings(tmp_path)))
    await http_address(capsys)
    with pytest.raises(ConfigError):
        await server.serve(settings(tmp_path))
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
