"""Sending, to real servers: what arrives, and what each thing that a receiver may do comes to."""

from __future__ import annotations

import asyncio
import json
import socket
from datetime import timedelta

import pytest
from aiohttp import web

from control_api.webhook.outcome import Outcome
from control_api.webhook.sender import DRAIN_S, MAX_ANSWER, MAX_SENDS, WebhookSender
from control_api.webhook.signature import SignatureError, verify

from .conftest import BODY, NOW, SECRET, answers, raw_server, receiver, send


async def test_a_message_arrives(sender: WebhookSender) -> None:
    async with receiver(answers(204)) as good:
        assert await send(sender, good.url()) == Outcome(is_delivered=True, status=204)
    [(headers, body)] = good.got
    assert body == BODY
    assert json.loads(body)["data"] == {"title": "é show"}
    verify(SECRET, headers, body, NOW + timedelta(minutes=4))
    with pytest.raises(SignatureError):
        verify(SECRET, headers, body + b" ", NOW)
    assert headers["Content-Type"] == "application/json"
    assert headers["webhook-id"] == "evt_1"
    assert headers["webhook-event"] == "stream.live"
    assert headers["Content-Length"] == str(len(BODY))
    assert headers["Host"] == f"127.0.0.1:{good.port}"
    assert "Cookie" not in headers


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (200, {}, Outcome(is_delivered=True, status=200)),
        (299, {"Retry-After": "5"}, Outcome(is_delivered=True, status=299)),
        (500, {}, Outcome(is_delivered=False, status=500, error="the receiver answered 500")),
        (404, {}, Outcome(is_delivered=False, status=404, error="the receiver answered 404")),
        (410, {}, Outcome(is_delivered=False, status=410, error="the receiver is gone (410)", is_gone=True)),
        (429, {}, Outcome(is_delivered=False, status=429, error="the receiver answered 429")),
        (429, {"Retry-After": "90"}, Outcome(False, 429, "the receiver answered 429", 90.0)),
        (503, {"Retry-After": "86400"}, Outcome(False, 503, "the receiver answered 503", 3600.0)),
        (
            503,
            {"Retry-After": "Fri, 01 May 2026 12:02:00 GMT"},
            Outcome(False, 503, "the receiver answered 503", 120.0),
        ),
        (503, {"Retry-After": "whenever"}, Outcome(False, 503, "the receiver answered 503")),
        (500, {"Retry-After": "90"}, Outcome(False, 500, "the receiver answered 500")),
    ],
)
async def test_answers(
    sender: WebhookSender, status: int, headers: dict[str, str], expected: Outcome
) -> None:
    async with receiver(answers(status, headers, b"a secret of the receiver")) as found:
        assert await send(sender, found.url()) == expected
    assert len(found.got) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(sender: WebhookSender, status: int) -> None:
    async with (
        receiver(answers(200)) as private,
        receiver(answers(status, {"Location": private.url("localhost")})) as found,
    ):
        outcome = await send(sender, found.url())
    assert outcome == Outcome(
        is_delivered=False, status=status, error=f"the receiver answered {status}; redirects are not followed"
    )
    assert len(found.got) == 1
    assert private.got == []


async def test_cookies_are_not_kept(sender: WebhookSender) -> None:
    async with receiver(answers(200, {"Set-Cookie": "a=b"})) as found:
        await send(sender, found.url("localhost"))
        await send(sender, found.url("localhost"))
    assert ["Cookie" in headers for headers, _ in found.got] == [False, False]


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiver(answers(200)) as found, receiver(answers(200)) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        async with WebhookSender(allow_private=True) as sender:
            assert (await send(sender, found.url())).is_delivered
    assert (len(found.got), len(proxy.got)) == (1, 0)


async def test_a_slow_receiver() -> None:
    released = asyncio.Event()

    async def wait(_: web.Request) -> web.Response:
        await released.wait()
        return web.Response()

    async with receiver(wait) as slow, WebhookSender(allow_private=True, timeout_s=0.2) as sender:
        assert await send(sender, slow.url()) == Outcome(is_delivered=False, error="no answer within 0.2 s")
        released.set()
    assert len(slow.got) == 1


async def test_a_receiver_that_never_ends_its_head() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        await reader.read(-1)

    async with raw_server(drip) as port, WebhookSender(allow_private=True, timeout_s=0.2) as sender:
        outcome = await send(sender, f"http://127.0.0.1:{port}/")
    assert outcome == Outcome(is_delivered=False, error="no answer within 0.2 s")


async def test_a_receiver_that_never_ends_its_body(sender: WebhookSender) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n1")
        await reader.read(-1)

    begin = asyncio.get_running_loop().time()
    async with raw_server(drip) as port:
        outcome = await send(sender, f"http://127.0.0.1:{port}/")
    assert outcome == Outcome(is_delivered=True, status=200)
    assert asyncio.get_running_loop().time() - begin < DRAIN_S + 4


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_a_huge_answer_is_cut_off(sender: WebhookSender, encoding: str) -> None:
    cut_off = asyncio.Event()
    sent = 0

    async def flood(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(headers={"Content-Encoding": encoding})
        await response.prepare(request)
        try:
            while True:
                await response.write(bytes(65536))
                sent += 65536
        finally:
            cut_off.set()

    async with receiver(flood) as huge:
        assert await send(sender, huge.url()) == Outcome(is_delivered=True, status=200)
        await cut_off.wait()
    # The buffers of two sockets, and not more.
    assert MAX_ANSWER < sent < 32 << 20


async def test_a_receiver_that_is_not_there(sender: WebhookSender) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    outcome = await send(sender, f"http://127.0.0.1:{port}/?token=hidden")
    assert outcome == Outcome(is_delivered=False, error="cannot be reached: Connection refused")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", "closed the connection without an answer"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "what it answered is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000, "what it answered is not HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 100_000, "what it answered is not HTTP"),
        (b"HTTP/1.1 abc\r\n\r\n", "what it answered is not HTTP"),
    ],
)
async def test_what_is_no_answer(sender: WebhookSender, answer: bytes, error: str) -> None:
    asked = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.readuntil(b"\r\n\r\n" + BODY)
        writer.write(answer)
        await writer.drain()

    async with raw_server(serve) as port:
        outcome = await send(sender, f"http://127.0.0.1:{port}/")
    assert outcome == Outcome(is_delivered=False, error=error)
    # The client must not try again by itself: the caller counts attempts.
    assert asked == 1


@pytest.mark.parametrize(
    ("url", "secret", "event_id", "error"),
    [
        ("ftp://example.org/", SECRET, "evt", "The address must begin with http:// or https://."),
        ("http://169.254.169.254/", SECRET, "evt", "Webhooks are not sent to a cloud's metadata service."),
        ("http://127.0.0.1:1/", "whsec_short", "evt", "a secret is whsec_ and base64 of 24 to 64 bytes"),
        ("http://127.0.0.1:1/", SECRET, "a.b", "an id is 1 to 128 letters, digits, underscores and hyphens"),
    ],
    ids=["scheme", "address", "secret", "event id"],
)
async def test_what_cannot_be_sent(
    sender: WebhookSender, url: str, secret: str, event_id: str, error: str
) -> None:
    outcome = await sender.send(url, secret, event_id, "stream.live", BODY, now=NOW)
    assert outcome == Outcome(is_delivered=False, error=error)


async def test_no_more_than_so_many_at_once() -> None:
    here, peak = 0, 0
    full, released = asyncio.Event(), asyncio.Event()

    async def wait(_: web.Request) -> web.Response:
        nonlocal here, peak
        here += 1
        peak = max(peak, here)
        if here == MAX_SENDS:
            full.set()
        await released.wait()
        here -= 1
        return web.Response()

    async with receiver(wait) as slow, WebhookSender(allow_private=True) as sender:
        tasks = [asyncio.create_task(send(sender, slow.url(), f"evt_{n}")) for n in range(MAX_SENDS * 2)]
        await full.wait()
        released.set()
        outcomes = await asyncio.gather(*tasks)
    assert all(outcome.is_delivered for outcome in outcomes)
    assert len({headers["webhook-id"] for headers, _ in slow.got}) == MAX_SENDS * 2
    assert peak == MAX_SENDS


async def test_a_send_can_be_cancelled_and_leaves_its_slot() -> None:
    arrived, released = asyncio.Semaphore(0), asyncio.Event()

    async def wait(_: web.Request) -> web.Response:
        arrived.release()
        await released.wait()
        return web.Response()

    async with (
        receiver(wait) as slow,
        receiver(answers(200)) as good,
        WebhookSender(allow_private=True) as sender,
    ):
        tasks = [asyncio.create_task(send(sender, slow.url())) for _ in range(MAX_SENDS)]
        for _ in tasks:
            await arrived.acquire()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert all(task.cancelled() for task in tasks)
        assert (await send(sender, good.url())).is_delivered
        released.set()


async def test_closing_ends_what_is_on_its_way() -> None:
    arrived, released = asyncio.Semaphore(0), asyncio.Event()

    async def wait(_: web.Request) -> web.Response:
        arrived.release()
        await released.wait()
        return web.Response()

    async with receiver(wait) as slow:
        sender = WebhookSender(allow_private=True)
        tasks = [asyncio.create_task(send(sender, slow.url())) for _ in range(MAX_SENDS + 1)]
        for _ in range(MAX_SENDS):
            await arrived.acquire()
        await sender.close()
        outcomes = await asyncio.gather(*tasks)
        released.set()
    assert not any(outcome.is_delivered for outcome in outcomes)
    assert all(outcome.error for outcome in outcomes)
    stopped = "this server was stopped before it was sent"
    assert outcomes[-1].error == stopped
    assert len(slow.got) == MAX_SENDS
    await sender.close()
    assert await send(sender, slow.url()) == Outcome(is_delivered=False, error=stopped)
