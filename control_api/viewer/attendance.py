"""Everything that counts viewers, put together, and the work that stores it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from control_api.analytics.compaction import LOOK_S as COMPACTION_S
from control_api.analytics.compaction import Compaction
from control_api.analytics.reporter import Reporters
from control_api.analytics.service import LOOK_S, AnalyticsService
from control_api.chore import Chore
from control_api.postgres.analytics_table import AnalyticsTable
from control_api.postgres.compaction_table import CompactionTable
from control_api.postgres.database import Database
from control_api.postgres.viewer_table import ViewerTable
from control_api.realtime.bus import Bus
from control_api.stream.playback import PlaybackSigner
from control_api.stream.record import Status, Stream
from control_api.stream.service import StreamService
from control_api.viewer.presence import EXPIRY_S
from control_api.viewer.service import ViewerService
from control_api.viewer.shared import SharedPresence
from control_api.viewer.viewer_id import ViewerIds
from media.error import CapacityError

STORE_S = 2.0
"""How old what is stored of live streams may be; lists are sorted by it."""

PRESENCE_S = 0.5
"""How late it is noticed that a viewer has been silent for too long."""


@dataclass(frozen=True, slots=True)
class Attendance:
    """What routes and the media plane need of it."""

    streams: StreamService
    viewers: ViewerService
    analytics: AnalyticsService


@asynccontextmanager
async def attending(
    service: StreamService,
    database: Database,
    secret: bytes,
    clock: Callable[[], float] = time.time,
    *,
    shared: SharedPresence | None = None,
    bus: Bus | None = None,
    snapshot_look_s: float = LOOK_S,
) -> AsyncIterator[Attendance]:
    """Count viewers while the block runs.

    Args:
        service: knows the streams.
        database: where it is stored.
        secret: of the server, for ids of viewers.
        clock: Unix time.
        shared: where all servers count together; None where this is the only one.
        bus: how they tell each other of changes; None likewise.
        snapshot_look_s: how often to look whether it is time for a snapshot.

    Raises:
        CapacityError: the database is away at the start.
    """
    ids, table = ViewerIds(secret), AnalyticsTable(database)
    viewers = ViewerService(service, ViewerTable(database), ids, clock, shared=shared, bus=bus)
    reporters = Reporters(service, ids, PlaybackSigner(secret), clock)
    analytics = AnalyticsService(service, viewers, table, reporters, clock)
    await viewers.open()
    try:
        async with (
            Chore("viewers", viewers.store, STORE_S) as storing,
            Chore("silent viewers", viewers.look, PRESENCE_S),
            Chore("other servers' viewers", viewers.tidy, EXPIRY_S),
            Chore("other servers' streams", viewers.find_live, STORE_S),
            Chore("snapshots", analytics.take_snapshots, snapshot_look_s),
            Chore("old snapshots", Compaction(CompactionTable(database), clock).work, COMPACTION_S),
        ):

            def wake(stream: Stream) -> None:
                if stream.status is Status.ENDED:
                    storing.poke()

            service.watch(wake)
            yield Attendance(service, viewers, analytics)
    finally:
        with suppress(CapacityError):
            await viewers.store_all()
        await viewers.close()
