"""docs/webhooks.md: its receivers run as they stand there, and verify what this server sends."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from control_api.webhook.sender import WebhookSender
from control_api.webhook.signature import new_secret

from .conftest import BODY, SECRET

DOCUMENT = Path(__file__).parents[3] / "docs" / "webhooks.md"
PROGRAMS = [("python", "receiver.py", sys.executable), ("javascript", "receiver.mjs", shutil.which("node"))]


@asynccontextmanager
async def running(program: str, file: Path) -> AsyncIterator[tuple[int, asyncio.StreamReader]]:
    process = await asyncio.create_subprocess_exec(
        program,
        str(file),
        env={**os.environ, "WEBHOOK_SECRET": SECRET, "PORT": "0"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        first = (await process.stdout.readline()).decode()
        assert first.startswith("listening on port "), first
        yield int(first.split()[-1]), process.stdout
    finally:
        process.kill()
        await process.communicate()


@pytest.mark.parametrize(("language", "name", "program"), PROGRAMS, ids=["python", "node"])
async def test_the_receivers(
    tmp_path: Path, sender: WebhookSender, language: str, name: str, program: str | None
) -> None:
    if program is None:
        pytest.skip("there is no Node here")
    [code] = re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    file = tmp_path / name
    await asyncio.to_thread(file.write_text, code)
    now = datetime.now(UTC)
    async with running(program, file) as (port, output):
        url = f"http://127.0.0.1:{port}/"
        sends = [
            (SECRET, now, 204),
            (SECRET, now - timedelta(minutes=4), 204),
            (new_secret(), now, 401),
            (SECRET, now - timedelta(minutes=6), 401),
            (SECRET, now + timedelta(minutes=6), 401),
        ]
        for secret, sent_at, status in sends:
            outcome = await sender.send(url, secret, "evt_1", "stream.live", BODY, now=sent_at)
            assert outcome.status == status, outcome
        line = (await output.readline()).decode()
    assert line.startswith("stream.live {")
    assert "é show" in line
