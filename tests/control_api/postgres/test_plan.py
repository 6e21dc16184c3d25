"""The statements that the server runs use the indexes that are there for them: EXPLAIN on a filled database."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest

from control_api.moderation.store import NEWEST
from control_api.postgres import (
    analytics_table,
    audit_table,
    comment_table,
    compaction_table,
    erasure_table,
    expiry_table,
    moderation_table,
    reaction_table,
    stream_row,
    stream_table,
    user_table,
    viewer_table,
)
from control_api.postgres.database import Database
from control_api.postgres.stream_list import list_statement
from control_api.stream.record import Identity, Status
from control_api.stream.store import StreamQuery
from tests.database import PostgresServer

from ..conftest import NOW

FILL = """
INSERT INTO live_streams (id, user_id, title, category, tags, status, scheduled_at, started_at, ended_at, end_reason,
    stream_key_digest, stream_key_sealed, playback_salt, viewer_count)
SELECT ('01890000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'user-' || n % 3000, 'Title ' || md5(n::text),
    'category-' || n % 50, ARRAY['tag-' || n % 5000],
    CASE WHEN n % 20 = 0 THEN 'live' WHEN n % 20 = 1 THEN 'scheduled' WHEN n % 20 = 2 THEN 'created' ELSE 'ended' END,
    CASE WHEN n % 20 = 1 THEN timestamptz '2026-05-01' + n * interval '1 minute' END,
    CASE WHEN n % 20 = 0 OR n % 20 > 2 THEN timestamptz '2026-04-01' END,
    CASE WHEN n % 20 > 2 THEN timestamptz '2026-04-02' END, CASE WHEN n % 20 > 2 THEN 'owner' END,
    sha256(n::text::bytea), '\\x00', 'salt', n % 1000
FROM generate_series(1, 20000) n;
INSERT INTO stream_viewers (stream_id, viewer_id, user_id, joined_at, last_seen_at, left_at)
SELECT ('01890000-0000-7000-8000-' || lpad(to_hex(n % 500 + 1), 12, '0'))::uuid, 'user:fan-' || n, 'fan-' || n,
    timestamptz '2026-04-01', timestamptz '2026-04-01', CASE WHEN n % 100 > 0 THEN timestamptz '2026-04-01' END
FROM generate_series(1, 20000) n;
INSERT INTO stream_analytics (stream_id, at, viewer_count, unique_viewers, comments_count, reactions_count)
SELECT ('01890000-0000-7000-8000-' || lpad(to_hex(n % 500 + 1), 12, '0'))::uuid,
    timestamptz '2026-04-01' + n * interval '10 seconds', n % 100, n % 100, 0, 0
FROM generate_series(1, 20000) n;
INSERT INTO followers SELECT 'user-' || n % 3000, 'fan-' || n FROM generate_series(1, 30000) n;
INSERT INTO moderators SELECT 'user-' || n % 3000, 'mod-' || n FROM generate_series(1, 9000) n;
INSERT INTO bans (channel_id, user_id, banned_by, created_at, ends_at)
SELECT 'user-' || n % 100, 'fan-' || n, 'mod-' || n, timestamptz '2026-04-01',
    CASE WHEN n % 2 = 0 THEN timestamptz '2026-04-02' + n * interval '1 hour' END FROM generate_series(1, 20000) n;
INSERT INTO chat_settings (stream_id, slow_mode_s)
SELECT id, viewer_count FROM live_streams;
INSERT INTO audit_log (actor_id, action, subject, channel_id)
SELECT 'mod-' || n, 'ban.set', 'fan-' || n, CASE WHEN n % 2 = 0 THEN 'user-' || n % 100 END
FROM generate_series(1, 20000) n;
INSERT INTO channel_keys SELECT 'user-' || n, sha256(n::text::bytea), '\\x00' FROM generate_series(1, 3000) n;
INSERT INTO stream_comments (id, stream_id, seq, user_id, display_name, content, pinned_at, pinned_by)
SELECT ('01890000-0000-7000-9000-' || lpad(to_hex(n), 12, '0'))::uuid,
    ('01890000-0000-7000-8000-' || lpad(to_hex(n % 20 * 20 + 20), 12, '0'))::uuid, n, 'user-' || n % 3000, 'Name', 'hi',
    CASE WHEN n <= 20 THEN timestamptz '2026-04-01' END, CASE WHEN n <= 20 THEN 'owner' END
FROM generate_series(1, 20000) n;
INSERT INTO stream_reactions (stream_id, user_id, type)
SELECT ('01890000-0000-7000-8000-' || lpad(to_hex(n % 20 * 20 + 20), 12, '0'))::uuid, 'user-' || n,
    (ARRAY['like', 'love', 'fire', 'clap', 'wow'])[n % 5 + 1]
FROM generate_series(1, 20000) n;
"""

ANYBODY, FAN, ADMIN = None, Identity("fan-77"), Identity("root", is_admin=True)
AN_ID = "01890000-0000-7000-8000-000000000100"
A_COMMENT = "01890000-0000-7000-9000-000000000100"
NEW_COMMENTS: list[object] = [[A_COMMENT] * 2, [AN_ID] * 2, ["user-7"] * 2, ["Name"] * 2, ["hi"] * 2]


def listed(**fields: Any) -> tuple[str, list[object]]:
    return list_statement(StreamQuery(**fields))


STATEMENTS: dict[str, tuple[str, list[object], str]] = {
    "a stream": (stream_table.BY_ID, [AN_ID], "live_streams_pkey"),
    "a stream by its key": (stream_table.BY_KEY, [b"x" * 32], "live_streams_stream_key_digest_key"),
    "a change": (
        stream_table.UPDATE,
        [AN_ID, 1, *[None] * len(stream_row.WRITTEN)],
        "live_streams_pkey",
    ),
    "live streams": (stream_table.LIVE, [], "live_streams_"),
    "open streams": (stream_table.OPEN, [100], "live_streams_"),
    "what a user publishes to": (stream_table.PUBLISHABLE, ["user-7", NOW], "live_streams_by_user"),
    "scheduled streams that are due": (stream_table.DUE, [NOW + timedelta(hours=1), 10], "live_streams_due"),
    "streams of which nobody was reminded": (
        stream_table.UNREMINDED,
        [NOW + timedelta(hours=1), 10],
        "live_streams_unreminded",
    ),
    "all streams, first page": (*listed(), "live_streams_pkey"),
    "all streams, later page": (*listed(after=(0, AN_ID)), "live_streams_pkey"),
    "ended streams": (*listed(status=Status.ENDED), "live_streams_"),
    "scheduled streams": (*listed(status=Status.SCHEDULED), "live_streams_"),
    "most watched": (*listed(status=Status.LIVE, most_watched_first=True), "live_streams_most_watched"),
    "most watched, later page": (
        *listed(status=Status.LIVE, most_watched_first=True, after=(500, AN_ID)),
        "live_streams_most_watched",
    ),
    "most watched of a category": (
        *listed(status=Status.LIVE, most_watched_first=True, category="category-20"),
        "live_streams_most_watched_in_category",
    ),
    "a category": (*listed(category="category-7"), "live_streams_by_category"),
    "a tag": (*listed(tag="tag-7"), "live_streams_by_tag"),
    "a text": (*listed(text="cfcd2084"), "live_streams_by_text"),
    "a user's streams": (*listed(user_id="user-7"), "live_streams_by_user"),
    "what a follower sees": (*listed(viewer=FAN, user_id="user-77"), "followers_"),
    "whether one follows": (user_table.FOLLOWS, ["user-7", "fan-7"], "followers_"),
    "how many follow": (user_table.COUNT, ["user-7"], "followers_pkey"),
    "who follows": (user_table.FOLLOWERS, ["user-7", "fan-1", 100], "followers_pkey"),
    "viewers of live streams": (viewer_table.LATEST, [[AN_ID], 1000], "stream_viewers_"),
    "viewers who are silent": (viewer_table.CLOSE_SILENT, [NOW], "stream_viewers_present"),
    "how many watch": (viewer_table.COUNT, [[AN_ID], [1], [1], [1]], "live_streams_pkey"),
    "how many have watched": (viewer_table.UNIQUE, [[AN_ID]], "live_streams_pkey"),
    "all viewers of a stream": (analytics_table.TOTALS, [AN_ID], "stream_viewers_pkey"),
    "who has written or reacted": (analytics_table.ENGAGED, [AN_ID, "user-7"], "stream_"),
    "snapshots": (analytics_table.SERIES, [AN_ID, 500], "stream_analytics_pkey"),
    "a snapshot": (
        analytics_table.ADD,
        [NOW, [AN_ID], [1], [1], [None], [None], [""], [{}]],
        "live_streams_",
    ),
    "all snapshots": (analytics_table.ROWS, [AN_ID, NOW - timedelta(days=90), 100], "stream_analytics_pkey"),
    "who stayed": (analytics_table.STAYED, [AN_ID, [0.0, 60.0], NOW], "stream_viewers_pkey"),
    "when people wrote": (analytics_table.EVENTS, [AN_ID, NOW, 10.0, 1000], "stream_comments_"),
    "old snapshots": (compaction_table.FIND, [10, NOW], "stream_analytics_by_age"),
    "snapshots summed up": (
        compaction_table.MERGE,
        [AN_ID, 60, NOW - timedelta(days=30), NOW],
        "stream_analytics_pkey",
    ),
    "snapshots that are in a sum": (
        compaction_table.FORGET,
        [AN_ID, 60, NOW - timedelta(days=30), NOW],
        "stream_analytics_pkey",
    ),
    "comments to delete": (erasure_table.COMMENTS, ["user-7", AN_ID, 200], "stream_comments_"),
    "where a user has written": (erasure_table.WRITTEN_IN, ["user-7"], "stream_comments_by_user"),
    "comments that are deleted with a user": (
        erasure_table.DELETE_COMMENTS,
        ["gone:", "gone", [A_COMMENT], [None]],
        "stream_comments_pkey",
    ),
    "reactions of a user": (erasure_table.REACTIONS, ["user-7", 100], "stream_reactions_"),
    "where a user has watched": (erasure_table.VIEWERS, ["fan-7", 100], "stream_viewers_by_user"),
    "streams of a user": (erasure_table.STREAMS, ["user-7", 100], "live_streams_by_user"),
    **{
        f"what names a user, {n}": (sql, ["fan-7", "gone:"], index)
        for n, (sql, index) in enumerate(
            zip(erasure_table.RENAME, ("bans_", "stream_", "stream_", *["audit_log_"] * 3), strict=True)
        )
    },
    "streams of long ago": (expiry_table.FIND, [NOW], "live_streams_unerased"),
    "viewers of long ago": (expiry_table.VIEWERS, [AN_ID, 100], "stream_viewers_pkey"),
    "authors of long ago": (expiry_table.RENAMED, [AN_ID, "user-7", 100], "stream_"),
    "comments of long ago": (
        expiry_table.COMMENTS,
        [AN_ID, ["user-7"], ["gone:"], "gone"],
        "stream_comments_",
    ),
    "reactions of long ago": (expiry_table.REACTIONS, [AN_ID, ["user-7"], ["gone:"]], "stream_reactions_"),
    "moderators of long ago": (expiry_table.MODERATORS, [AN_ID, "user-7", "gone"], "stream_comments_"),
    "a channel key": (user_table.KEY, ["user-7"], "channel_keys_pkey"),
    "whose channel key": (user_table.BY_KEY, [b"x" * 32], "channel_keys_key_digest_key"),
    "new comments": (comment_table.ADD, NEW_COMMENTS, "live_streams_pkey"),
    "a comment": (comment_table.GET, [AN_ID, A_COMMENT], "stream_comments_pkey"),
    "newest comments": (comment_table.LATEST, [AN_ID, 50], "stream_comments_shown"),
    "older comments": (comment_table.LATEST_BEFORE, [AN_ID, 50, 9000], "stream_comments_shown"),
    "what was missed of a chat": (comment_table.CHANGES, [AN_ID, 9000, 101], "stream_comments_changed"),
    "what was written meanwhile": (comment_table.CHANGES, [AN_ID, 9000, 101], "stream_comments_shown"),
    "the newest place in a chat": (comment_table.NEWEST_SEQ, [AN_ID], "live_streams_pkey"),
    "the pinned comment": (comment_table.PINNED, [AN_ID], "stream_comments_pinned"),
    "a place in a chat": (comment_table.TAKE_TWO, [AN_ID], "live_streams_pkey"),
    "a pin that is replaced": (comment_table.RELEASE, [AN_ID, 1], "stream_comments_pinned"),
    "a pin": (comment_table.PIN, [AN_ID, A_COMMENT, "user-7", 1], "stream_comments_pkey"),
    "a pin that is taken off": (comment_table.UNPIN, [AN_ID, A_COMMENT], "stream_comments_pkey"),
    "a deletion": (comment_table.DELETE, [AN_ID, A_COMMENT, "user-7"], "stream_comments_pkey"),
    "reactions": (reaction_table.PUT, [[AN_ID], ["user-7"], ["like"]], "live_streams_"),
    "how many react": (reaction_table.COUNT, [[AN_ID]], "stream_reactions_"),
    "who moderates": (moderation_table.MODERATORS, ["user-7"], "moderators_pkey"),
    "whether one moderates": (moderation_table.IS_MODERATOR, ["user-7", "mod-7"], "moderators_"),
    "an appointment": (moderation_table.APPOINT, ["user-7", "new", 200], "moderators_pkey"),
    "a dismissal": (moderation_table.DISMISS, ["user-7", "mod-7"], "moderators_"),
    "bans": (moderation_table.BANS, ["user-7", NOW, NEWEST, 51], "bans_newest"),
    "bans, later page": (moderation_table.BANS, ["user-7", NOW, 5000, 51], "bans_newest"),
    "who is banned": (moderation_table.KNOWN_BANS, ["user-7", NOW, 2001], "bans_"),
    "whether one is banned": (moderation_table.BAN_OF, ["user-7", "fan-7", NOW], "bans_"),
    "a ban is lifted": (moderation_table.UNBAN, ["user-7", "fan-7"], "bans_"),
    "bans that have ended": (moderation_table.FORGET_ENDED, ["user-7", NOW], "bans_ending"),
    "chat settings": (moderation_table.SETTINGS, [AN_ID], "chat_settings_pkey"),
    "what was moderated": (audit_table.OF_CHANNEL, ["user-8", NEWEST, 51], "audit_log_by_channel"),
    "what was moderated, later page": (audit_table.OF_CHANNEL, ["user-8", 5000, 51], "audit_log_by_channel"),
}


@pytest.fixture
async def database(postgres_18: PostgresServer) -> AsyncIterator[Database]:
    async with postgres_18.database() as dsn:
        database = await Database.open(dsn)
        async with database.connection() as connection:
            await connection.execute(FILL, timeout=60)
            await connection.execute(
                "VACUUM ANALYZE", timeout=60
            )  # also what autovacuum does for the GIN indexes
        yield database
        await database.close()


def indexes(plan: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    yield plan["Node Type"], plan.get("Index Name")
    for part in plan.get("Plans", ()):
        yield from indexes(part)


async def test_every_statement_is_answered_by_an_index(database: Database) -> None:
    used: set[str] = set()
    for name, (sql, arguments, wanted) in STATEMENTS.items():
        async with database.connection() as connection:
            transaction = connection.transaction()
            await transaction.start()
            found = json.loads(await connection.fetchval(f"EXPLAIN (FORMAT JSON) {sql}", *arguments))
            await transaction.rollback()
        nodes = list(indexes(found[0]["Plan"]))
        names = {index for _, index in nodes if index is not None}
        assert any(index.startswith(wanted) for index in names), (name, nodes)
        assert "Seq Scan" not in {kind for kind, _ in nodes}, (name, nodes)
        used |= names
    of_the_brief = {name for name in used if name.startswith(("live_streams_", "stream_"))}
    assert len(of_the_brief) >= 15, of_the_brief
