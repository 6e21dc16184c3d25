"""Three servers that count together, in any order of what may happen, against a model that knows everything."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from control_api.stream.record import Identity, Stream
from control_api.viewer.attending import Attending
from control_api.viewer.presence import EXPIRY_S, REFRESH_S
from control_api.viewer.viewer_id import user_key

from .test_service import Node
from .test_sharing import Cluster, cluster, figures  # noqa: F401 a fixture

pytestmark = pytest.mark.timeout(60)

USERS = ("ann", "bob", "cleo")
STEPS = 120


@dataclass
class Hold:
    """What one server knows of one viewer."""

    seen_at: float
    sockets: list[Attending] = field(default_factory=list)


@dataclass
class Model:
    """Who is present where, and when everybody was."""

    now: float
    holds: dict[tuple[str, int], Hold] = field(default_factory=dict)
    since: dict[str, float] = field(default_factory=dict)
    watched_s: dict[str, float] = field(default_factory=dict)
    lost_s: dict[str, float] = field(default_factory=dict)
    peak: int = 0

    def see(self, user: str, node: int) -> Hold:
        hold = self.holds.setdefault((user, node), Hold(self.now))
        hold.seen_at = self.now
        self.since.setdefault(user, self.now)
        self.watched_s.setdefault(user, 0)
        self.peak = max(self.peak, len(self.since))
        return hold

    def leave(self, user: str, node: int) -> None:
        own = self.holds.get((user, node))
        if own is not None and own.sockets:
            own.seen_at = self.now
            return
        for key in [key for key, hold in self.holds.items() if key[0] == user and not hold.sockets]:
            del self.holds[key]
        self._end(user, self.now)

    def pass_time(self, seconds: float, dead: set[int]) -> None:
        self.now += seconds
        for (user, node), hold in list(self.holds.items()):
            if hold.sockets and node not in dead and self.now - hold.seen_at >= REFRESH_S:
                hold.seen_at = self.now
            elif self.now - hold.seen_at >= EXPIRY_S:
                others = [one.seen_at for key, one in self.holds.items() if key[0] == user]
                del self.holds[user, node]
                self._end(user, max(others))

    def crash(self, node: int) -> None:
        """Take note that sockets were watched up to here, although nobody may ever hear of it."""
        for (user, number), hold in self.holds.items():
            if number == node and hold.sockets:
                self.lost_s[user] = self.lost_s.get(user, 0) + self.now - hold.seen_at

    def _end(self, user: str, at: float) -> None:
        if user in self.since and not any(key[0] == user for key in self.holds):
            self.watched_s[user] += at - self.since.pop(user)


class Scene:
    """Servers, and the model of them."""

    def __init__(self, cluster: Cluster, seed: int) -> None:  # noqa: F811 likewise
        self.dice = random.Random(seed)  # noqa: S311 no secret
        self.cluster = cluster
        self.nodes: dict[int, Node] = {}
        self.dead: set[int] = set()
        self.model = Model(cluster.clock.now)

    async def start(self) -> None:
        self.nodes[len(self.nodes) + len(self.dead)] = await self.cluster.node()

    async def step(self, stream: Stream, *, may_crash: bool) -> None:
        number, user = self.dice.choice(list(self.nodes)), self.dice.choice(USERS)
        node, identity = self.nodes[number], Identity(user)
        what = self.dice.choice(["join", "leave", "attend", "close", "lose", "wait", "wait", "crash"])
        hold = self.model.holds.get((user, number))
        if what == "join":
            await node.viewers.join(stream.id, identity, None)
            self.model.see(user, number)
        elif what == "leave":
            await node.viewers.leave(stream.id, identity, None)
            self.model.leave(user, number)
        elif what == "attend":
            socket = await node.viewers.attend(stream.id, identity, None)
            self.model.see(user, number).sockets.append(socket)
        elif what in ("close", "lose") and hold is not None and hold.sockets:
            hold.sockets.pop().close(has_left=what == "close")
            hold.seen_at = self.model.now
            await node.viewers.look()
            if what == "close" and not hold.sockets:
                self.model.leave(user, number)
        elif what == "crash" and may_crash and self.dice.random() < 0.3:
            await node.viewers.close()  # nothing more is heard of it
            self.dead.add(number)
            self.model.crash(number)
            del self.nodes[number]
            await self.start()
        elif what == "wait":
            seconds = self.dice.choice([0.5, 4, 9])
            self.cluster.clock.now += seconds
            self.model.pass_time(seconds, self.dead)
        if self.dice.random() < 0.3:
            await self.dice.choice(list(self.nodes.values())).viewers.store_all()


@pytest.mark.parametrize("may_crash", [False, True], ids=["alive", "dying"])
@pytest.mark.parametrize("seed", range(4))
async def test_any_order(cluster: Cluster, seed: int, may_crash: bool) -> None:  # noqa: F811 likewise
    scene = Scene(cluster, seed)
    for _ in range(3):
        await scene.start()
    stream = await scene.nodes[0].live()
    for _ in range(STEPS):
        await scene.step(stream, may_crash=may_crash)
        found = await figures(stream, *scene.nodes.values())
        model = scene.model
        assert (found.viewer_count, found.peak_viewers) == (len(model.since), model.peak)
        assert found.unique_viewers == len(model.watched_s)
    for seconds in (5, *[9] * 5):
        cluster.clock.now += seconds
        model.pass_time(seconds, scene.dead)
        await figures(stream, *scene.nodes.values())
    for node in scene.nodes.values():
        await node.viewers.store_all()
    rows = await scene.nodes[max(scene.nodes)].rows(stream)
    assert rows.keys() == {user_key(user) for user in model.watched_s}
    for user, watched_s in model.watched_s.items():
        wanted = watched_s + (model.now - model.since[user] if user in model.since else 0)
        stored = rows[user_key(user)]["watch_time_s"]
        # What a server had not stored when it died is lost, and nothing is ever counted twice.
        assert stored <= wanted + model.lost_s.get(user, 0) + 0.01, user
        assert may_crash or stored >= wanted - 0.01, user
    assert (await scene.nodes[max(scene.nodes)].stored(stream)).viewer_count == len(model.since)
