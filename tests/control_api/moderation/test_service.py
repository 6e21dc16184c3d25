"""Moderation on a real database: what holds at once, on other nodes within a second, and what is written down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from control_api.audit import Actor, AuditNote
from control_api.key_box import KeyBox
from control_api.moderation.guard import MAX_AGE_S
from control_api.moderation.service import ModerationService
from control_api.moderation.slow_mode import SlowMode
from control_api.moderation.store import MAX_MODERATORS, Ban, ChatSettings, Deed
from control_api.postgres import moderation_table
from control_api.postgres.database import Database
from control_api.postgres.moderation_table import ModerationTable
from control_api.postgres.store import PostgresStore
from control_api.realtime.bus import Bus, LocalBus
from control_api.realtime.redis_bus import redis_bus
from control_api.stream.record import Identity, Stream
from control_api.stream.service import StreamService
from control_api.wait import TooEarlyError
from media.error import CapacityError, StreamError
from tests.redis_server import RedisServer

from ..clock import Clock
from ..conftest import NOW, SECRET, Notes
from ..postgres.test_store import stream

OWNER, EVE, ROOT = Actor(Identity("owner"), "192.0.2.1"), Identity("eve"), Identity("root", is_admin=True)
HELPER = Actor(Identity("helper"), None)


@dataclass
class Node:
    """A server of its own, with a clock that passes when a test says so."""

    service: ModerationService
    clock: Clock
    days: list[datetime]

    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds
        self.days[0] += timedelta(seconds=seconds)

    async def refusal(self, where: Stream, author: Identity = EVE, content: str = "hello") -> str | None:
        """Tell why a comment is refused; None when it is not."""
        try:
            await self.service.check(where, author, content, is_exempt=False)
        except StreamError as error:
            return error.code
        return None


MakeNode = Callable[[], Node]


@pytest.fixture
def make_node(database: Database) -> MakeNode:
    return lambda: node_on(database)


def node_on(database: Database, bus: Bus | None = None) -> Node:
    store = PostgresStore(database, KeyBox(SECRET))
    clock, days = Clock(), [NOW]
    streams = StreamService(store, store, Notes(), min_followers=0)
    service = ModerationService(
        ModerationTable(database), streams, store, now=lambda: days[0], clock=clock, bus=bus
    )
    return Node(service, clock, days)


@pytest.fixture
def node(make_node: MakeNode) -> Node:
    return make_node()


@pytest.fixture
async def show(store: PostgresStore) -> Stream:
    """Give a stream of `owner`."""
    show = stream(user_id="owner")
    await store.add(show)
    return show


async def deeds(node: Node, show: Stream) -> list[tuple[str, str, str]]:
    entries = await node.service.log(show, None, 100)
    return [(one.note.actor_id, one.note.action, one.note.subject) for one in reversed(entries)]


async def test_a_ban_holds_at_once_here_and_within_a_second_elsewhere(
    node: Node, make_node: MakeNode, show: Stream
) -> None:
    other = make_node()
    assert [await each.refusal(show) for each in (node, other)] == [None, None]
    ban = await node.service.ban(show, OWNER, "eve", reason="spam")
    assert (ban.user_id, ban.banned_by, ban.reason, ban.created_at, ban.ends_at) == (
        "eve",
        "owner",
        "spam",
        NOW,
        None,
    )
    assert [await each.refusal(show) for each in (node, other)] == ["banned", None]
    other.pass_time(MAX_AGE_S + 0.1)
    assert await other.refusal(show) == "banned"
    await node.service.unban(show, OWNER, "eve")
    assert await node.refusal(show) is None
    other.pass_time(MAX_AGE_S + 0.1)
    assert await other.refusal(show) is None


async def test_a_ban_holds_on_all_streams_of_the_channel_and_nowhere_else(
    node: Node, store: PostgresStore, show: Stream
) -> None:
    second, elsewhere = stream(user_id="owner"), stream(user_id="somebody")
    await store.add(second)
    await store.add(elsewhere)
    await node.service.ban(show, OWNER, "eve")
    assert [await node.refusal(where) for where in (show, second, elsewhere)] == ["banned", "banned", None]
    assert await node.refusal(show, Identity("adam")) is None


async def test_a_time_out_ends_by_itself(node: Node, show: Stream) -> None:
    await node.service.ban(show, OWNER, "eve", duration_s=60)
    with pytest.raises(StreamError, match=r"until 2026-05-01 12:01:00 UTC\."):
        await node.service.check(show, EVE, "hello", is_exempt=False)
    node.pass_time(59.5)
    assert await node.refusal(show) == "banned"
    node.pass_time(0.5)  # what was read half a second ago is still remembered
    assert await node.refusal(show) is None
    assert await node.service.bans(show, None, 10) == []
    node.pass_time(2)
    assert await node.refusal(show) is None


async def test_a_new_ban_takes_the_place_of_the_old_one(node: Node, show: Stream, database: Database) -> None:
    await node.service.ban(show, OWNER, "eve", duration_s=1)
    await node.service.ban(show, OWNER, "adam")
    await node.service.ban(show, OWNER, "eve", reason="again")
    bans = await node.service.bans(show, None, 10)
    assert [(ban.user_id, ban.reason, ban.ends_at) for ban in bans] == [
        ("eve", "again", None),
        ("adam", "", None),
    ]
    await node.service.ban(show, OWNER, "ended", duration_s=1)
    node.pass_time(2)
    await node.service.ban(show, OWNER, "next")
    assert await database.fetchval("SELECT count(*) FROM bans") == 3  # ended ones are not kept


async def test_bans_are_paged(node: Node, show: Stream) -> None:
    for number in range(5):
        await node.service.ban(show, OWNER, f"u{number}")
    pages: list[list[str]] = []
    before = None
    while page := await node.service.bans(show, before, 2):
        pages.append([ban.user_id for ban in page])
        before = page[-1].id
    assert pages == [["u4", "u3"], ["u2", "u1"], ["u0"]]


async def test_many_bans_hold_all_the_same(node: Node, show: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are not read as a whole are looked up one by one."""
    monkeypatch.setattr(moderation_table, "MAX_KNOWN_BANS", 2)
    for number in range(5):
        await node.service.ban(show, OWNER, f"u{number}", duration_s=60)
    known = await node.service._store.known_bans("owner", NOW)
    assert (len(known.ends_at), known.is_whole) == (3, False)
    refusals = [await node.refusal(show, Identity(f"u{number}")) for number in range(6)]
    assert refusals == ["banned"] * 5 + [None]


async def test_who_may_be_banned_by_whom(node: Node, show: Stream) -> None:
    await node.service.appoint(OWNER, "helper")
    await node.service.appoint(OWNER, "mate")
    admin = Actor(ROOT, None)
    for by, target, code in (
        (HELPER, "helper", "invalid"),
        (OWNER, "owner", "invalid"),
        (HELPER, "owner", "forbidden"),
        (admin, "owner", "forbidden"),
        (HELPER, "mate", "forbidden"),
    ):
        with pytest.raises(StreamError) as caught:
            await node.service.ban(show, by, target)
        assert caught.value.code == code, (by, target)
    await node.service.ban(show, HELPER, "eve")
    await node.service.ban(show, admin, "mate")
    assert not await node.service.is_moderator("owner", "mate")
    assert [ban.user_id for ban in await node.service.bans(show, None, 10)] == ["mate", "eve"]


async def test_nobody_is_moderator_and_banned(node: Node, show: Stream) -> None:
    await node.service.appoint(OWNER, "eve")
    await node.service.ban(show, OWNER, "eve")
    assert await node.service.moderators("owner") == []
    assert await node.refusal(show) == "banned"
    await node.service.appoint(OWNER, "eve")
    assert await node.service.is_moderator("owner", "eve")
    assert await node.refusal(show) is None
    assert await deeds(node, show) == [
        ("owner", Deed.APPOINTED, "eve"),
        ("owner", Deed.BANNED, "eve"),
        ("owner", Deed.DISMISSED, "eve"),
        ("owner", Deed.APPOINTED, "eve"),
        ("owner", Deed.UNBANNED, "eve"),
    ]


async def test_nobody_is_both_after_changes_at_once(node: Node, show: Stream, database: Database) -> None:
    users = [f"u{number}" for number in range(10)]
    await asyncio.gather(
        *(node.service.appoint(OWNER, user) for user in users),
        *(node.service.ban(show, OWNER, user) for user in users),
    )
    both = "SELECT count(*) FROM moderators JOIN bans USING (channel_id, user_id)"
    either = "SELECT (SELECT count(*) FROM moderators) + (SELECT count(*) FROM bans)"
    assert (await database.fetchval(both), await database.fetchval(either)) == (0, 10)


async def test_moderators(node: Node, make_node: MakeNode) -> None:
    other = make_node()
    assert not await other.service.is_moderator("owner", "helper")
    await asyncio.gather(*(node.service.appoint(OWNER, "helper") for _ in range(5)))
    assert [one.user_id for one in await node.service.moderators("owner")] == ["helper"]
    assert await node.service.is_moderator("owner", "helper")
    assert not await node.service.is_moderator("helper", "owner")
    assert not await other.service.is_moderator("owner", "helper")
    other.pass_time(MAX_AGE_S + 0.1)
    assert await other.service.is_moderator("owner", "helper")
    await node.service.dismiss(OWNER, "helper")
    await node.service.dismiss(OWNER, "helper")
    assert not await node.service.is_moderator("owner", "helper")
    for change in (node.service.appoint, node.service.dismiss):
        with pytest.raises(StreamError, match="yours"):
            await change(OWNER, "owner")


async def test_a_channel_has_so_many_moderators_at_most(node: Node, database: Database) -> None:
    await database.execute(
        "INSERT INTO moderators SELECT 'owner', 'm' || n FROM generate_series(2, $1::integer) n",
        MAX_MODERATORS,
    )
    results = await asyncio.gather(
        *(node.service.appoint(OWNER, f"new{n}") for n in range(3)), return_exceptions=True
    )
    refused = [result.code for result in results if isinstance(result, StreamError)]
    assert refused == ["too_many"] * 2
    assert len(await node.service.moderators("owner")) == MAX_MODERATORS


async def test_who_may_moderate(node: Node, store: PostgresStore, show: Stream) -> None:
    hidden = stream(user_id="owner", is_private=True)
    await store.add(hidden)
    await node.service.appoint(OWNER, "helper")
    await node.service.appoint(OWNER, "fan")
    await store.follow("owner", "fan")
    for identity, public, private in (
        (OWNER.identity, None, None),
        (ROOT, None, None),
        (Identity("fan"), None, None),
        (HELPER.identity, None, "not_found"),  # private streams are for followers, also for moderators
        (EVE, "forbidden", "not_found"),
    ):
        for where, code in ((show, public), (hidden, private)):
            if code is None:
                assert (await node.service.moderated(where.id, identity)).id == where.id
            else:
                with pytest.raises(StreamError) as caught:
                    await node.service.moderated(where.id, identity)
                assert caught.value.code == code


async def test_settings_are_changed_one_by_one_and_everywhere(
    node: Node, make_node: MakeNode, show: Stream
) -> None:
    other = make_node()
    assert await other.service.settings(show.id) == ChatSettings()
    assert await node.service.change_settings(show, OWNER, {}) == ChatSettings()
    assert await node.service.change_settings(show, OWNER, {"slow_mode_s": 5}) == ChatSettings(slow_mode_s=5)
    changes = {"blocked_words": ["a", "b*"], "links_allowed": False, "followers_only": True}
    whole = ChatSettings(slow_mode_s=5, followers_only=True, links_allowed=False, blocked_words=("a", "b*"))
    assert await node.service.change_settings(show, OWNER, changes) == whole
    assert await node.service.settings(show.id) == whole
    assert await other.service.settings(show.id) == ChatSettings()
    other.pass_time(MAX_AGE_S + 0.1)
    assert await other.service.settings(show.id) == whole
    off = {"slow_mode_s": 0, "blocked_words": [], "followers_only": False, "links_allowed": True}
    assert await node.service.change_settings(show, OWNER, off) == ChatSettings()


async def test_changes_at_once_do_not_undo_each_other(node: Node, show: Stream) -> None:
    await asyncio.gather(
        node.service.change_settings(show, OWNER, {"slow_mode_s": 7}),
        node.service.change_settings(show, OWNER, {"followers_only": True}),
        node.service.change_settings(show, OWNER, {"links_allowed": False}),
        node.service.change_settings(show, OWNER, {"blocked_words": ["x"]}),
    )
    assert await node.service.settings(show.id) == ChatSettings(
        slow_mode_s=7, followers_only=True, links_allowed=False, blocked_words=("x",)
    )


async def test_what_settings_forbid(node: Node, store: PostgresStore, show: Stream) -> None:
    await node.service.change_settings(show, OWNER, {"blocked_words": ["bad"], "links_allowed": False})
    assert await node.refusal(show, content="b.a.d") == "blocked_word"
    assert await node.refusal(show, content="see example.com") == "no_links"
    assert await node.refusal(show, content="a sandbag for 3.5") is None
    await node.service.change_settings(show, OWNER, {"followers_only": True})
    assert await node.refusal(show) == "followers_only"
    await store.follow("owner", "eve")
    assert await node.refusal(show) is None


async def test_slow_mode_counts_what_is_accepted(node: Node, store: PostgresStore, show: Stream) -> None:
    second = stream(user_id="owner")
    await store.add(second)
    await node.service.change_settings(show, OWNER, {"slow_mode_s": 30, "blocked_words": ["bad"]})
    assert await node.refusal(show, content="bad") == "blocked_word"
    assert await node.refusal(show) is None
    node.pass_time(20.5)
    with pytest.raises(TooEarlyError, match=r"every 30 s\. Wait 10 s\.") as caught:
        await node.service.check(show, EVE, "hello", is_exempt=False)
    assert (caught.value.code, caught.value.retry_after_s) == ("slow_mode", 9.5)
    assert await node.refusal(show, content="bad") == "blocked_word"
    assert await node.refusal(show, Identity("adam")) is None
    assert await node.refusal(second) is None
    node.pass_time(9.5)  # being refused has not begun the time anew
    assert await node.refusal(show) is None
    assert await node.refusal(show) == "slow_mode"
    await node.service.change_settings(show, OWNER, {"slow_mode_s": 0})
    assert await node.refusal(show) is None


async def test_of_comments_at_once_one_passes_slow_mode(node: Node, show: Stream) -> None:
    await node.service.change_settings(show, OWNER, {"slow_mode_s": 30})
    refusals = await asyncio.gather(*(node.refusal(show) for _ in range(5)))
    assert sorted(map(str, refusals)) == ["None", *["slow_mode"] * 4]


async def test_nothing_concerns_who_is_exempt(node: Node, show: Stream) -> None:
    changes = {"slow_mode_s": 30, "followers_only": True, "links_allowed": False, "blocked_words": ["bad"]}
    await node.service.change_settings(show, OWNER, changes)
    for _ in range(3):
        await node.service.check(show, HELPER.identity, "bad example.com", is_exempt=True)


def test_slow_mode_is_exact() -> None:
    slow = SlowMode()
    turns = [slow.take("s", "u", 10, now) for now in (0, 9.75, 10, 10, 20)]
    assert turns == [0, 0.25, 0, 10, 0]


async def test_every_change_is_written_down_and_nothing_else(
    node: Node, show: Stream, database: Database
) -> None:
    await node.service.appoint(OWNER, "helper")
    await node.service.appoint(OWNER, "helper")
    await node.service.ban(show, HELPER, "eve", reason="spam", duration_s=60)
    await node.service.unban(show, OWNER, "eve")
    await node.service.unban(show, OWNER, "eve")
    await node.service.dismiss(OWNER, "nobody")
    await node.service.dismiss(OWNER, "helper")
    await node.service.change_settings(show, OWNER, {})
    await node.service.change_settings(show, OWNER, {"slow_mode_s": 5, "blocked_words": ["a", "b"]})
    for _ in range(2):
        with pytest.raises(StreamError):
            await node.service.ban(show, OWNER, "owner")
    assert await deeds(node, show) == [
        ("owner", Deed.APPOINTED, "helper"),
        ("helper", Deed.BANNED, "eve"),
        ("owner", Deed.UNBANNED, "eve"),
        ("owner", Deed.DISMISSED, "helper"),
        ("owner", Deed.CHANGED, show.id),
    ]
    newest, *_, banned, appointed = await node.service.log(show, None, 10)
    assert newest.note.details == {"slow_mode_s": 5, "blocked_words": 2}
    assert (newest.note.address, banned.note.address) == ("192.0.2.1", None)
    until = (NOW + timedelta(seconds=60)).isoformat()
    assert banned.note.details == {"stream_id": show.id, "reason": "spam", "ends_at": until}
    assert [one.id for one in await node.service.log(show, banned.id, 10)] == [appointed.id]
    assert (
        await database.fetchval("SELECT count(*) FROM audit_log WHERE channel_id IS DISTINCT FROM 'owner'")
        == 0
    )


async def test_what_cannot_be_written_down_does_not_happen(
    node: Node, show: Stream, database: Database
) -> None:
    """The change and its note are one transaction."""
    await database.execute("ALTER TABLE audit_log ADD CONSTRAINT refuse CHECK (action <> 'ban.set')")
    try:
        with pytest.raises(asyncpg.CheckViolationError, match="refuse"):
            await node.service.ban(show, OWNER, "eve")
        assert await node.refusal(show) is None
        assert await node.service.bans(show, None, 10) == []
    finally:
        await database.execute("ALTER TABLE audit_log DROP CONSTRAINT refuse")


BAD_SETTINGS = [
    {"slow_mode_s": -1},
    {"slow_mode_s": 3601},
    {"blocked_words": ["x"] * 501},
    {"blocked_words": ["x" * 50_001]},
    {"blocked_words": [None]},
]


@pytest.mark.parametrize("changes", BAD_SETTINGS)
async def test_bad_settings_are_impossible(node: Node, show: Stream, changes: dict[str, object]) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await node.service.change_settings(show, OWNER, changes)
    assert await node.service.settings(show.id) == ChatSettings()


def a_ban(**fields: Any) -> Ban:
    good = Ban(id=0, user_id="u", banned_by="m", reason="", created_at=NOW, ends_at=None)
    return replace(good, **fields)


BAD_BANS = [
    ("owner", a_ban(user_id="owner")),
    ("owner", a_ban(user_id="")),
    ("owner", a_ban(user_id="x" * 161)),
    ("", a_ban()),
    ("owner", a_ban(reason="x" * 501)),
    ("owner", a_ban(ends_at=NOW)),
]


@pytest.mark.parametrize(("channel_id", "ban"), BAD_BANS)
async def test_bad_bans_are_impossible(database: Database, channel_id: str, ban: Ban) -> None:
    note = AuditNote(actor_id="m", action=Deed.BANNED, subject="u", address=None, channel_id="owner")
    table = ModerationTable(database)
    with pytest.raises(asyncpg.CheckViolationError):
        await table.ban(channel_id, ban, note)
    await table.ban("owner", a_ban(user_id="x" * 160, reason="x" * 500), note)
    assert len((await table.known_bans("owner", NOW)).ends_at) == 1


async def test_while_the_database_is_away_nobody_is_let_through(
    node: Node, show: Stream, database: Database
) -> None:
    assert await node.refusal(show) is None
    await database.close()
    assert await node.refusal(show) is None  # is remembered
    node.pass_time(MAX_AGE_S + 0.1)
    for question in (
        node.refusal(show),
        node.service.is_moderator("owner", "eve"),
        node.service.settings(show.id),
        node.service.ban(show, OWNER, "eve"),
        node.service.appoint(OWNER, "eve"),
        node.service.change_settings(show, OWNER, {"slow_mode_s": 1}),
    ):
        with pytest.raises(CapacityError):
            await question


async def test_what_is_changed_holds_at_once_on_every_node_that_the_bus_reaches(
    database: Database, show: Stream
) -> None:
    bus = LocalBus()
    node, other = (node_on(database, bus) for _ in range(2))
    for each in (node, other):
        await each.service.open()
    assert await other.refusal(show) is None  # and its clock stands still from here on
    await node.service.ban(show, OWNER, "eve")
    assert await other.refusal(show) == "banned"
    await node.service.unban(show, OWNER, "eve")
    assert await other.refusal(show) is None
    await node.service.appoint(OWNER, "eve")
    assert await other.service.is_moderator("owner", "eve")
    await node.service.dismiss(OWNER, "eve")
    assert not await other.service.is_moderator("owner", "eve")
    await node.service.change_settings(show, OWNER, {"links_allowed": False})
    assert await other.refusal(show, content="example.com") == "no_links"
    await other.service.change_settings(show, OWNER, {"links_allowed": True})
    assert await node.refusal(show, content="example.com") is None
    other.service.close()
    other.service.close()
    await node.service.ban(show, OWNER, "eve")
    assert await other.refusal(show) is None
    other.pass_time(MAX_AGE_S + 0.1)
    assert await other.refusal(show) == "banned"


async def test_what_is_changed_reaches_another_node_over_redis(
    database: Database, show: Stream, redis_server: RedisServer
) -> None:
    async with redis_bus(redis_server.url, "one") as here, redis_bus(redis_server.url, "two") as there:
        node, other = node_on(database, here), node_on(database, there)
        for each in (node, other):
            await each.service.open()
        assert await other.refusal(show) is None
        await node.service.ban(show, OWNER, "eve")
        async with asyncio.timeout(10):
            while await other.refusal(show) is None:  # noqa: ASYNC110 its clock stands still
                await asyncio.sleep(0.005)
        for each in (node, other):
            each.service.close()
