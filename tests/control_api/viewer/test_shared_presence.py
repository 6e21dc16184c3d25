"""Redis against a simple model: servers that join, leave, fall silent and die in any order; time is an argument."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from control_api.viewer.audience import Figures
from control_api.viewer.presence import EXPIRY_S, QUIET_S
from control_api.viewer.redis_presence import MAX_NOTES, redis_presence
from control_api.viewer.shared import Act, Finding, Note
from media.error import CapacityError
from tests.redis_server import RedisServer

pytestmark = pytest.mark.timeout(60)

NODES, VIEWERS = ("a", "b", "c"), ("ann", "bob", "cleo dan", "ünï")
STREAM = "one"


@dataclass
class Model:
    """What all servers together know."""

    held: dict[tuple[str, str], tuple[float, bool]] = field(default_factory=dict)
    """By viewer and server: until when, and whether by a socket."""
    quiet: dict[str, float] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    peak: int = 0

    def present(self, now: float) -> set[str]:
        return {viewer for (viewer, _), (till, _) in self.held.items() if till > now}

    def tell(self, node: str, note: Note, now: float) -> Finding:
        was = note.key in self.present(now)
        own, is_let_go = (note.key, node), False
        self.held.pop(own, None)
        if note.act is Act.LEAVE:
            weak = [
                at
                for at, (till, is_open) in self.held.items()
                if at[0] == note.key and not is_open and till > now
            ]
            for at in weak:
                del self.held[at]
            is_let_go = bool(weak)
            self.quiet.pop(note.key, None)
            if note.key in self.known and note.key not in self.present(now):
                self.quiet[note.key] = note.at + QUIET_S
        others = max(
            (till for at, (till, _) in self.held.items() if at[0] == note.key and till > now), default=0.0
        )
        if note.act not in (Act.KNOWN, Act.LEAVE):
            is_late = note.act is Act.SEEN and not was and note.at < self.quiet.get(note.key, 0)
            if not is_late and note.at + EXPIRY_S > now:
                self.quiet.pop(note.key, None)
                self.held[own] = note.at + EXPIRY_S, note.act is Act.OPEN
        if note.act is not Act.LEAVE:
            self.known.add(note.key)
        self.peak = max(self.peak, len(self.present(now)))
        return Finding(is_let_go, others)


@pytest.mark.parametrize("seed", range(8))
async def test_any_order(redis_server: RedisServer, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 no secret
    now, model = 1_777_636_800.0, Model()
    async with (
        redis_presence(redis_server.url, "a") as a,
        redis_presence(redis_server.url, "b") as b,
        redis_presence(redis_server.url, "c") as c,
    ):
        nodes, version = {"a": a, "b": b, "c": c}, 0
        for _ in range(300):
            now += dice.choice([0, 0.000001, 1, 7.25, 29.5, 30])
            node = dice.choice(NODES)  # one that is not chosen any more has died
            notes = [
                Note(STREAM, dice.choice(VIEWERS), dice.choice(list(Act)), now - dice.choice([0, 0, 5, 31]))
                for _ in range(dice.randrange(4))
            ]
            answer = (await nodes[node].tell({STREAM: notes}, now))[STREAM]
            assert list(answer.findings) == [model.tell(node, note, now) for note in notes]
            present = model.present(now)
            assert answer.figures == Figures(len(present), model.peak, len(model.known))
            assert answer.version > version
            version = answer.version
            ends = [
                max(till for (viewer, _), (till, _) in model.held.items() if viewer == one) for one in present
            ]
            assert answer.due_at == pytest.approx(min(ends, default=float("inf")))


async def test_more_notes_than_one_call_takes(redis_server: RedisServer) -> None:
    async with redis_presence(redis_server.url) as shared:
        notes = [Note(STREAM, f"viewer {n}", Act.JOIN, 1000.0) for n in range(MAX_NOTES + 1)]
        found = await shared.tell({STREAM: notes, "two": notes[:1], "three": ()}, 1000.0)
        wanted = MAX_NOTES + 1
        assert found[STREAM].figures == Figures(wanted, wanted, wanted)
        assert found["two"].figures == Figures(1, 1, 1)
        assert found["three"].figures == Figures(0, 0, 0)
        assert len(found[STREAM].findings) == wanted


async def test_a_redis_that_has_been_restarted(redis_server: RedisServer) -> None:
    async with redis_presence(redis_server.url) as shared:
        before = (await shared.tell({STREAM: ()}, 1000.0))[STREAM]
        redis_server.stop()
        for notes in ({STREAM: ()}, {}):
            with pytest.raises(CapacityError, match="Redis does not count viewers"):
                await shared.tell(notes, 1001.0)
        redis_server.start()  # without the script
        after = (await shared.tell({STREAM: [Note(STREAM, "ann", Act.JOIN, 1002.0)]}, 1002.0))[STREAM]
        assert after.figures == Figures(1, 1, 1)
        assert after.version > before.version
