"""The store in memory, with a file behind it. PostgreSQL takes its place behind the same port."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import structlog

from control_api.key import key_digest
from control_api.snapshot import Snapshot, SnapshotFile, User, stream_line, user_line
from control_api.store import StreamQuery
from control_api.stream import Identity, Stream
from media.error import CapacityError, StreamError

logger = structlog.get_logger(__name__)

SEED_USER = "demo"
SEED_FOLLOWERS = 50
"""The first start makes a user who may go live, so that a fresh installation can stream."""


class Registry:
    """Implements `control_api.store.Store`.

    A change is written to the file first and seen in memory afterwards; changes are written one after the
    other, each in a thread. So what a call returned is on the disk, and a failed write changes nothing.
    """

    def __init__(self, file: SnapshotFile) -> None:
        self._file = file
        self._writing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._streams: dict[str, Stream] = {}
        self._users: dict[str, User] = {}
        self._followers: dict[str, frozenset[str]] = {}
        self._stream_by_key: dict[bytes, str] = {}
        self._user_by_key: dict[bytes, str] = {}
        self._stream_lines: dict[str, bytes] = {}
        self._user_lines: dict[str, bytes] = {}

    @classmethod
    async def open(cls, data_dir: Path) -> Self:
        """Read what an earlier run left under `data_dir`, or seed the first one.

        Raises:
            ConfigError: the folder cannot be used, another server uses it, or the file is damaged.
        """
        file = SnapshotFile(data_dir / "registry.json")
        await asyncio.to_thread(file.lock)
        try:
            snapshot = await asyncio.to_thread(file.read)
            registry = cls(file)
            if snapshot is None:
                followers = tuple(f"{SEED_USER}-friend-{n:02}" for n in range(1, SEED_FOLLOWERS + 1))
                await registry._change_user(SEED_USER, lambda _: User(followers))
            else:
                registry._load(snapshot)
        except BaseException:
            file.unlock()
            raise
        return registry

    async def close(self) -> None:
        """Wait for what is being written, and let others use the folder."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._file.unlock()

    async def add(self, stream: Stream) -> None:
        """Store a new stream."""
        await self._commit(self._write_stream(stream, None))

    async def get(self, stream_id: str) -> Stream | None:
        """Find a stream by its id."""
        return self._streams.get(stream_id)

    async def get_by_key(self, stream_key: str) -> Stream | None:
        """Find a stream by its stream key."""
        stream_id = self._stream_by_key.get(key_digest(stream_key))
        return None if stream_id is None else self._streams[stream_id]

    async def replace(self, stream: Stream) -> Stream:
        """Store a change made to the revision that `stream` carries; `conflict` when it is not the newest."""
        stored = replace(stream, revision=stream.revision + 1)
        await self._commit(self._write_stream(stored, stream.revision))
        return stored

    async def find(self, query: StreamQuery) -> Sequence[Stream]:
        """List streams, at most `query.limit`."""
        found = [stream for stream in self._streams.values() if self._matches(stream, query)]
        found.sort(key=lambda stream: _rank(stream, query), reverse=True)
        return found[: query.limit]

    async def follow(self, user_id: str, follower_id: str) -> None:
        """Make `follower_id` follow `user_id`."""

        def change(user: User) -> User:
            return replace(user, followers=(*user.followers, follower_id))

        if not await self.is_follower(user_id, follower_id):
            await self._change_user(user_id, change)

    async def unfollow(self, user_id: str, follower_id: str) -> None:
        """Make `follower_id` follow `user_id` no more."""

        def change(user: User) -> User:
            return replace(user, followers=tuple(other for other in user.followers if other != follower_id))

        if await self.is_follower(user_id, follower_id):
            await self._change_user(user_id, change)

    async def follower_count(self, user_id: str) -> int:
        """Count who follows a user."""
        return len(self._followers.get(user_id, ()))

    async def is_follower(self, user_id: str, follower_id: str) -> bool:
        """Tell whether `follower_id` follows `user_id`."""
        return follower_id in self._followers.get(user_id, ())

    async def channel_key(self, user_id: str) -> str | None:
        """Give the channel key of a user."""
        return self._users.get(user_id, User()).channel_key

    async def set_channel_key(self, user_id: str, channel_key: str) -> None:
        """Store a channel key."""
        await self._change_user(user_id, lambda user: replace(user, channel_key=channel_key))

    async def user_by_channel_key(self, channel_key: str) -> str | None:
        """Find the user whose channel key this is."""
        return self._user_by_key.get(key_digest(channel_key))

    async def _change_user(self, user_id: str, change: Callable[[User], User]) -> None:
        await self._commit(self._write_user(user_id, change))

    async def _commit(self, write: Coroutine[Any, Any, None]) -> None:
        """Carry a write through, even when whoever asked for it is cancelled meanwhile."""
        task = asyncio.create_task(write)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.shield(task)

    async def _write_stream(self, stream: Stream, before: int | None) -> None:
        async with self._writing:
            known = self._streams.get(stream.id)
            if (known.revision if known else None) != before:
                raise StreamError("conflict", "The stream was changed by another request; read it again.")
            lines = {**self._stream_lines, stream.id: stream_line(stream)}
            await self._write(lines, self._user_lines)
            self._stream_lines = lines
            self._keep_stream(stream)

    async def _write_user(self, user_id: str, change: Callable[[User], User]) -> None:
        async with self._writing:
            user = change(self._users.get(user_id, User()))
            user = replace(user, followers=tuple(dict.fromkeys(user.followers)))
            lines = {**self._user_lines, user_id: user_line(user_id, user)}
            await self._write(self._stream_lines, lines)
            self._user_lines = lines
            self._keep_user(user_id, user)

    async def _write(self, stream_lines: dict[str, bytes], user_lines: dict[str, bytes]) -> None:
        try:
            await asyncio.to_thread(self._file.write, stream_lines.values(), user_lines.values())
        except OSError as error:
            logger.error("registry_not_written", reason=error.strerror)
            raise CapacityError("The server cannot store changes at the moment.", retry_after_s=5) from error

    def _keep_stream(self, stream: Stream) -> None:
        known = self._streams.get(stream.id)
        if known is not None:
            self._stream_by_key.pop(key_digest(known.stream_key), None)
        self._streams[stream.id] = stream
        self._stream_by_key[key_digest(stream.stream_key)] = stream.id

    def _keep_user(self, user_id: str, user: User) -> None:
        known = self._users.get(user_id)
        if known is not None and known.channel_key is not None:
            self._user_by_key.pop(key_digest(known.channel_key), None)
        self._users[user_id] = user
        self._followers[user_id] = frozenset(user.followers)
        if user.channel_key is not None:
            self._user_by_key[key_digest(user.channel_key)] = user_id

    def _load(self, snapshot: Snapshot) -> None:
        for stream in snapshot.streams:
            self._stream_lines[stream.id] = stream_line(stream)
            self._keep_stream(stream)
        for user_id, user in snapshot.users.items():
            self._user_lines[user_id] = user_line(user_id, user)
            self._keep_user(user_id, user)

    def _matches(self, stream: Stream, query: StreamQuery) -> bool:
        wanted = (
            (query.status, stream.status),
            (query.category, stream.category),
            (query.user_id, stream.user_id),
        )
        return (
            all(want is None or want == have for want, have in wanted)
            and (query.tag is None or query.tag in stream.tags)
            and (query.text is None or query.text in f"{stream.title}\n{stream.description}".casefold())
            and (query.after is None or _rank(stream, query) < _position(query.after, query))
            and (not stream.is_private or self._may_see(stream, query.viewer))
        )

    def _may_see(self, stream: Stream, viewer: Identity | None) -> bool:
        return viewer is not None and (
            viewer.is_admin
            or viewer.user_id == stream.user_id
            or viewer.user_id in self._followers.get(stream.user_id, ())
        )


def _rank(stream: Stream, query: StreamQuery) -> tuple[int, str]:
    return _position((stream.viewer_count, stream.id), query)


def _position(place: tuple[int, str], query: StreamQuery) -> tuple[int, str]:
    return place if query.most_watched_first else (0, place[1])
