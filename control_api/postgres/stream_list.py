"""The statement behind a list of streams. Only what is asked for is in it, so that an index answers it."""

from __future__ import annotations

from control_api.postgres.stream_row import COLUMNS
from control_api.stream.store import StreamQuery


class _Arguments:
    def __init__(self) -> None:
        self.values: list[object] = []

    def add(self, value: object) -> str:
        self.values.append(value)
        return f"${len(self.values)}"


def list_statement(query: StreamQuery) -> tuple[str, list[object]]:
    """Write a query as SQL and its arguments."""
    arguments = _Arguments()
    conditions = [*_wanted(query, arguments), *_allowed(query, arguments), *_behind(query, arguments)]
    where = f"WHERE {' AND '.join(conditions)} " if conditions else ""
    order = "viewer_count DESC, id DESC" if query.most_watched_first else "id DESC"
    limit = arguments.add(query.limit)
    # Names of columns are constants, values are arguments.
    return (
        f"SELECT {COLUMNS} FROM live_streams {where}ORDER BY {order} LIMIT {limit}",  # noqa: S608
        arguments.values,
    )


def _wanted(query: StreamQuery, arguments: _Arguments) -> list[str]:
    found = []
    if query.status is not None:
        # Spelled out rather than an argument: partial indexes are chosen by it.
        found.append(f"status = '{query.status.value}'")
    if query.category is not None:
        found.append(f"category = {arguments.add(query.category)}")
    if query.user_id is not None:
        found.append(f"user_id = {arguments.add(query.user_id)}")
    if query.tag is not None:
        found.append(f"tags @> ARRAY[{arguments.add(query.tag)}::text]")
    if query.text is not None:
        found.append(f"search_text LIKE lower({arguments.add(_pattern(query.text))})")
    return found


def _allowed(query: StreamQuery, arguments: _Arguments) -> list[str]:
    """Leave out private streams that the viewer may not know of."""
    viewer = query.viewer
    if viewer is None:
        return ["NOT is_private"]
    if viewer.is_admin or viewer.user_id == query.user_id or not query.knows_followers:
        return []
    name = arguments.add(viewer.user_id)
    followed = f"EXISTS (SELECT FROM followers WHERE followers.user_id = live_streams.user_id AND follower_id = {name})"
    return [f"(NOT is_private OR user_id = {name} OR {followed})"]


def _behind(query: StreamQuery, arguments: _Arguments) -> list[str]:
    if query.after is None:
        return []
    viewer_count, stream_id = query.after
    if not query.most_watched_first:
        return [f"id < {arguments.add(stream_id)}"]
    return [f"(viewer_count, id) < ({arguments.add(viewer_count)}, {arguments.add(stream_id)})"]


def _pattern(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
