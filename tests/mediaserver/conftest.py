from __future__ import annotations

import pytest

from control_api.key_box import KeyBox
from control_api.postgres.database import Database
from control_api.postgres.store import PostgresStore
from mediaserver.live import broadcast

from .scene import MakeScene


@pytest.fixture
def make_scene(monkeypatch: pytest.MonkeyPatch) -> MakeScene:
    """Build broadcasts whose encoder is a stand-in."""
    return MakeScene(monkeypatch)


@pytest.fixture(autouse=True)
def count_from_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let timelines begin at 0, so that the positions in these tests read as frame numbers."""
    monkeypatch.setattr(broadcast, "START", 0)


@pytest.fixture
def store(database: Database) -> PostgresStore:
    """Give a store without users."""
    return PostgresStore(database, KeyBox(b"a secret of the tests"))
