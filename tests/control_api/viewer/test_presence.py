"""Who is present: against a model that keeps everything and looks at all of it each time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from control_api.viewer.audience import MAX_SPANS, Figures, KnownViewer, Viewer
from control_api.viewer.presence import EXPIRY_S, KEPT_S, QUIET_S, Presence

from .row import Row, add_all

STREAMS, VIEWERS = ("one", "two"), ("ann", "bob", "cleo", "owner")
BEFORE = -1e9


@dataclass
class Watched:
    """One viewer of the model: when there were signs of life, and when each visit ended."""

    spans: list[list[float]] = field(default_factory=list)
    visits: int = 0
    left_at: float | None = BEFORE
    quiet_until: float = BEFORE
    sockets: list[Viewer] = field(default_factory=list)

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
        self.stored: dict[tuple[str, str], Row] = {}

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
            self._leave(watched)

    @rule(stream=st.sampled_from(STREAMS), viewer=st.sampled_from(VIEWERS))
    def attach(self, stream: str, viewer: str) -> None:
        socket = self.presence.attach(stream, viewer, self.now)
        self._sign(stream, viewer, is_join=True)
        assert (socket is None) == (viewer == "owner" or stream in self.ended)
        if socket is not None:
            self.model[stream][viewer].sockets.append(socket)

    @rule(stream=st.sampled_from(STREAMS), viewer=st.sampled_from(VIEWERS), has_left=st.booleans())
    def detach(self, stream: str, viewer: str, has_left: bool) -> None:
        watched = self.model[stream].get(viewer)
        if watched is None or not watched.sockets:
            return
        self.presence.detach(watched.sockets.pop(), self.now, has_left=has_left)
        if watched.is_present:
            watched.spans[-1][1] = self.now
            if has_left:
                self._leave(watched)

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
        changes = self.presence.unstored.take(limit)
        assert len(changes.spans) <= limit
        if works:
            add_all(self.stored, changes.spans.values())
            uniques = {stream: sum(key[0] == stream for key in self.stored) for stream in STREAMS}
            self.presence.unstored.settle(changes, uniques)
        else:
            self.presence.unstored.give_back(changes)

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
        self.presence.refresh(self.now, 0)
        while (changes := self.presence.unstored.take(3)).spans:
            add_all(self.stored, changes.spans.values())
        wanted = {(stream, key): watched for stream in STREAMS for key, watched in self.model[stream].items()}
        assert self.stored.keys() == wanted.keys()
        for key, watched in wanted.items():
            row = self.stored[key]
            assert row.visits == watched.visits, key
            assert row.left_at == (None if watched.is_present else about(watched.spans[-1][1])), key
            assert row.watch_time_s == pytest.approx(watched.watch_time_s, abs=1e-4), key
            assert row.last_seen_at == about(watched.spans[-1][1])
            assert row.spans[0][0] == watched.spans[0][0]

    def _leave(self, watched: Watched) -> None:
        watched.spans[-1][1] = self.now
        if not watched.sockets:
            watched.left_at = self.now
            watched.quiet_until = self.now + QUIET_S

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
                if watched.is_present and watched.sockets:
                    watched.spans[-1][1] = self.now
                elif watched.is_present and self.now - watched.spans[-1][1] >= EXPIRY_S:
                    watched.left_at = watched.spans[-1][1]


def about(seconds: float) -> Any:
    return pytest.approx(seconds, abs=1e-4)


PresenceMachine.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestPresence = PresenceMachine.TestCase


def opened(max_viewers: int = 1000) -> Presence:
    presence = Presence(max_viewers)
    presence.open("one", "owner")
    return presence


def stored(presence: Presence, rows: dict[tuple[str, str], Row] | None = None) -> dict[str, Row]:
    """Store what there is to store, in a database that knew nothing of it."""
    rows = {} if rows is None else rows
    changes = presence.unstored.take(1000)
    add_all(rows, changes.spans.values())
    uniques = {stream: sum(key[0] == stream for key in rows) for stream in STREAMS}
    presence.unstored.settle(changes, uniques)
    return {key: row for (_, key), row in rows.items()}


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
    assert all(ended >= began for row in rows.values() for began, ended in row.spans)


def test_a_stream_that_is_not_live_counts_nobody() -> None:
    presence = Presence()
    presence.join("one", "ann", 1000)
    presence.seen("one", "ann", 1000)
    presence.leave("one", "ann", 1000)
    presence.close("one", 1000)
    assert presence.figures("one", 1000) is None
    assert presence.unstored.take(10).spans == {}


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
    rows: dict[tuple[str, str], Row] = {}
    stored(presence, rows)
    presence.join("one", "dan", 1001)
    assert presence.figures("one", 1001) == Figures(1, 1, 4)
    presence.join("one", "ann", 1002)  # who was forgotten, and looks new until the database has been asked
    assert len(presence) == 3
    assert presence.figures("one", 1002) == Figures(2, 2, 5)
    ann = stored(presence, rows)["ann"]
    assert presence.figures("one", 1002) == Figures(2, 2, 4)
    assert ann.visits == 2


def test_recalled_viewers_are_absent_and_known() -> None:
    presence = Presence(max_viewers=2)
    presence.open("one", "owner", peak=7, unique=3)
    for key in ("ann", "bob", "cleo"):
        presence.recall(KnownViewer("one", key, 990))
    presence.recall(KnownViewer("elsewhere", "ann", 990))
    assert len(presence) == 2
    assert presence.figures("one", 1000) == Figures(0, 7, 3)
    presence.seen("one", "ann", 1000)  # it was the server that was away
    assert presence.figures("one", 1000) == Figures(1, 7, 3)
    presence.join("one", "bob", 1001)
    rows = {("one", key): Row([(900, 990)], visits=2) for key in ("ann", "bob", "cleo")}
    after = stored(presence, rows)
    assert (after["ann"].visits, after["ann"].watch_time_s) == (2, 100)
    assert (after["bob"].visits, after["bob"].watch_time_s) == (3, 90)


def test_a_leave_while_a_socket_is_open_is_none() -> None:
    presence = opened()
    socket = presence.attach("one", "ann", 1000)
    assert socket is not None
    presence.leave("one", "ann", 1010)
    assert presence.figures("one", 1100) == Figures(1, 1, 1)
    presence.detach(socket, 1100, has_left=True)
    presence.seen("one", "ann", 1101)  # what its player had asked for
    assert presence.figures("one", 1101) == Figures(0, 1, 1)
    row = stored(presence)["ann"]
    assert (row.watch_time_s, row.visits, row.left_at) == (100, 1, 1100)


def test_a_connection_that_was_lost_is_silence_from_then_on() -> None:
    presence = opened()
    socket = presence.attach("one", "ann", 1000)
    assert socket is not None
    presence.detach(socket, 1025, has_left=False)
    assert presence.figures("one", 1054.9) == Figures(1, 1, 1)
    assert presence.figures("one", 1055) == Figures(0, 1, 1)
    assert stored(presence)["ann"].watch_time_s == 25


def test_coming_and_going_while_nothing_can_be_stored_takes_bounded_memory() -> None:
    presence = opened()
    for number in range(100):
        presence.join("one", "ann", 1000 + 60 * number)
        presence.leave("one", "ann", 1010 + 60 * number)
    changes = presence.unstored.take(10)
    [spans] = changes.spans.values()
    assert len(spans) == MAX_SPANS + 1
    presence.unstored.give_back(changes)
    row = stored(presence)["ann"]
    assert row.watch_time_s == 1000
    assert row.left_at == 1000 + 60 * 99 + 10
