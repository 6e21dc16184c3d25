"""The store on every version of PostgreSQL that is supported."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from control_api.key_box import KeyBox
from control_api.postgres.database import Database
from control_api.postgres.store import PostgresStore
from tests.database import PostgresServer

BOX = KeyBox(b"a secret of the tests")


@pytest.fixture
async def database(any_postgres: PostgresServer) -> AsyncIterator[Database]:
    async with any_postgres.database() as dsn:
        database = await Database.open(dsn)
        yield database
        await database.close()


@pytest.fixture
def store(database: Database) -> PostgresStore:
    return PostgresStore(database, BOX)
