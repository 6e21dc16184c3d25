"""A server with nothing but a database, to be killed: `keeper.py DATA_DIR`. It adds a row at each start."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import asyncpg

from mediaserver.postgres import EmbeddedPostgres


async def main() -> None:
    postgres = EmbeddedPostgres(Path(sys.argv[1]))
    dsn = await postgres.start()
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE TABLE IF NOT EXISTS starts (at timestamptz DEFAULT now())")
    await connection.execute("INSERT INTO starts DEFAULT VALUES")
    print(await connection.fetchval("SELECT count(*) FROM starts"), flush=True)  # noqa: T201
    await asyncio.to_thread(sys.stdin.read)
    await connection.close()
    await postgres.stop()


if __name__ == "__main__":
    asyncio.run(main())
