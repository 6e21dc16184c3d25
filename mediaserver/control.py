"""The control plane as this process runs it: the database and the services on top."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from socket import gethostname
from typing import TYPE_CHECKING

from control_api.chat.service import ChatService
from control_api.chore import Chore
from control_api.event.announcement import TIDY_S, announcing
from control_api.idempotency import Idempotency
from control_api.key_box import KeyBox
from control_api.moderation.service import ModerationService
from control_api.plane import ControlPlane
from control_api.port import Broadcasts
from control_api.postgres.audit_table import AuditTable
from control_api.postgres.comment_table import CommentTable
from control_api.postgres.database import Database
from control_api.postgres.erasure_table import ErasureTable
from control_api.postgres.expiry_table import ExpiryTable
from control_api.postgres.idempotency_table import IdempotencyTable
from control_api.postgres.migration import bring_up_to_date
from control_api.postgres.moderation_table import ModerationTable
from control_api.postgres.reaction_table import ReactionTable
from control_api.postgres.store import PostgresStore
from control_api.postgres.webhook_table import WebhookTable
from control_api.realtime.bus import Bus, LocalBus
from control_api.realtime.hub import Hub
from control_api.stream.cached_store import CachedStore
from control_api.stream.pending_end import PendingEnds
from control_api.stream.schedule import Schedule
from control_api.stream.service import StreamService, utc_now
from control_api.token.access import TokenSigner, TokenVerifier
from control_api.user.erasure import UserErasure
from control_api.user.expiry import LOOK_S as PERSONAL_DATA_S
from control_api.user.expiry import PersonalData
from control_api.user.record import UserService
from control_api.user.social_graph_port import SocialGraph
from control_api.viewer.attendance import attending
from control_api.viewer.shared import SharedPresence
from mediaserver.config import Settings
from mediaserver.postgres import EmbeddedPostgres
from mediaserver.secret import key_secret

if TYPE_CHECKING:
    from control_api.event.redis_stream import RedisStreams

SCHEDULE_S = 15.0
"""Between two looks for scheduled streams whose time is near or long past."""

FIRST_MIGRATION = "001_create_live_streaming_tables"


@asynccontextmanager
async def open_control_plane(
    settings: Settings, secret: bytes, broadcasts: Broadcasts
) -> AsyncIterator[ControlPlane]:
    """Open the database with its newest schema, the embedded one where none is configured; close it at the end.

    Raises:
        ConfigError: DATA_DIR cannot be used, another server uses it, or the database does not serve.
    """
    async with AsyncExitStack() as stack:
        dsn = await stack.enter_async_context(open_database(settings))
        applied = await bring_up_to_date(dsn)
        database = await Database.open(dsn)
        stack.push_async_callback(database.close)
        box = KeyBox(key_secret(settings))
        tables = PostgresStore(database, box)
        if FIRST_MIGRATION in applied and not settings.database_url.get_secret_value():
            await tables.seed()
        store = CachedStore(tables, PendingEnds(settings.data_dir / "pending_ends"))
        await store.store_pending()
        database.when_back(store.store_pending)
        is_elsewhere = bool(settings.social_graph_grpc_url)
        graph = _open_graph(settings) if is_elsewhere else tables
        stack.push_async_callback(graph.close)
        bus, shared = await _open_cluster(settings, stack)
        service = StreamService(
            store,
            graph,
            broadcasts,
            min_followers=settings.min_followers_to_stream,
            is_graph_elsewhere=is_elsewhere,
        )
        moderation = ModerationService(ModerationTable(database), service, graph, bus=bus)
        await moderation.open()
        stack.callback(moderation.close)
        chat = ChatService(service, CommentTable(database), ReactionTable(database), moderation)
        stack.push_async_callback(chat.drain)
        announcements = await stack.enter_async_context(
            announcing(
                service,
                database,
                WebhookTable(database, box),
                graph,
                redis=await _open_redis(settings, stack),
                allow_private=settings.webhook_allow_private,
                now=utc_now,
            )
        )
        attendance = await stack.enter_async_context(
            attending(service, database, secret, shared=shared, bus=bus)
        )
        hub = Hub(service, chat, attendance, bus)
        await stack.enter_async_context(hub.checking)
        idempotency = Idempotency(IdempotencyTable(database, box))
        await stack.enter_async_context(Chore("schedule", Schedule(service, store, utc_now).work, SCHEDULE_S))
        await stack.enter_async_context(Chore("old answers", idempotency.tidy, TIDY_S))
        personal = PersonalData(ExpiryTable(database), settings.personal_data_days, utc_now)
        await stack.enter_async_context(Chore("personal data", personal.work, PERSONAL_DATA_S))
        yield ControlPlane(
            streams=service,
            users=UserService(store, is_graph_elsewhere=is_elsewhere),
            erasure=UserErasure(service, attendance.viewers, ErasureTable(database), chat.tell, secret),
            chat=chat,
            hub=hub,
            bus=bus,
            verifier=_open_verifier(settings, secret, stack),
            announcements=announcements,
            attendance=attendance,
            moderation=moderation,
            idempotency=idempotency,
            audit=AuditTable(database),
            database=database,
        )


def _open_graph(settings: Settings) -> SocialGraph:
    from control_api.user.social_graph import GrpcSocialGraph  # noqa: PLC0415 gRPC takes long to load

    return GrpcSocialGraph(settings.social_graph_grpc_url)


async def _open_cluster(settings: Settings, stack: AsyncExitStack) -> tuple[Bus, SharedPresence | None]:
    """Reach the other nodes; a server without Redis is alone."""
    if not (url := settings.redis_url.get_secret_value()):
        return LocalBus(), None
    from control_api.realtime.redis_bus import redis_bus  # noqa: PLC0415 Redis takes long to load
    from control_api.viewer.redis_presence import redis_presence  # noqa: PLC0415 likewise

    node = f"{gethostname()}-{secrets.token_hex(4)}"
    bus = await stack.enter_async_context(redis_bus(url, node))
    return bus, await stack.enter_async_context(redis_presence(url, node))


async def _open_redis(settings: Settings, stack: AsyncExitStack) -> RedisStreams | None:
    if not (url := settings.redis_url.get_secret_value()):
        return None
    from control_api.event.redis_stream import redis_streams  # noqa: PLC0415 likewise

    return await stack.enter_async_context(redis_streams(url))


def _open_verifier(settings: Settings, secret: bytes, stack: AsyncExitStack) -> TokenVerifier:
    """Trust the issuer that is configured, else this server's own secret."""
    if not settings.jwt_jwks_url:
        return TokenSigner(secret, settings.jwt_issuer, settings.jwt_audience)
    from control_api.token.jwks import JwksVerifier  # noqa: PLC0415 an HTTP client that nothing else here needs

    verifier = JwksVerifier(settings.jwt_jwks_url, settings.jwt_issuer, settings.jwt_audience)
    stack.push_async_callback(verifier.close)
    return verifier


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[str]:
    """Yield the address of the configured database, or of the embedded one, which runs meanwhile.

    Raises:
        ConfigError: the embedded one does not start.
    """
    if dsn := settings.database_url.get_secret_value():
        yield dsn
        return
    embedded = EmbeddedPostgres(settings.data_dir)
    dsn = await embedded.start()
    try:
        yield dsn
    finally:
        await embedded.stop()
