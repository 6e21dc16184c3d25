"""Whoever comes back to a chat ends where those are who never left."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

from control_api.chat.event import (
    ChatEvent,
    CommentAdded,
    CommentDeleted,
    CommentPinned,
    CommentUnpinned,
    ReactionChanged,
)
from control_api.chat.rate import ChatRate
from control_api.chat.store import Comment

from .test_service import DEMO, EVE, LIKE, Room, room

__all__ = ["room"]


@dataclass
class Client:
    """What a page shows of a chat."""

    contents: dict[str, str] = field(default_factory=dict)
    pinned: str | None = None
    seq: int = 0

    def take(self, events: Iterable[ChatEvent]) -> Client:
        for event in events:
            self._take(event)
        return self

    def _take(self, event: ChatEvent) -> None:
        match event:
            case CommentAdded(comment):
                self._advance(comment.seq)
                assert not comment.is_pinned
                self.contents[comment.id] = comment.content
            case CommentPinned(comment, seq):
                self._advance(seq)
                assert comment.is_pinned
                assert comment.id in self.contents
                self.pinned = comment.id
            case CommentUnpinned(_, comment_id, seq):
                self._advance(seq)
                self.pinned = None if self.pinned == comment_id else self.pinned
            case CommentDeleted(_, comment_id, seq):
                self._advance(seq)
                self.pinned = None if self.pinned == comment_id else self.pinned
                self.contents.pop(comment_id, None)
            case ReactionChanged():
                pass

    def _advance(self, seq: int) -> None:
        assert seq > self.seq
        self.seq = seq


async def act(room: Room, chance: random.Random, count: int) -> None:
    """Do anything that can be done in a chat, any number of times."""
    written: list[Comment] = []
    for number in range(count):
        one = chance.choice(written) if written else None
        if one is None or chance.random() < 0.4:
            written.append(await room.write(f"{number}"))
            continue
        match chance.choice(["pin", "pin", "unpin", "delete", "react"]):
            case "pin":
                await room.chat.pin(room.stream.id, DEMO, one.id)
            case "unpin":
                await room.chat.unpin(room.stream.id, DEMO, one.id)
            case "delete":
                await room.chat.delete(room.stream.id, DEMO, one.id)
                written.remove(one)
            case "react":
                await room.chat.react(room.stream.id, EVE, LIKE)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.timeout(60)
async def test_a_client_that_resumes_at_any_point_ends_where_all_are(
    room: Room, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room.chat, "_reaction_rate", ChatRate("reactions", 1000, 1000))
    await act(room, random.Random(seed), 40)  # noqa: S311
    everything = Client().take(room.told)
    for gone in range(len(room.told) + 1):
        client = Client().take(room.told[:gone])
        missed = await room.chat.missed(room.stream.id, client.seq, 1000)
        assert missed.is_whole
        client.take(missed.events)
        assert (client.contents, client.pinned) == (everything.contents, everything.pinned)
        for limit in (1, 3):
            some = await room.chat.missed(room.stream.id, missed_from(room.told[:gone]), limit)
            assert some.events == missed.events[:limit]
            assert some.is_whole == (len(missed.events) <= limit)


def missed_from(events: list[ChatEvent]) -> int:
    return Client().take(events).seq


async def test_what_is_missed_is_told_in_the_right_words(room: Room) -> None:
    old, gone = await room.write("old"), await room.write("gone")
    await room.chat.pin(room.stream.id, DEMO, old.id)
    since = gone.seq + 2
    await room.chat.unpin(room.stream.id, DEMO, old.id)
    await room.chat.delete(room.stream.id, DEMO, gone.id)
    new, brief = await room.write("new"), await room.write("brief")
    await room.chat.delete(room.stream.id, DEMO, brief.id)
    pinned = await room.chat.pin(room.stream.id, DEMO, new.id)
    missed = await room.chat.missed(room.stream.id, since, 100)
    kinds = [type(event) for event in missed.events]
    assert kinds == [CommentUnpinned, CommentDeleted, CommentAdded, CommentPinned]
    assert missed.events[2] == CommentAdded(new)
    assert missed.events[3] == CommentPinned(pinned, brief.seq + 3)
    assert missed.is_whole


async def test_a_place_that_has_never_been(room: Room) -> None:
    comment = await room.write()
    assert (await room.chat.missed(room.stream.id, comment.seq, 10)).is_whole
    assert not (await room.chat.missed(room.stream.id, comment.seq + 1, 10)).is_whole
