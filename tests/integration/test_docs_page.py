"""`/docs` in a real Chromium: what `/openapi.json` describes, tried from the page, without help from outside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .browser import CHROMIUM, open_browser
from .server import Server

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM.exists() and "CI" not in os.environ,
        reason="no Chromium; scripts/system-packages installs it",
    ),
]


async def test_the_api_is_described_and_can_be_tried(server: Server, tmp_path: Path) -> None:
    description = (await server.request("/openapi.json")).json()
    operations = sum(len(operations) for operations in description["paths"].values())
    async with open_browser(tmp_path) as browser:
        page = await browser.blank()
        faults: list[str] = []
        hosts: set[str] = set()
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: hosts.add("/".join(request.url.split("/")[:3])))
        await page.goto(f"{server.http_url}/docs")
        await page.wait_for_selector(".opblock")
        assert await page.locator(".opblock").count() == operations
        block = page.locator(".opblock", has=page.locator('[data-path="/healthz"]'))
        await block.locator(".opblock-summary-control").click()
        await block.locator("button.execute").click()
        answer = block.locator(".live-responses-table .response")
        await answer.wait_for()
        assert '"status": "ok"' in (await answer.inner_text()).replace("\u00a0", " ")
    assert faults == []
    assert hosts == {server.http_url}
