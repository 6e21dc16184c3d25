"""nginx in front, as `deploy/` configures it: HTTP/2, a cache for everybody, tokens checked all the same."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from .playlist import parse_media
from .proxy import running_nginx
from .server import NEW_FFMPEG, Server, encoder_args, running, running_server

AUTH_KEPT_S = 5
"""How long nginx takes an answer of /hls-auth for true."""


@dataclass
class Front:
    server: Server
    url: str
    client: httpx.AsyncClient
    folder: Path

    async def get(self, path: str, **headers: str) -> httpx.Response:
        answer = await self.client.get(self.url + path, headers=headers)
        assert answer.http_version == "HTTP/2"
        return answer

    def asked_upstream(self, text: str) -> int:
        """Count the requests that nginx has passed on: what it served from its cache says HIT."""
        return (self.folder / "access.log").read_text().count(text)


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[Front]:
    async with open_front(tmp_path) as opened:
        yield opened


@asynccontextmanager
async def open_front(tmp_path: Path, **env: str) -> AsyncIterator[Front]:
    data = tmp_path / "data"
    data.mkdir()
    async with (
        running_server(data, ALLOWED_HOSTS="localhost,127.0.0.1", **env) as server,
        running_nginx(tmp_path / "nginx", server.http_url) as url,
        httpx.AsyncClient(http2=True, verify=False, timeout=30) as client,  # noqa: S501 - its own certificate
    ):
        yield Front(server, url, client, tmp_path / "nginx")


def path_of(stream: dict[str, Any]) -> str:
    """Return the path of a stream's master playlist, with the token that stands in it."""
    path: str = httpx.URL(stream["hls_url"]).path
    return path.removesuffix("/master.m3u8")


async def test_many_links_share_one_copy_and_none_works_when_it_is_ended(front: Front) -> None:
    server = front.server
    stream = await server.create_stream(is_private=True)
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream))):
        own = path_of(stream)
        assert "/~" in own
        await server.wait_for(f"{own}/360p/index.m3u8", contains="#EXTINF")
        await asyncio.sleep(1.1)  # links are told apart by when they end, in whole seconds
        again = path_of(await server.api("GET", f"/streams/{stream['id']}"))
        assert again != own
        playlist = parse_media((await front.get(f"{own}/360p/index.m3u8")).text)
        uri = playlist.complete[0].uri
        first = await front.get(f"{own}/360p/{uri}")
        second = await front.get(f"{again}/360p/{uri}")
        assert (first.status_code, first.headers["x-cache"]) == (200, "MISS")
        assert (second.status_code, second.headers["x-cache"]) == (200, "HIT")
        assert first.content == second.content
        assert "immutable" in second.headers["cache-control"]
        # Without a link, or with another's, nothing is handed out, though it lies in the cache.
        for bad in (f"/hls/{stream['id']}", f"/hls/{stream['id']}/~{'A' * 60}", own[:-3] + "AAA"):
            answer = await front.get(f"{bad}/360p/{uri}")
            assert answer.status_code == 404
            assert answer.json()["code"] == "not_found"
        assert (await front.get("/hls-auth")).status_code == 404, "not for the public"
        # The owner ends all links; what the proxy has just heard of them counts for some seconds more.
        renewed = path_of(await server.api("POST", f"/streams/{stream['id']}/playback-salt"))
        assert (await front.get(f"{renewed}/360p/{uri}")).headers["x-cache"] == "HIT"
        deadline = time.monotonic() + AUTH_KEPT_S + 2
        while (await front.get(f"{own}/360p/{uri}")).status_code == 200:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.5)
        assert (await front.get(f"{again}/360p/{uri}")).status_code == 404
    assert "~" not in (front.folder.parent / "data/server.log").read_text().replace("~…", "")


async def raw(front: Front, target: str) -> bytes:
    """Ask for a target as it is written, which no client library does; return the answer's first line and body."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    url = httpx.URL(front.url)
    reader, writer = await asyncio.open_connection(url.host, url.port, ssl=context)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer


async def test_no_way_of_writing_an_address_leads_around_the_token(front: Front) -> None:
    server = front.server
    private, public = await server.create_stream(is_private=True), await server.create_stream()
    async with (
        running(NEW_FFMPEG, *encoder_args(server.publish_url(private))),
        running(NEW_FFMPEG, *encoder_args(server.publish_url(public))),
    ):
        own, other, hidden = path_of(private), path_of(public), f"/hls/{private['id']}"
        await server.wait_for(f"{own}/360p/index.m3u8", contains="#EXTINF")
        await server.wait_for(f"{other}/360p/index.m3u8", contains="#EXTINF")
        uri = parse_media((await front.get(f"{own}/360p/index.m3u8")).text).complete[0].uri
        secret = (await front.get(f"{own}/360p/{uri}")).content
        assert len(secret) > 1000
        token = own.rpartition("/")[2]
        media = f"{private['id']}/360p/{uri}"
        tricks = [
            f"{other}/../{media}",
            f"{other}/%2e%2e/{media}",
            f"{other}/..%2f{media}",
            f"/hls//{media}",
            f"//hls/{media}",
            f"/HLS/{media}",
            f"/%68ls/{media}",
            f"{hidden}/%7E{token[1:-4]}AAAA/360p/{uri}",
            f"{hidden}/~x/../~/360p/{uri}",
            f"{hidden}/360p/{uri}?/hls/{public['id']}/",
            f"{hidden}/360p/{uri}%0d%0aX-Original-URI:%20{other}/",
            f"{hidden}%0d%0aX-Original-URI:%20{other}/x/360p/{uri}",
            f"/dash/{public['id']}/../../hls/{media}",
            f"https://localhost/hls/{media}",
        ]
        for _ in range(2):  # an answer that was let through once would be kept
            for trick in tricks:
                answer = await raw(front, trick)
                assert secret not in answer, trick
                assert answer.startswith((b"HTTP/1.1 404", b"HTTP/1.1 400", b"HTTP/1.1 403")), (
                    trick,
                    answer[:100],
                )
        # The ways of writing it that are as good as another still work for those who may.
        assert secret in await raw(front, f"/hls//{private['id']}/{token}/360p/{uri}")
        assert (await front.get(f"{hidden}/360p/{uri}")).status_code == 404


async def test_low_latency_goes_through(front: Front) -> None:
    server = front.server
    stream = await server.create_stream()
    path = f"/hls/{stream['id']}/360p"
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream))):
        await server.wait_for(f"{path}/index.m3u8", contains="PRELOAD-HINT")
        known = parse_media((await front.get(f"{path}/index.m3u8")).text)
        for _ in range(6):
            msn, part = known.segments[-1].msn, len(known.segments[-1].parts)
            blocking = f"{path}/index.m3u8?_HLS_msn={msn}&_HLS_part={part}"
            assert known.hint is not None
            hinted = asyncio.create_task(front.get(f"{path}/{known.hint}"))
            both = await asyncio.gather(front.get(blocking), front.get(blocking))
            assert [answer.status_code for answer in both] == [200, 200]
            newer = parse_media(both[0].text)
            assert (newer.segments[-1].msn, len(newer.segments[-1].parts)) > (msn, part)
            assert (await hinted).status_code == 200
            assert int((await hinted).headers["content-length"]) == len((await hinted).content)
            known = newer
        plain = await front.get(f"{path}/index.m3u8", **{"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.text.startswith("#EXTM3U")
        packed = await front.get(f"{path}/index.m3u8", **{"Accept-Encoding": "gzip"})
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.headers["access-control-allow-origin"] == "*"
        newest = known.segments[-1].parts[0].uri
        ranged = await front.get(f"{path}/{newest}", Range="bytes=0-99")
        assert (ranged.status_code, len(ranged.content)) == (206, 100)
        assert (await front.get(f"{path}/index.m3u8?_HLS_part=1")).status_code == 400
        assert (await front.client.options(f"{front.url}{path}/index.m3u8")).status_code == 204
        # The API and the pages go through as well.
        assert (await front.get(f"/api/v1/streams/{stream['id']}")).json()["status"] == "live"
        assert (await front.get("/metrics")).status_code == 403


async def test_a_preview_is_in_no_cache(front: Front) -> None:
    """On a public stream any token passes as none does, so only what nginx does not have is safe from everybody."""
    server = front.server
    stream = await server.create_stream(start=False)
    folder = httpx.URL(stream["preview_url"]).path.removesuffix("/master.m3u8")
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream))):
        await server.wait_for(f"{folder}/source/index.m3u8", contains="#EXTINF")
        uri = parse_media((await front.get(f"{folder}/source/index.m3u8")).text).complete[0].uri
        for name in ("master.m3u8", "source/index.m3u8", f"source/{uri}"):
            for _ in range(2):
                shown = await front.get(f"{folder}/{name}")
                assert (shown.status_code, shown.headers["x-cache"]) == (200, "MISS"), name
            for hidden in (f"/hls/{stream['id']}/preview", f"/hls/{stream['id']}/~{'A' * 60}/preview"):
                assert (await front.get(f"{hidden}/{name}")).status_code == 404
