"""Connections to PostgreSQL, and whether it answers.

While it does not, every call is refused at once with `CapacityError`; a probe finds out when it is back. So a database
that is away costs a request no time, and nobody has to restart anything.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

import asyncpg
import structlog

from media.ending import end_task
from media.error import CapacityError, ConfigError

if TYPE_CHECKING:
    from asyncpg import Record
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[Record]

logger = structlog.get_logger(__name__)

MAX_CONNECTIONS = 6
"""Of one server. Queries take a millisecond: six at once are more than two cores of a database can answer."""

COMMAND_TIMEOUT_S = 5.0
"""No query here takes a tenth of it; what takes longer waits for a database that hangs."""

TRIES = 3
"""Of a statement that two others wait for in a circle: PostgreSQL ends one of them, and it has done nothing yet."""

PROBE_TIMEOUT_S = 1.0
PROBE_INTERVAL_S = 0.5
RETRY_AFTER_S = 2.0

AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InternalClientError,
)
"""What says that the database cannot do its work now, whatever it was asked.

The last one is what asyncpg says of a connection that was cut while it was asked.
"""

Hook = Callable[[], Awaitable[None]]


class Database:
    """A pool of connections.

    Args:
        pool: of asyncpg.
        dsn: of the database, for a connection beside the pool.
    """

    def __init__(self, pool: asyncpg.Pool[Record], dsn: str) -> None:
        self._pool = pool
        self.dsn = dsn
        self._filler = asyncio.create_task(self._fill())
        self._prober: asyncio.Task[None] | None = None
        self._hooks: list[Hook] = []
        self._is_closed = False

    @classmethod
    async def open(cls, dsn: str, *, size: int = MAX_CONNECTIONS) -> Self:
        """Connect.

        Raises:
            ConfigError: the database cannot be reached or refuses us.
        """
        try:
            pool = await asyncpg.create_pool(
                dsn,
                min_size=1,
                max_size=size,
                max_inactive_connection_lifetime=0,
                command_timeout=COMMAND_TIMEOUT_S,
                timeout=COMMAND_TIMEOUT_S,
                init=prepare_connection,
                server_settings=SERVER_SETTINGS,
            )
        except (*AWAY, asyncpg.PostgresError, ValueError) as error:
            raise ConfigError([f"DATABASE_URL: {connect_fault(error)}"]) from error
        return cls(pool, dsn)

    async def close(self) -> None:
        """Close all connections, those that hang too."""
        self._is_closed = True
        if self._prober is not None:
            await end_task(self._prober)
        await end_task(self._filler)
        try:
            await asyncio.wait_for(self._pool.close(), PROBE_TIMEOUT_S)
        except AWAY:
            self._pool.terminate()

    @property
    def fault(self) -> str | None:
        """Why nothing can be stored at the moment, for `/readyz`; None when everything can."""
        return None if self._prober is None else "the database does not answer"

    def when_back(self, hook: Hook) -> None:
        """Call `hook` whenever the database answers again after it did not."""
        self._hooks.append(hook)

    async def fetch(self, sql: str, *args: object) -> list[Record]:
        """Read rows.

        Raises:
            CapacityError: the database does not answer; so do all the others here.
        """
        for _ in range(TRIES - 1):
            with suppress(asyncpg.DeadlockDetectedError):
                return await self._fetch(sql, *args)
        return await self._fetch(sql, *args)

    async def _fetch(self, sql: str, *args: object) -> list[Record]:
        async with self.connection() as connection:
            return await connection.fetch(sql, *args)

    async def fetchrow(self, sql: str, *args: object) -> Record | None:
        """Read one row, None when there is none."""
        async with self.connection() as connection:
            row: Record | None = await connection.fetchrow(sql, *args)
            return row

    async def fetchval(self, sql: str, *args: object) -> Any:
        """Read one value."""
        async with self.connection() as connection:
            return await connection.fetchval(sql, *args)

    async def execute(self, sql: str, *args: object) -> int:
        """Write; returns how many rows it concerned."""
        async with self.connection() as connection:
            return count_of(await connection.execute(sql, *args))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Do several things or none of them."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection."""
        if self._prober is not None:
            raise away()
        with self._watching():
            async with self._pool.acquire(timeout=COMMAND_TIMEOUT_S) as connection:
                yield connection

    @contextmanager
    def _watching(self) -> Iterator[None]:
        try:
            yield
        except AWAY as error:
            self._suspect(error)
            raise away() from error

    def _suspect(self, error: Exception) -> None:
        """Refuse everybody until the probe has had an answer: if it was one bad connection, that is at once."""
        if self._prober is None and not self._is_closed:
            logger.warning("database_away", reason=connect_fault(error))
            self._prober = asyncio.create_task(self._probe())

    async def _fill(self) -> None:
        """Open what connections there may be, one after the other and before they are needed.

        Each costs some 30 ms of a core (a process, a password, types that are looked up). Opened when the first are
        busy, they would all be opened at once, and everybody waited for all of them.
        """
        async with AsyncExitStack() as stack:
            with suppress(*AWAY, asyncpg.PostgresError):
                for _ in range(self._pool.get_max_size() - 1):
                    await stack.enter_async_context(self._pool.acquire(timeout=COMMAND_TIMEOUT_S))

    async def _probe(self) -> None:
        while not await self._answers():  # noqa: ASYNC110 nobody else knows when it is back
            await asyncio.sleep(PROBE_INTERVAL_S)
        # Connections of the time before may be dead without knowing it.
        await self._pool.expire_connections()
        await end_task(self._filler)  # it may still wait for the database of before
        self._filler = asyncio.create_task(self._fill())
        self._prober = None
        logger.info("database_back")
        for hook in self._hooks:
            try:
                await hook()
            except CapacityError:
                return
            except Exception:
                logger.exception("database_hook_failed")

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                connection = await asyncpg.connect(self.dsn, timeout=PROBE_TIMEOUT_S)
                try:
                    return not await connection.fetchval("SELECT pg_is_in_recovery()")
                finally:
                    connection.terminate()
        except (*AWAY, asyncpg.PostgresError):
            return False


SERVER_SETTINGS = {"application_name": "mediaserver", "timezone": "UTC", "jit": "off"}


async def prepare_connection(connection: asyncpg.Connection[Record]) -> None:
    """Make ids text and JSON Python's own, as the rest of the program has them."""
    await connection.set_type_codec("uuid", encoder=str, decoder=str, schema="pg_catalog", format="text")
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


def away() -> CapacityError:
    """Make the refusal for as long as the database is away."""
    return CapacityError("The database does not answer at the moment.", retry_after_s=RETRY_AFTER_S)


def connect_fault(error: Exception) -> str:
    """Say why a connection failed, without the password that the address may hold."""
    match error:
        case TimeoutError():
            return "the database does not answer in time"
        case OSError():
            return f"the database cannot be reached: {error.strerror or type(error).__name__}"
        case asyncpg.PostgresError():
            return f"the database refuses: {error.args[0] if error.args else type(error).__name__}"
        case asyncpg.InterfaceError():
            return f"the connection broke: {error.args[0] if error.args else type(error).__name__}"
    return "this is no address of a PostgreSQL database (postgresql://USER:PASSWORD@HOST/NAME)"


def count_of(status: str) -> int:
    """Read how many rows a command concerned from its status (`UPDATE 1`)."""
    _, _, count = status.rpartition(" ")
    return int(count) if count.isdigit() else 0
