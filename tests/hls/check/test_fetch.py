"""Requests of the checker, over real HTTP: redirects, compression, bounds."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from hls.check import fetch
from hls.check.exchange import ORIGIN, FetchError
from hls.check.fetch import MAX_REDIRECTS, HttpFetcher

from .site import Page, site


async def test_an_answer_is_decoded_and_keeps_its_headers() -> None:
    async with site({"index.m3u8": Page("#EXTM3U\n" * 100)}) as url, HttpFetcher() as fetcher:
        exchange = await fetcher.fetch(f"{url}index.m3u8")
    assert (exchange.status, exchange.body) == (200, b"#EXTM3U\n" * 100)
    assert exchange.is_gzipped
    assert exchange.content_type == "application/vnd.apple.mpegurl"
    assert exchange.max_age_s == 1
    assert exchange.started_s <= exchange.first_byte_s <= exchange.finished_s
    assert not exchange.crosses_origin


async def test_redirects_are_followed_and_told() -> None:
    async with site({"b.m3u8": Page("b")}) as other:
        pages = {
            "a.m3u8": Page("", 302, {"Location": "c.m3u8"}),
            "c.m3u8": Page("", 307, {"Location": f"{other}b.m3u8"}),
        }
        async with site(pages) as url, HttpFetcher() as fetcher:
            exchange = await fetcher.fetch(f"{url}a.m3u8")
    assert exchange.body == b"b"
    assert exchange.redirects == (f"{url}a.m3u8", f"{url}c.m3u8")
    assert exchange.final_url == f"{other}b.m3u8"
    assert exchange.crosses_origin


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("a.m3u8", f"more than {MAX_REDIRECTS} redirects"),
        ("file:///etc/passwd", "'file:///etc/passwd' is no address of http or https"),
    ],
)
async def test_redirects_that_lead_nowhere(location: str, words: str) -> None:
    async with site({"a.m3u8": Page("", 302, {"Location": location})}) as url, HttpFetcher() as fetcher:
        with pytest.raises(FetchError, match=words):
            await fetcher.fetch(f"{url}a.m3u8")


async def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "MAX_BODY_BYTES", 1000)
    # Compressed it is small: what counts is what it becomes.
    async with site({"bomb.m3u8": Page(bytes(100_000))}) as url, HttpFetcher() as fetcher:
        with pytest.raises(FetchError, match="more than 1000 bytes"):
            await fetcher.fetch(f"{url}bomb.m3u8")


async def test_an_answer_that_does_not_come_is_given_up() -> None:
    asked = asyncio.Event()

    async def never(_: web.Request) -> web.StreamResponse:
        asked.set()
        await asyncio.Event().wait()
        return web.Response()

    app = web.Application()
    app.router.add_get("/", never)
    server = TestServer(app)
    await server.start_server()
    try:
        async with HttpFetcher() as fetcher:
            with pytest.raises(FetchError, match=r"no answer within 0\.2 s"):
                await fetcher.fetch(str(server.make_url("/")), timeout_s=0.2)
        assert asked.is_set()
    finally:
        await server.close()


async def test_headers_are_sent_to_their_own_site_alone() -> None:
    seen: list[dict[str, str]] = []

    async def note(request: web.Request) -> web.StreamResponse:
        seen.append(dict(request.headers))
        return web.Response()

    app = web.Application()
    app.router.add_get("/", note)
    server = TestServer(app)
    await server.start_server()
    url = str(server.make_url("/"))
    try:
        async with HttpFetcher({"Authorization": "Bearer x"}, f"{url}index.m3u8") as fetcher:
            await fetcher.fetch(url, headers={"Range": "bytes=0-1"})
        async with HttpFetcher({"Authorization": "Bearer x"}, "https://example.com/index.m3u8") as fetcher:
            await fetcher.fetch(url)
    finally:
        await server.close()
    assert seen[0]["Authorization"] == "Bearer x"
    assert seen[0]["Range"] == "bytes=0-1"
    assert seen[0]["Origin"] == ORIGIN
    assert "Authorization" not in seen[1]
