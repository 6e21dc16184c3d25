"""An interlude: when a slate is made, when it is shown, when it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from media.error import TranscodeError
from mediaserver.live import interlude as interlude_module
from mediaserver.live.interlude import Interlude
from transcode.slate import SlateRequest, SlateRung
from transcode.supervisor import WorkerPool

REQUEST = SlateRequest(None, [], [], "Reconnecting …", 20, 9000)
NEVER_S = 3600.0


class FakeScreen:
    """A broadcast that notes what it is told to show."""

    def __init__(self, request: SlateRequest | None = REQUEST) -> None:
        self.request = request
        self.slates: list[Mapping[str, SlateRung]] = []
        self.shown: list[int] = []
        self.has_shown = asyncio.Event()

    def slate_request(self) -> SlateRequest | None:
        return self.request

    def begin_slate(self, slate: Mapping[str, SlateRung]) -> int:
        self.slates.append(slate)
        return 900

    def show_slate(self, elapsed: int) -> None:
        self.shown.append(elapsed)
        if len(self.shown) >= 3:
            self.has_shown.set()


def make_interlude(after_s: float, making: asyncio.Semaphore | None = None) -> Interlude:
    return Interlude(WorkerPool(), making or asyncio.Semaphore(1), after_s)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[SlateRequest]:
    """Let slates be made at once; returns the list of what was asked for."""
    requests: list[SlateRequest] = []

    async def make(pool: WorkerPool, request: SlateRequest, timeout_s: float) -> Mapping[str, SlateRung]:
        requests.append(request)
        return {}

    monkeypatch.setattr(interlude_module, "make_slate", make)
    monkeypatch.setattr(interlude_module, "SETTLE_S", 0.0)
    return requests


async def test_slate_is_made_and_shown_until_the_source_is_back(made: list[SlateRequest]) -> None:
    screen = FakeScreen()
    interlude = make_interlude(0.01)
    interlude.begin(screen, 0.0)
    await screen.has_shown.wait()
    interlude.end()
    count = len(screen.shown)
    await asyncio.sleep(0.03)
    assert made == [REQUEST]
    assert len(screen.slates) == 1
    assert screen.shown == sorted(screen.shown)
    assert len(screen.shown) == count


async def test_source_that_is_back_soon_sees_none(made: list[SlateRequest]) -> None:
    screen = FakeScreen()
    interlude = make_interlude(NEVER_S)
    interlude.begin(screen, 0.0)
    await asyncio.sleep(0.01)
    interlude.end()
    await asyncio.sleep(0.01)
    assert made == [REQUEST], "it is made in advance"
    assert screen.slates == []


async def test_time_in_silence_before_the_loss_was_found_counts(made: list[SlateRequest]) -> None:
    screen = FakeScreen()
    interlude = make_interlude(NEVER_S)
    interlude.begin(screen, NEVER_S)
    await screen.has_shown.wait()
    interlude.end()


async def test_audio_alone_needs_no_pictures(made: list[SlateRequest]) -> None:
    screen = FakeScreen(None)
    interlude = make_interlude(0.0)
    interlude.begin(screen, 0.0)
    await screen.has_shown.wait()
    interlude.end()
    assert made == []
    assert screen.slates == [{}]


async def test_slate_that_cannot_be_made_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asyncio.Event()

    async def fail(pool: WorkerPool, request: SlateRequest, timeout_s: float) -> Mapping[str, SlateRung]:
        asked.set()
        raise TranscodeError("no worker")

    monkeypatch.setattr(interlude_module, "make_slate", fail)
    monkeypatch.setattr(interlude_module, "SETTLE_S", 0.0)
    screen = FakeScreen()
    interlude = make_interlude(0.0)
    interlude.begin(screen, 0.0)
    await asked.wait()
    await asyncio.sleep(0.01)
    interlude.end()
    assert screen.slates == []


async def test_a_new_loss_begins_anew(made: list[SlateRequest]) -> None:
    first, second = FakeScreen(), FakeScreen()
    interlude = make_interlude(0.0)
    interlude.begin(first, 0.0)
    await first.has_shown.wait()
    interlude.begin(second, 0.0)
    await second.has_shown.wait()
    interlude.end()
    interlude.end()
    assert len(first.slates) == len(second.slates) == 1


async def test_slates_are_made_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once: list[int] = []
    running = 0

    async def make(pool: WorkerPool, request: SlateRequest, timeout_s: float) -> Mapping[str, SlateRung]:
        nonlocal running
        running += 1
        at_once.append(running)
        await asyncio.sleep(0.005)
        running -= 1
        return {}

    monkeypatch.setattr(interlude_module, "make_slate", make)
    monkeypatch.setattr(interlude_module, "SETTLE_S", 0.0)
    making = asyncio.Semaphore(2)
    screens = [FakeScreen() for _ in range(6)]
    interludes = [make_interlude(0.0, making) for _ in screens]
    for interlude, screen in zip(interludes, screens, strict=True):
        interlude.begin(screen, 0.0)
    for interlude, screen in zip(interludes, screens, strict=True):
        await screen.has_shown.wait()
        interlude.end()
    assert len(at_once) == 6
    assert max(at_once) == 2
