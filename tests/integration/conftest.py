"""Integration tests run one real server each; they are slower than unit tests and say so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .server import STEADY, Server, running_server

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test here as integration and give it time for real time to pass."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.integration)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(90))


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """Run a fresh server with an empty DATA_DIR. It sheds nothing, however slow the machine of the tests is."""
    async with running_server(tmp_path, STEADY, LADDER="always") as running:
        yield running
