"""Whose playback tokens media is asked for with: verified and told now and then, whatever comes in between."""

from __future__ import annotations

from dataclasses import replace

import pytest

from control_api.stream.playback import TTL_S, PlaybackSigner
from control_api.stream.record import Stream
from media.error import StreamError
from mediaserver.live import access
from mediaserver.live.access import TRUST_S, AccessRules
from tests.control_api.clock import Clock
from tests.control_api.postgres.test_store import stream


class CountingSigner(PlaybackSigner):
    verified = 0

    def verify(self, stream_id: str, salt: str, token: str, now: float) -> str:
        self.verified += 1
        return super().verify(stream_id, salt, token, now)


class Room:
    """Rules of one stream, and what is told of its viewers."""

    def __init__(self, *, is_private: bool) -> None:
        self.clock = Clock()
        self.signer = CountingSigner(b"a secret of the tests, long enough")
        self.rules = AccessRules(self.signer, self.clock)
        self.stream = stream(is_private=is_private)
        self.rules.note(self.stream)
        self.rules.report_to(self)
        self.told: list[tuple[str, str]] = []

    def seen(self, stream_id: str, viewer_id: str) -> None:
        self.told.append((stream_id, viewer_id))

    def token(self, viewer_id: str, of: Stream | None = None) -> str:
        of = of or self.stream
        return self.signer.issue(of.id, of.playback_salt, viewer_id, self.clock.now)

    def check(self, token: str | None, times: int = 1) -> None:
        for _ in range(times):
            self.rules.check(self.stream.id, token)


@pytest.mark.parametrize("is_private", [False, True])
def test_a_viewer_is_told_of_now_and_then(is_private: bool) -> None:
    room = Room(is_private=is_private)
    ann, bob = room.token("ann"), room.token("bob")
    room.check(ann, 100)
    room.check(bob, 100)
    assert room.told == [(room.stream.id, "ann"), (room.stream.id, "bob")]
    assert room.signer.verified == 2
    room.clock.now += TRUST_S - 0.01
    room.check(ann, 100)
    assert len(room.told) == room.signer.verified == 2
    room.clock.now += TRUST_S + 0.01
    room.check(ann, 100)
    assert room.told[2:] == [(room.stream.id, "ann")]


def test_without_a_token_nobody_is_told_of() -> None:
    room = Room(is_private=False)
    room.check(None)
    for bad in ("", "whatever", room.token("ann")[:-1], room.token("ann", stream())):
        room.check(bad)
    assert room.told == []


def test_trust_ends_with_the_salt_and_the_token() -> None:
    room = Room(is_private=True)
    ann = room.token("ann")
    room.check(ann)
    room.rules.note(replace(room.stream, playback_salt="another"))
    with pytest.raises(StreamError):
        room.check(ann)
    room.rules.note(room.stream)
    room.check(ann)
    room.clock.now += TTL_S
    with pytest.raises(StreamError):
        room.check(ann)


def test_trust_is_for_one_stream() -> None:
    room = Room(is_private=True)
    ann, other = room.token("ann"), stream(is_private=True)
    room.rules.note(other)
    room.check(ann)
    with pytest.raises(StreamError):
        room.rules.check(other.id, ann)


def test_a_public_stream_that_becomes_private() -> None:
    room = Room(is_private=False)
    ann = room.token("ann")
    room.check(ann)
    room.check("whatever")
    room.rules.note(replace(room.stream, is_private=True))
    room.check(ann)
    with pytest.raises(StreamError):
        room.check("whatever")


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "MAX_TRUSTED", 10)
    room = Room(is_private=True)
    for number in range(25):
        room.check(room.token(f"viewer {number}"))
    assert len(room.rules._trusted) <= 10
    assert len(room.told) == 25
