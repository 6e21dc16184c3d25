"""From what happens to those who are told: webhooks, followers' pages; once more rather than never."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from control_api.event.announcement import PagesAndWebhooks, announcing
from control_api.event.courier import Courier
from control_api.event.herald import Herald
from control_api.event.notice import MAX_PAGES, MAX_WAITING, NoticeBoard
from control_api.event.record import live_event
from control_api.key_box import KeyBox
from control_api.postgres.database import Database
from control_api.postgres.outbox_table import OutboxTable
from control_api.postgres.store import PostgresStore
from control_api.postgres.webhook_table import MAX_WEBHOOKS, WebhookTable
from control_api.stream.record import Identity
from control_api.stream.service import StreamService, utc_now
from control_api.webhook.sender import WebhookSender
from control_api.webhook.signature import verify
from media.error import CapacityError

from ..conftest import NOW, SECRET, House, Notes
from ..postgres.test_store import stream

WEBHOOKS = "/api/v1/webhooks"
pytestmark = pytest.mark.timeout(60)


@dataclass
class Receiver:
    """Somebody's web server, which answers as it is told."""

    answers: list[int] = field(default_factory=list)
    arrived: asyncio.Queue[tuple[dict[str, str], bytes]] = field(default_factory=asyncio.Queue)

    async def handle(self, request: web.Request) -> web.Response:
        await self.arrived.put((dict(request.headers), await request.read()))
        return web.Response(status=self.answers.pop(0) if self.answers else 204)

    async def next(self) -> tuple[dict[str, str], dict[str, Any]]:
        headers, body = await asyncio.wait_for(self.arrived.get(), 10)
        return headers, json.loads(body)


@pytest.fixture
async def receiver() -> AsyncIterator[tuple[Receiver, str]]:
    receiver = Receiver()
    application = web.Application()
    application.router.add_post("/hook", receiver.handle)
    async with TestServer(application, host="127.0.0.1") as server:
        yield receiver, str(server.make_url("/hook"))


async def test_a_webhook_hears_of_a_stream_from_start_to_end(
    house: House, receiver: tuple[Receiver, str]
) -> None:
    incoming, url = receiver
    body = {"url": url, "events": ["stream.live", "stream.ended", "publisher.lost"]}
    made = await house.request("POST", WEBHOOKS, "demo", json=body)
    assert (made.status, made.headers["Cache-Control"]) == (201, "no-store")
    webhook = await made.json()
    stream_id = (await house.create())["id"]
    other = await house.service.create("demo", {"title": "other"})
    await house.service.cancel(other.id)
    for call in ("start", "start"):
        await house.request("POST", f"/api/v1/streams/{stream_id}/{call}", "demo")
    headers, event = await incoming.next()
    known = {"stream_id": stream_id, "user_id": "demo", "title": "a show"}
    assert event == {"type": "stream.live", "timestamp": "2026-05-01T12:00:00Z", "data": known}
    text = json.dumps(event, separators=(",", ":")).encode()
    verify(webhook["secret"], headers, text, utc_now())
    await house.service.publisher_lost(stream_id, "the network")
    assert (await incoming.next())[1]["data"] == {**known, "reason": "the network"}
    await house.request("POST", f"/api/v1/streams/{stream_id}/end", "demo")
    _, event = await incoming.next()
    assert (event["type"], event["data"]) == ("stream.ended", {**known, "reason": "owner", "duration_s": 0.0})
    assert incoming.arrived.empty()


async def test_whose_events_a_webhook_gets(house: House, receiver: tuple[Receiver, str]) -> None:
    incoming, url = receiver
    await house.store.follow("star", "x")
    for user, admin in (("somebody", False), ("root", True)):
        body = {"url": f"{url}?{user}", "events": ["stream.live"]}
        assert (await house.request("POST", WEBHOOKS, user, admin=admin, json=body)).status == 201
    mine = await (await house.request("GET", WEBHOOKS, "root")).json()
    assert [(one["url"], one["is_global"], "secret" in one) for one in mine["webhooks"]] == [
        (f"{url}?root", True, False)
    ]
    one = await house.service.create("demo", {"title": "x"})
    await house.service.start(one.id)
    assert (await incoming.next())[1]["data"]["stream_id"] == one.id
    await asyncio.sleep(0.2)
    assert incoming.arrived.empty()  # somebody else's webhook was not called


REFUSED: Sequence[tuple[dict[str, Any], int]] = [
    ({"url": "ftp://example.org/", "events": ["stream.live"]}, 422),
    ({"url": "http://user:password@example.org/", "events": ["stream.live"]}, 422),
    ({"url": "x" * 2001, "events": ["stream.live"]}, 422),
    ({"url": "https://example.org/", "events": []}, 422),
    ({"url": "https://example.org/", "events": ["stream.exploded"]}, 422),
    ({"url": "https://example.org/", "events": ["stream.live"], "secret": "x"}, 422),
    ({"url": "http://169.254.169.254/latest/meta-data", "events": ["stream.live"]}, 422),
]


@pytest.mark.parametrize(("body", "status"), REFUSED)
async def test_webhooks_that_cannot_be(house: House, body: dict[str, Any], status: int) -> None:
    assert (await house.request("POST", WEBHOOKS, "demo", json=body)).status == status


async def test_webhooks_are_limited_and_deleted_by_their_owner(house: House) -> None:
    body = {"url": "https://example.org/", "events": ["stream.live"]}
    made = [await house.request("POST", WEBHOOKS, "demo", json=body) for _ in range(MAX_WEBHOOKS + 1)]
    assert [answer.status for answer in made] == [201] * MAX_WEBHOOKS + [409]
    path = f"{WEBHOOKS}/{(await made[0].json())['id']}"
    assert (await house.request("DELETE", path, "fan")).status == 404
    assert (await house.request("DELETE", path)).status == 401
    assert (await house.request("DELETE", path, "demo")).status == 204
    assert (await house.request("DELETE", path, "demo")).status == 404
    assert (await house.request("DELETE", f"{WEBHOOKS}/x", "demo")).status == 404


async def test_followers_pages_are_told(house: House) -> None:
    await house.store.follow("demo", "fan")
    token = house.signer.issue("fan")
    async with (
        house.client.ws_connect(f"/ws/notifications?token={token}") as page,
        house.client.ws_connect(
            "/ws/notifications", headers={"Authorization": f"Bearer {token}"}
        ) as other_page,
        house.client.ws_connect(f"/ws/notifications?token={house.signer.issue('stranger')}") as stranger,
    ):
        one = await house.service.create("demo", {"title": "x"})
        await house.service.start(one.id)
        for listening in (page, other_page):
            notice = await listening.receive_json(timeout=5)
            assert (notice["type"], notice["data"]["stream_id"]) == ("stream.live", one.id)
        with pytest.raises(TimeoutError):
            await stranger.receive(timeout=0.2)


@pytest.mark.parametrize("query", ["", "?token=", "?token=x"])
async def test_notices_need_a_token(house: House, query: str) -> None:
    async with house.client.ws_connect(f"/ws/notifications{query}") as page:
        await page.receive(timeout=5)
        assert page.close_code == 4401


def test_a_page_that_does_not_read_is_let_go() -> None:
    board = NoticeBoard()
    with board.listening("fan") as slow:
        for n in range(MAX_WAITING + 50):
            board.tell(["fan"], {"n": n})
        notices = [slow.queue.get_nowait() for _ in range(slow.queue.qsize())]
    assert len(notices) == MAX_WAITING + 1
    assert notices[-1] is None


def test_of_too_many_pages_the_oldest_goes() -> None:
    board = NoticeBoard()
    with board.listening("fan") as first:
        opened = [board.listening("fan") for _ in range(MAX_PAGES)]
        for page in opened:
            page.__enter__()
        assert first.queue.get_nowait() is None
        for page in opened:
            page.__exit__(None, None, None)


class CrashError(Exception):
    pass


class Pages:
    """A graph whose followers come in pages, and which fails where it is told."""

    def __init__(self, pages: Sequence[Sequence[str]], fail: Callable[[int], None] = lambda _: None) -> None:
        self.pages = pages
        self.fail = fail

    async def follower_count(self, user_id: str, fresh: bool = False) -> int:
        return 0

    async def is_follower(self, user_id: str, follower_id: str) -> bool:
        return False

    async def followers(self, user_id: str) -> AsyncIterator[Sequence[str]]:
        for number, page in enumerate(self.pages):
            self.fail(number)
            yield page

    async def close(self) -> None: ...


class Board(NoticeBoard):
    """Writes down who was told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def tell(self, user_ids: Any, message: dict[str, Any]) -> None:
        self.told += user_ids


def fail_at(page: int, error: Exception) -> Callable[[int], None]:
    def fail(number: int) -> None:
        if number == page:
            raise error

    return fail


@pytest.mark.parametrize("error", [CrashError(), CapacityError("The graph is away.")])
async def test_what_was_begun_goes_on_where_it_was(database: Database, error: Exception) -> None:
    tables, outbox = PostgresStore(database, KeyBox(SECRET)), OutboxTable(database)
    webhooks, board = WebhookTable(database, KeyBox(SECRET)), Board()
    one = stream()
    await tables.add(one)
    await tables.tell(live_event(one, NOW))
    pages = [["a", "b"], ["c", "d"], ["e"]]
    broken = Herald(outbox, Pages(pages, fail_at(2, error)), PagesAndWebhooks(board, webhooks))
    if isinstance(error, CrashError):
        with pytest.raises(CrashError):
            await broken.work()
    else:
        await broken.work()
    assert board.told == ["a", "b", "c", "d"]
    healed = Herald(outbox, Pages(pages), PagesAndWebhooks(board, webhooks))
    await healed.work()
    assert board.told == ["a", "b", "c", "d"]  # its lease is not over
    await database.execute("UPDATE outbox SET due_at = now()")
    await healed.work()
    assert board.told == ["a", "b", "c", "d", "e"]
    await database.execute("UPDATE outbox SET due_at = now() - interval '1 day'")
    assert not await healed.work()
    assert board.told == ["a", "b", "c", "d", "e"]
    await healed.tidy()
    assert await database.fetchval("SELECT count(*) FROM outbox") == 1
    await database.execute("UPDATE outbox SET done_at = now() - interval '8 days'")
    await healed.tidy()
    assert await database.fetchval("SELECT count(*) FROM outbox") == 0


async def deliver(database: Database, url: str, times: int = 1) -> list[dict[str, Any]]:
    """Bring an event to a webhook, the waits between attempts left out."""
    tables, webhooks = PostgresStore(database, KeyBox(SECRET)), WebhookTable(database, KeyBox(SECRET))
    one = stream()
    await tables.add(one)
    await webhooks.add(Identity("u"), url, ["stream.live"], "whsec_" + "A" * 32)
    await tables.tell(live_event(one, NOW))
    async with WebhookSender(allow_private=True, timeout_s=1) as sender:
        await Herald(OutboxTable(database), Pages([]), PagesAndWebhooks(NoticeBoard(), webhooks)).work()
        courier = Courier(webhooks, sender, utc_now)
        for _ in range(times):
            await courier.work()
            await database.execute("UPDATE webhook_deliveries SET due_at = now()")
    return [dict(row) for row in await database.fetch("SELECT * FROM webhook_deliveries")]


async def test_a_receiver_that_fails_is_tried_again(
    database: Database, receiver: tuple[Receiver, str]
) -> None:
    incoming, url = receiver
    incoming.answers = [500, 503]
    [row] = await deliver(database, url, 4)
    assert (row["state"], row["attempts"], row["last_status"]) == ("delivered", 3, 204)
    ids = {(await incoming.next())[0]["webhook-id"] for _ in range(3)}
    assert ids == {row["event_id"]}
    assert incoming.arrived.empty()


async def test_a_receiver_that_never_answers_well_is_given_up(
    database: Database, receiver: tuple[Receiver, str]
) -> None:
    incoming, url = receiver
    incoming.answers = [500] * 20
    [row] = await deliver(database, url, 20)
    assert (row["state"], row["attempts"], row["last_error"]) == ("dead", 9, "the receiver answered 500")


async def test_a_receiver_that_is_gone_is_not_called_again(
    database: Database, receiver: tuple[Receiver, str]
) -> None:
    incoming, url = receiver
    incoming.answers = [410]
    [row] = await deliver(database, url, 3)
    assert (row["state"], row["attempts"]) == ("dead", 1)
    [webhook] = await WebhookTable(database, KeyBox(SECRET)).list("u")
    assert webhook.disabled_reason == "the receiver is gone (410)"


async def test_the_next_attempt_waits(database: Database, receiver: tuple[Receiver, str]) -> None:
    incoming, url = receiver
    incoming.answers = [500]
    await deliver(database, url, 0)
    webhooks = WebhookTable(database, KeyBox(SECRET))
    async with WebhookSender(allow_private=True) as sender:
        await Courier(webhooks, sender, utc_now).work()
    due = await database.fetchval("SELECT due_at - now() FROM webhook_deliveries")
    assert timedelta(seconds=2) < due < timedelta(seconds=10)
    assert await webhooks.take(10) == []


async def test_many_followers_do_not_keep_a_start_waiting(database: Database) -> None:
    """The start writes one row; the followers are told behind it, and all of them."""
    await database.execute(
        "INSERT INTO followers SELECT 'star', 'fan-' || n FROM generate_series(1, 20000) n"
    )
    tables = PostgresStore(database, KeyBox(SECRET))
    service = StreamService(tables, tables, Notes(), min_followers=50)
    webhooks = WebhookTable(database, KeyBox(SECRET))
    one = await service.create("star", {"title": "x"})
    await service.start(one.id)
    assert await database.fetchval("SELECT count(*) FROM outbox") == 1
    async with announcing(service, database, webhooks, tables, allow_private=False, now=utc_now):
        async with asyncio.timeout(20):
            while await database.fetchval("SELECT done_at FROM outbox") is None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    assert await database.fetchval("SELECT told_count FROM outbox") == 20_000
