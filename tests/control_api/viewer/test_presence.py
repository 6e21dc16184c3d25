"""Who is present: against a model that keeps everything and looks at all of it each time."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from control_api.viewer.audience import Figures, ViewerRow
from control_api.viewer.presence import EXPIRY_S, KEPT_S, QUIET_S, Presence

STREAMS, VIEWERS = ("one", "two"), ("ann", "bob", "cleo", "owner")
BEFORE = -1e9


@dataclass
class Watched:
    """One viewer of the model: when there were signs of life, and when each visit ended."""

    spans: list[list[float]] = field(default_factory=list)
    visits: int = 0
    left_at: float | None = BEFORE
    quiet_until: float = BEFORE

    @property
    def is_present(self) -> bool:
        return self.left_at is None

    @property
    def watch_time_s(self) -> float:
        return sum(end - begin for begin, end in self.spans)


class PresenceMachine(RuleBasedStateMachine):
    """Signs of life, leaves and silences in any order; every stored row is what the model says."""

    def __init__(self) -> None:
        super().__init__()
        self.presence = Presence()
        self.now = 1000.0
        self.model: dict[str, dict[str, Watched]] = {stream: {} for stream in STREAMS}
        self.peaks = dict.fromkeys(STREAMS, 0)
        self.ended: set[str] = set()
        self.stored: dict[tuple[str, str], ViewerRow] = {}

    @initialize()
    def begin(self) -> None:
        for stream in STREAMS:
            self.presence.open(stream, "owner")

    @rule(seconds=st.sampled_from([0, 0.5, 3, QUIET_S, 12, EXPIRY_S - 0.5, EXPIRY_S, 47]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self._silences()

    @rule(stream=st.sampled_from(STREAMS), viewer=st.sampled_from(VIEWERS))
    def join(self, stream: str, viewer: str) -> None:
        self.presence.join(stream, viewer, self.now)
        self._sign(stream, viewer, is_join=True)

    @rule(stream=st.sampled_from(STREAMS), viewer=st.sampled_from(VIEWERS))
    def seen(self, stream: str, viewer: str) -> None:
        self.presence.seen(stream, viewer, self.now)
        self._sign(stream, viewer, is_join=False)

    @rule(stream=st.sampled_from(STREAMS), viewer=st.sampled_from(VIEWERS))
    def leave(self, stream: str, viewer: str) -> None:
        self.presence.leave(stream, viewer, self.now)
        watched = self.model[stream].get(viewer)
        if watched is not None and watched.is_present:
            watched.spans[-1][1] = watched.left_at = self.now
            watched.quiet_until = self.now + QUIET_S

    @rule(stream=st.sampled_from(STREAMS))
    def end(self, stream: str) -> None:
        self.presence.close(stream, self.now)
        if stream not in self.ended:
            self.ended.add(stream)
            for watched in self.model[stream].values():
                if watched.is_present:
                    watched.spans[-1][1] = watched.left_at = self.now

    @rule(limit=st.integers(1, 10), works=st.booleans())
    def store(self, limit: int, works: bool) -> None:
        changes = self.presence.take(limit)
        assert len(changes.viewers) <= limit
        if works:
            self.stored |= {(row.stream_id, row.viewer_id): row for row in [v.row() for v in changes.viewers]}
        else:
            self.presence.give_back(changes)

    @invariant()
    def figures_are_those_of_the_model(self) -> None:
        remembered = 0
        for stream, viewers in self.model.items():
            figures = self.presence.figures(stream, self.now)
            present = sum(watched.is_present for watched in viewers.values())
            if figures is None:
                assert stream in self.ended
            else:
                assert figures == Figures(present, self.peaks[stream], len(viewers))
                remembered += len(viewers)
        assert len(self.presence) == remembered

    def teardown(self) -> None:
        while (changes := self.presence.take(3)).viewers:
            self.stored |= {(row.stream_id, row.viewer_id): row for row in [v.row() for v in changes.viewers]}
        wanted = {(stream, key): watched for stream in STREAMS for key, watched in self.model[stream].items()}
        assert self.stored.keys() == wanted.keys()
        for key, watched in wanted.items():
            row = self.stored[key]
            assert (row.visits, row.left_at) == (watched.visits, watched.left_at), key
            assert row.watch_time_s == pytest.approx(watched.watch_time_s), key
            assert row.last_seen_at == watched.spans[-1][1]
            assert row.joined_at == watched.spans[0][0]

    def _sign(self, stream: str, viewer: str, *, is_join: bool) -> None:
        if viewer == "owner" or stream in self.ended:
            return
        watched = self.model[stream].setdefault(viewer, Watched())
        if watched.left_at is None:
            watched.spans[-1][1] = self.now
        elif is_join or self.now - watched.left_at >= EXPIRY_S:
            watched.visits += 1
            watched.spans.append([self.now, self.now])
        elif self.now < watched.quiet_until:
            return
        else:
            watched.spans[-1][1] = self.now
        watched.left_at, watched.quiet_until = None, BEFORE
        present = sum(one.is_present for one in self.model[stream].values())
        self.peaks[stream] = max(self.peaks[stream], present)

    def _silences(self) -> None:
        for viewers in self.model.values():
            for watched in viewers.values():
                if watched.is_present and self.now - watched.spans[-1][1] >= EXPIRY_S:
                    watched.left_at = watched.spans[-1][1]


PresenceMachine.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestPresence = PresenceMachine.TestCase


def opened(max_viewers: int = 1000) -> Presence:
    presence = Presence(max_viewers)
    presence.open("one", "owner")
    return presence


def stored(presence: Presence) -> dict[str, ViewerRow]:
    """Store what there is to store, in a database that knew nothing of it."""
    viewers = presence.take(1000).viewers
    for viewer in viewers:
        presence.learn(viewer, None)
    return {viewer.key: viewer.row() for viewer in viewers}


def test_three_tabs_watch_as_long_as_one() -> None:
    presence = opened()
    for second in range(61):
        for tab in range(3):
            presence.seen("one", "ann", 1000 + second + tab / 3 if second < 60 else 1060)
    presence.leave("one", "ann", 1060)
    assert stored(presence)["ann"].watch_time_s == pytest.approx(60)


def test_silence_is_not_watched() -> None:
    presence = opened()
    presence.join("one", "ann", 1000)
    presence.seen("one", "ann", 1020)
    presence.expire(1049.9)
    assert presence.figures("one", 1049.9) == Figures(1, 1, 1)
    assert presence.figures("one", 1050) == Figures(0, 1, 1)
    row = stored(presence)["ann"]
    assert (row.watch_time_s, row.left_at) == (20, 1020)


def test_what_a_player_still_asks_for_does_not_bring_its_viewer_back() -> None:
    presence = opened()
    presence.join("one", "ann", 1000)
    presence.leave("one", "ann", 1010)
    presence.seen("one", "ann", 1010.1)
    assert presence.figures("one", 1011) == Figures(0, 1, 1)
    presence.join("one", "ann", 1011)
    assert presence.figures("one", 1011) == Figures(1, 1, 1)
    assert stored(presence)["ann"].visits == 2


def test_another_tab_goes_on() -> None:
    presence = opened()
    presence.join("one", "ann", 1000)
    presence.leave("one", "ann", 1010)  # one tab
    presence.seen("one", "ann", 1020)  # the other one
    presence.leave("one", "ann", 1025)
    row = stored(presence)["ann"]
    assert (row.visits, row.watch_time_s) == (1, 25)


def test_a_clock_that_is_set_back() -> None:
    presence = opened()
    presence.join("one", "ann", 1000)
    presence.seen("one", "ann", 900)
    presence.join("one", "bob", 10)
    presence.seen("one", "ann", 1005)
    rows = stored(presence)
    assert rows["ann"].watch_time_s == 5
    assert all(row.last_seen_at >= row.joined_at for row in rows.values())


def test_a_stream_that_is_not_live_counts_nobody() -> None:
    presence = Presence()
    presence.join("one", "ann", 1000)
    presence.seen("one", "ann", 1000)
    presence.leave("one", "ann", 1000)
    presence.close("one", 1000)
    assert presence.figures("one", 1000) is None
    assert presence.take(10).viewers == []


def test_figures_of_an_ended_stream_stay_for_a_while() -> None:
    presence = opened()
    presence.join("one", "ann", 1000)
    presence.close("one", 1010)
    presence.open("one", "owner")  # nothing brings it back
    presence.join("one", "bob", 1011)
    stored(presence)
    assert presence.figures("one", 1009 + KEPT_S) == Figures(0, 1, 1)
    assert presence.figures("one", 1010 + KEPT_S) is None
    assert len(presence) == 0


def test_an_ended_stream_is_kept_until_it_is_stored() -> None:
    presence = opened()
    presence.join("one", "ann", 1000)
    presence.close("one", 1010)
    presence.expire(2000)
    assert stored(presence)["ann"].left_at == 1010
    assert presence.figures("one", 2000) is None


def test_memory_is_bounded_and_those_who_were_forgotten_are_counted_once() -> None:
    presence = opened(max_viewers=3)
    for key in ("ann", "bob", "cleo"):
        presence.join("one", key, 1000)
        presence.leave("one", key, 1000)
    presence.join("one", "dan", 1001)
    assert presence.figures("one", 1001) == Figures(0, 1, 3)  # nobody is stored, so nobody makes room
    rows = stored(presence)
    presence.join("one", "dan", 1001)
    assert presence.figures("one", 1001) == Figures(1, 1, 4)
    presence.join("one", "ann", 1002)  # who was forgotten, and looks new until the database has been asked
    assert len(presence) == 3
    viewers = presence.take(10).viewers
    for viewer in viewers:
        presence.learn(viewer, rows.get(viewer.key))
    assert presence.figures("one", 1002) == Figures(2, 2, 4)
    ann = next(viewer for viewer in viewers if viewer.key == "ann").row()
    assert (ann.visits, ann.joined_at) == (2, 1000)


def test_recalled_viewers_are_absent_and_known() -> None:
    presence = Presence(max_viewers=2)
    presence.open("one", "owner", peak=7, unique=3)
    for key in ("ann", "bob", "cleo"):
        presence.recall(ViewerRow("one", key, 900, 990, None, 2, 50))
    presence.recall(ViewerRow("elsewhere", "ann", 900, 990, None, 2, 50))
    assert len(presence) == 2
    assert presence.figures("one", 1000) == Figures(0, 7, 3)
    presence.seen("one", "ann", 1000)  # it was the server that was away
    assert presence.figures("one", 1000) == Figures(1, 7, 3)
    presence.join("one", "bob", 1001)
    rows = stored(presence)
    assert (rows["ann"].visits, rows["ann"].watch_time_s, rows["ann"].joined_at) == (2, 60, 900)
    assert (rows["bob"].visits, rows["bob"].watch_time_s) == (3, 50)
