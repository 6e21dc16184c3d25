"""A stream as a row of `live_streams`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from control_api.key_box import KeyBox
from control_api.stream.record import Status, Stream

if TYPE_CHECKING:
    from asyncpg import Record

PLAIN = (
    "user_id", "title", "description", "quality", "category", "is_private", "playback_salt", "record_stream",
    "auto_start", "scheduled_at", "created_at", "started_at", "ended_at", "end_reason", "reminded_at",
)  # fmt: skip
"""Columns that are fields of `Stream` as they are, and which only the owner's wishes and the lifecycle change."""

COUNTED = ("viewer_count", "peak_viewers", "unique_viewers", "comments_count", "reactions_count", "revision")
"""Columns that are fields of `Stream`, and that the database keeps itself."""

COLUMNS = ", ".join(("id", *PLAIN, *COUNTED, "tags", "status", "stream_key_sealed"))

WRITTEN = (*PLAIN, "tags", "status", "stream_key_digest", "stream_key_sealed")


def written(stream: Stream, box: KeyBox) -> list[object]:
    """Give the values of the columns `WRITTEN`."""
    return [
        *(getattr(stream, name) for name in PLAIN),
        list(stream.tags),
        stream.status.value,
        box.digest(stream.stream_key),
        box.seal(stream.stream_key, stream.id),
    ]


def read(row: Record, box: KeyBox) -> Stream:
    """Make a stream of a row of `COLUMNS`."""
    return Stream(
        id=row["id"],
        stream_key=box.open(row["stream_key_sealed"], row["id"]),
        tags=tuple(row["tags"]),
        status=Status(row["status"]),
        **{name: row[name] for name in (*PLAIN, *COUNTED)},
    )
