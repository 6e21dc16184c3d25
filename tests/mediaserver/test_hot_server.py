"""The short way for HLS: it says what the long one says, and takes nothing that is not its own."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

import aiohttp
import pytest
from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hls.config import HlsConfig
from hls.hot import HotDelivery
from hls.http import routes
from hls.output import HlsOutput
from hls.rendered import RenderedPlaylists
from mediaserver.hot_server import HotRunner
from tests.hls.test_http import House
from tests.hls.test_window import Rungs

CONFIG = HlsConfig()
HOST = b"Host: localhost\r\n"


@dataclass
class Pair:
    """The same broadcast behind both: with the short way, and without."""

    rungs: Rungs
    hot: HotDelivery
    ports: tuple[int, int]
    shown: int = 0

    @property
    def answered(self) -> int:
        return self.hot.answered.total()

    async def has_waiting(self, count: int) -> None:
        while self.rungs.output.waiting != count:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.001)

    async def ask(self, request: bytes, *, long: bool = False) -> bytes:
        """Send bytes on a new connection that has answered one request before; return what comes, but for the date."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.ports[long])
        try:
            writer.write(b"GET /warm HTTP/1.1\r\n" + HOST + b"\r\n")
            await read_answer(reader)
            writer.write(request)
            return await read_answer(reader, has_body=not request.startswith(b"HEAD"))
        finally:
            writer.close()


async def read_answer(reader: asyncio.StreamReader, *, has_body: bool = True) -> bytes:
    async with asyncio.timeout(5):
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        body = await reader.readexactly(int(length[1])) if length and has_body else b""
    return re.sub(rb"Date: [^\r]+", b"Date", head) + body


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    rungs = Rungs(CONFIG, size=1000)
    rungs.run(6)
    async for made in serve(rungs, rungs.output):
        yield made


async def serve(rungs: Rungs, output: HlsOutput) -> AsyncIterator[Pair]:
    house, rendered = House(output), RenderedPlaylists(CONFIG)
    hot = HotDelivery(house, CONFIG, rendered)

    def application() -> web.Application:
        made = web.Application()
        made.add_routes(routes(house, CONFIG, rendered))
        return made

    runners = [
        HotRunner(application(), hot, lambda host, _: host.startswith("localhost"), access_log=None),
        web.AppRunner(application(), access_log=None),
    ]
    ports = []
    for runner in runners:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ports.append(runner.addresses[0][1])
    yield Pair(rungs, hot, (ports[0], ports[1]))
    for runner in runners:
        await runner.cleanup()


def get(target: str, headers: bytes = b"") -> bytes:
    return f"GET {target} HTTP/1.1\r\n".encode() + HOST + headers + b"\r\n"


RUNG = "/hls/live/720p"
HOT = {
    "plain playlist": get(f"{RUNG}/index.m3u8"),
    "gzip": get(f"{RUNG}/index.m3u8", b"Accept-Encoding: br, gzip\r\nUser-Agent: x\r\n"),
    "no gzip": get(f"{RUNG}/index.m3u8", b"accept-encoding: gzip;q=0\r\n"),
    "kept alive": get(f"{RUNG}/index.m3u8", b"Connection: keep-alive\r\n"),
    "delta": get(f"{RUNG}/index.m3u8?_HLS_msn=3&_HLS_part=1&_HLS_skip=YES"),
    "old": get(f"{RUNG}/index.m3u8?_HLS_msn=2"),
    "segment": get(f"{RUNG}/1-3.m4s"),
    "part": get(f"{RUNG}/1-3.2.m4s"),
    "with a token": get("/hls/private/~secret/720p/1-3.2.m4s"),
}
LONG = {
    "multivariant": get("/hls/live/master.m3u8"),
    "init": get(f"{RUNG}/init-1.mp4"),
    "range": get(f"{RUNG}/1-3.m4s", b"Range: bytes=0-9\r\n"),
    "closing": get(f"{RUNG}/1-3.m4s", b"Connection: close\r\n"),
    "condition": get(f"{RUNG}/1-3.m4s", b"If-None-Match: *\r\n"),
    "head": get(f"{RUNG}/1-3.m4s").replace(b"GET", b"HEAD"),
    "options": get(f"{RUNG}/1-3.m4s").replace(b"GET", b"OPTIONS"),
    "post": b"POST /hls/live/720p/1-3.m4s HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc",
    "body": b"GET /hls/live/720p/1-3.m4s HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc",
    "HTTP/1.0": get(f"{RUNG}/1-3.m4s").replace(b"1.1", b"1.0"),
    "gone": get(f"{RUNG}/1-999.m4s"),
    "other generation": get(f"{RUNG}/2-3.m4s"),
    "wrong": get(f"{RUNG}/index.m3u8?_HLS_part=1"),
    "far ahead": get(f"{RUNG}/index.m3u8?_HLS_msn=99"),
    "twice": get(f"{RUNG}/index.m3u8?_HLS_msn=2&_HLS_msn=3"),
    "begin": get(f"{RUNG}/index.m3u8?start=0"),
    "no token": get("/hls/private/720p/1-3.m4s"),
    "bad token": get("/hls/private/~guess/720p/1-3.m4s"),
    "no stream": get("/hls/nothing/720p/1-3.m4s"),
    "no rung": get("/hls/live/999p/index.m3u8"),
    "up and down": get("/hls/live/../live/720p/1-3.m4s"),
    "escaped": get("/hls/live/%2e%2e/720p/1-3.m4s"),
    "digits": get(f"{RUNG}/1-{'9' * 2000}.m4s"),
    "absolute": get(f"http://localhost{RUNG}/1-3.m4s"),
    "no host": b"GET /hls/live/720p/1-3.m4s HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("case", HOT)
async def test_the_short_way_answers_word_for_word(pair: Pair, case: str) -> None:
    answer = await pair.ask(HOT[case])
    assert pair.answered == 1, "it took the short way"
    assert answer == await pair.ask(HOT[case], long=True)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("case", LONG)
async def test_everything_else_takes_the_long_way(pair: Pair, case: str) -> None:
    answer = await pair.ask(LONG[case])
    assert pair.answered == 0
    assert answer == await pair.ask(LONG[case], long=True)
    assert not answer.startswith(b"HTTP/1.1 500")


async def test_only_hosts_that_are_allowed(pair: Pair) -> None:
    request = get(f"{RUNG}/1-3.m4s").replace(b"localhost", b"evil.example")
    await pair.ask(request)
    assert pair.answered == 0


async def test_whoever_waits_is_answered_when_the_part_is_there(pair: Pair) -> None:
    newest = pair.rungs.view().segments[-1].msn
    waiting = [
        asyncio.create_task(pair.ask(get(f"{RUNG}/index.m3u8?_HLS_msn={newest + 1}&_HLS_part=0"), long=long))
        for long in (False, True)
    ]
    hint = pair.rungs.view().hint
    assert hint is not None
    address = f"{RUNG}/{hint.generation}-{hint.msn}.{hint.part}.m4s"
    waiting += [asyncio.create_task(pair.ask(get(address), long=long)) for long in (False, True)]
    await pair.has_waiting(4)
    pair.rungs.run(1)
    playlist, same, part, same_part = await asyncio.gather(*waiting)
    assert playlist == same
    assert part == same_part
    assert part.startswith(b"HTTP/1.1 200 OK")
    assert b"max-age=30" in playlist
    assert pair.answered == 2
    assert pair.rungs.output.waiting == 0


async def test_a_thousand_wait_for_one_part(pair: Pair) -> None:
    newest = pair.rungs.view().segments[-1].msn
    request = get(f"{RUNG}/index.m3u8?_HLS_msn={newest + 1}&_HLS_part=0")
    waiting = [asyncio.create_task(pair.ask(request)) for _ in range(500)]
    await pair.has_waiting(500)
    pair.rungs.run(1)
    answers = await asyncio.gather(*waiting)
    assert len(set(answers)) == 1
    assert pair.answered == 500


async def test_whoever_leaves_is_forgotten(pair: Pair) -> None:
    newest = pair.rungs.view().segments[-1].msn
    task = asyncio.create_task(pair.ask(get(f"{RUNG}/index.m3u8?_HLS_msn={newest + 1}&_HLS_part=0")))
    await pair.has_waiting(1)
    task.cancel()
    await pair.has_waiting(0)


@pytest.mark.parametrize("how", ["ended", "stopped"])
async def test_whoever_waits_learns_of_the_end(pair: Pair, how: str) -> None:
    newest = pair.rungs.view().segments[-1].msn
    task = asyncio.create_task(pair.ask(get(f"{RUNG}/index.m3u8?_HLS_msn={newest + 1}&_HLS_part=0")))
    await pair.has_waiting(1)
    if how == "ended":
        pair.rungs.output.finish()
        assert b"#EXT-X-ENDLIST" in await task
    else:
        pair.rungs.output.close()
        assert (await task).startswith(b"HTTP/1.1 503")


async def test_pipelined_requests_are_answered_in_order(pair: Pair) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", pair.ports[0])
    newest = pair.rungs.view().segments[-1].msn
    writer.write(get("/warm"))
    await read_answer(reader)
    writer.write(get(f"{RUNG}/index.m3u8?_HLS_msn={newest + 1}&_HLS_part=0"))
    await pair.has_waiting(1)
    writer.write(get(f"{RUNG}/1-3.2.m4s") + get(f"{RUNG}/1-2.2.m4s"))
    await asyncio.sleep(0.01)
    pair.rungs.run(1)
    first, second, third = [await read_answer(reader) for _ in range(3)]
    assert b"#EXTM3U" in first
    assert second == await pair.ask(get(f"{RUNG}/1-3.2.m4s"), long=True)
    assert third == await pair.ask(get(f"{RUNG}/1-2.2.m4s"), long=True)
    writer.close()


async def test_bytes_of_another_request_are_not_taken_for_one(pair: Pair) -> None:
    """A body, or a head in pieces, that looks like a request of its own."""
    inner = get(f"{RUNG}/1-3.2.m4s")
    for outer in (
        b"POST /hls/live/x HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(inner),
        b"GET /hls/live/x HTTP/1.1\r\n" + HOST + b"X-Part: ",
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", pair.ports[0])
        writer.write(get("/warm"))
        await read_answer(reader)
        writer.write(outer)
        await asyncio.sleep(0.02)
        writer.write(inner)
        first = await read_answer(reader)
        assert b" 40" in first[:13], "what aiohttp makes of it"
        writer.write(get(f"{RUNG}/1-2.2.m4s"))
        with suppress(asyncio.IncompleteReadError, ConnectionError):  # of a body that nobody has read
            assert await read_answer(reader) == await pair.ask(get(f"{RUNG}/1-2.2.m4s"), long=True)
        writer.close()
    assert pair.answered == 0


async def test_a_client_that_does_not_read_fills_no_memory(pair: Pair) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", pair.ports[0], limit=1024)
    writer.write(get("/warm"))
    await read_answer(reader)
    for _ in range(3000):
        writer.write(get(f"{RUNG}/1-3.m4s"))
        await asyncio.sleep(0)
    assert pair.answered * 8_000 < 8 << 20
    writer.close()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from("/.~%?&=_-09aHLSmsnpart\\\x00é"), max_size=40))
def test_no_target_is_an_error(tail: str) -> None:
    house = House(HlsOutput(CONFIG))
    hot = HotDelivery(house, CONFIG, RenderedPlaylists(CONFIG))
    hot.take(b"/hls/live/" + tail.encode(), True, lambda _head, _body: None)


async def test_what_is_relied_on_in_aiohttp() -> None:
    """A new version that changes these needs another look at `hot_server`."""
    assert aiohttp.__version__.startswith("3.14")
    names = (
        "_waiter",
        "_messages",
        "_close",
        "_force_close",
        "_payload_parser",
        "_next_keepalive_close_time",
    )
    assert all(
        hasattr(RequestHandler, name) for name in (*names, "_upgraded", "_paused", "_keepalive_timeout")
    )
