from __future__ import annotations

import pytest

from .scene import MakeScene


@pytest.fixture
def make_scene(monkeypatch: pytest.MonkeyPatch) -> MakeScene:
    """Build broadcasts whose encoder is a stand-in."""
    return MakeScene(monkeypatch)
