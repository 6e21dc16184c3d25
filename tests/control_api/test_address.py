"""Addresses that answers tell, and host names that are answered."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from control_api.address import Addresses
from control_api.host import host_middleware

from .conftest import StartClient

FIXED = Addresses(
    lambda: 1, "rtmp://in.example/live/", "https://cdn.example/hls/", "wss://rtc.example/webrtc"
)


@pytest.mark.parametrize(
    ("addresses", "host", "expected"),
    [
        (
            Addresses(lambda: 1935),
            "Example.org:8098",
            "rtmp://Example.org:1935/live/K http://Example.org:8098/hls/I/master.m3u8 http://Example.org:8098/webrtc/I",
        ),
        (
            Addresses(lambda: 1936),
            "[::1]:8098",
            "rtmp://[::1]:1936/live/K http://[::1]:8098/hls/I/master.m3u8 http://[::1]:8098/webrtc/I",
        ),
        (
            FIXED,
            "example.org",
            "rtmp://in.example/live/K https://cdn.example/hls/I/master.m3u8 https://rtc.example/webrtc/I",
        ),
    ],
)
def test_addresses(addresses: Addresses, host: str, expected: str) -> None:
    request = make_mocked_request("GET", "/", headers={"Host": host})
    found = (addresses.rtmp(request, "K"), addresses.hls(request, "I"), addresses.webrtc(request, "I"))
    assert " ".join(found) == expected


def test_a_private_stream_has_a_token_in_its_path() -> None:
    request = make_mocked_request("GET", "/", headers={"Host": "a"})
    assert FIXED.hls(request, "I", "T") == "https://cdn.example/hls/I/~T/master.m3u8"


def test_a_preview_is_below_its_token() -> None:
    request = make_mocked_request("GET", "/", headers={"Host": "a"})
    assert FIXED.preview(request, "I", "T") == "https://cdn.example/hls/I/~T/preview/master.m3u8"


@pytest.mark.parametrize(
    ("allowed", "host", "path", "status"),
    [
        ((), "anything.example", "/", 200),
        (("*",), "anything.example", "/", 200),
        (("example.org",), "EXAMPLE.org:8098", "/", 200),
        (("example.org",), "example.org.", "/", 200),
        (("*.example.org",), "a.b.example.org", "/", 200),
        (("*.example.org",), "example.org", "/", 421),
        (("example.org",), "evil-example.org", "/", 421),
        (("example.org",), "127.0.0.1", "/", 421),
        (("example.org",), "127.0.0.1", "/healthz", 200),
        (("::1",), "[::1]:80", "/", 200),
        ((), "a b", "/", 400),
        ((), "user@host", "/", 400),
        ((), "host/path", "/", 400),
        ((), "", "/", 400),
    ],
)
async def test_hosts(
    aiohttp_client: StartClient, allowed: Sequence[str], host: str, path: str, status: int
) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response()

    app = web.Application(middlewares=[host_middleware(allowed)])
    app.add_routes([web.get("/", handler), web.get("/healthz", handler)])
    client = await aiohttp_client(app)
    response = await client.get(path, headers={"Host": host})
    assert response.status == status
    assert status == 200 or response.content_type == "application/problem+json"
