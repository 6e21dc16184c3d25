import gzip
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from mediaserver.pages import routes

Client = TestClient[web.Request, web.Application]
ClientFactory = Callable[[web.Application], Awaitable[Client]]
SCRIPT = "console.log('hello');\n" * 100


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>Live</title>")
    (tmp_path / "docs.html").write_text("<!doctype html><title>API</title>")
    (tmp_path / "assets" / "index-abc123.js").write_text(SCRIPT)
    return tmp_path


@pytest.fixture
async def client(aiohttp_client: ClientFactory, pages: Path) -> Client:
    application = web.Application()
    application.add_routes(routes(pages))
    return await aiohttp_client(application)


@pytest.mark.parametrize("path", ["/", "/watch/0199f6f0-7a41-7c11-9d4e-5b7a3f6e2a10", "/docs"])
async def test_pages_are_checked_each_time_and_closed_to_others(client: Client, path: str) -> None:
    answer = await client.get(path)
    assert answer.status == 200
    assert answer.content_type == "text/html"
    assert answer.headers["Cache-Control"] == "no-cache"
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "media-src 'self' blob:" in policy
    assert "unsafe" not in policy
    again = await client.get(path, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status, await again.read()) == (304, b"")


async def test_assets_never_change(client: Client) -> None:
    answer = await client.get("/assets/index-abc123.js")
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.content_type == "text/javascript"
    assert await answer.text() == SCRIPT


async def test_gzip_when_the_browser_takes_it(aiohttp_client: Any, pages: Path) -> None:
    application = web.Application()
    application.add_routes(routes(pages))
    client: Client = await aiohttp_client(application, auto_decompress=False)
    path = "/assets/index-abc123.js"
    packed = await client.get(path, headers={"Accept-Encoding": "gzip, br"})
    assert gzip.decompress(await packed.read()).decode() == SCRIPT
    plain = await client.get(path, headers={"Accept-Encoding": "identity"})
    assert (await plain.read()).decode() == SCRIPT
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize("path", ["/assets/other.js", "/assets/..%2Findex.html", "/assets/%00", "/nothing"])
async def test_what_is_not_there_is_404(client: Client, path: str) -> None:
    assert (await client.get(path)).status == 404


@pytest.mark.parametrize("etag", ["*", 'W/"x", {}', "{}"])
async def test_if_none_match_forms(client: Client, etag: str) -> None:
    known = (await client.get("/")).headers["ETag"]
    assert (await client.get("/", headers={"If-None-Match": etag.format(known)})).status == 304


@pytest.mark.parametrize("path", ["/", "/watch/x"])
async def test_pages_that_were_not_built_are_explained(
    aiohttp_client: ClientFactory, tmp_path: Path, path: str
) -> None:
    application = web.Application()
    application.add_routes(routes(tmp_path / "nothing"))
    answer = await (await aiohttp_client(application)).get(path)
    assert answer.status == 503
    assert "make web" in await answer.text()
