"""How many watch, as this server and the others know it; and who wants to hear of changes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import structlog

from control_api.realtime.bus import Bus, Subscription
from control_api.viewer.announcer import TOPIC, Announcer, read_figures
from control_api.viewer.audience import Count, Figures
from control_api.viewer.presence import EXPIRY_S, Presence
from control_api.viewer.shared import Act, Note, SharedFigures, SharedPresence
from control_api.viewer.sharing import Sharing

logger = structlog.get_logger(__name__)

OVERLAP_S = 1e-5
"""By so much a span reaches into that of another server, so that no rounding parts them."""

Watcher = Callable[[str], None]
"""Takes the id of a stream whose figures may have changed; must not raise."""


class Tally:
    """Puts together what is known here and elsewhere.

    Args:
        presence: what this server knows.
        clock: Unix time.
        shared: where all servers count; None where this is the only one.
        bus: how they tell each other; None likewise.
    """

    def __init__(
        self, presence: Presence, clock: Callable[[], float], shared: SharedPresence | None, bus: Bus | None
    ) -> None:
        self._presence = presence
        self._clock = clock
        self._bus = bus
        self._latest: dict[str, SharedFigures] = {}
        self._watchers: list[Watcher] = []
        self._failed: set[Watcher] = set()
        self._sharing = (
            Sharing(presence, shared, clock, self._hear, self._lose) if shared is not None else None
        )
        self._announcer = Announcer(bus, self._latest.get) if bus is not None and shared is not None else None
        self._subscription: Subscription | None = None

    async def open(self) -> None:
        """Begin to count with the others, when they can be reached."""
        if self._announcer is not None and self._bus is not None:
            self._subscription = await self._bus.subscribe(TOPIC, self._receive)
        if self._sharing is not None:
            await self._sharing.come_back()

    async def close(self) -> None:
        """Tell nobody any more."""
        if self._subscription is not None:
            self._subscription.close()
        if self._announcer is not None:
            self._announcer.close()
        if self._sharing is not None:
            await self._sharing.close()

    @property
    def is_shared(self) -> bool:
        """Whether others count with this server at the moment."""
        return self._sharing is not None and self._sharing.is_up

    def watch(self, watcher: Watcher) -> None:
        """Call `watcher` with each stream whose figures may have changed."""
        self._watchers.append(watcher)

    def count(self, stream_id: str) -> Count | None:
        """Tell how many watch; None of a stream of which that is not known.

        It is not live, or has not been for a while; or others count too, and have not been asked yet.
        """
        now = self._clock()
        local = self._presence.figures(stream_id, now)
        self.settle()
        if local is None:
            return None
        audience, shared = self._presence.audience(stream_id), self._latest.get(stream_id)
        if shared is None or audience is None:
            is_known = not self.is_shared or audience is None or audience.is_closed
            return Count(local, int(now * 1000)) if is_known else None
        figures = Figures(
            viewer_count=local.viewer_count if audience.is_closed else shared.figures.viewer_count,
            peak_viewers=max(local.peak_viewers, shared.figures.peak_viewers),
            # Who is new here may be known elsewhere.
            unique_viewers=max(audience.stored, shared.figures.unique_viewers),
        )
        return Count(figures, shared.version)

    def settle(self) -> None:
        """Tell watchers and other servers what has happened, without waiting for it."""
        moved = self._presence.rumours.take_moved()
        for stream_id in moved:
            audience = self._presence.audience(stream_id)
            # While others count too, what they say of it decides whether that is news.
            if not self.is_shared or (audience is not None and audience.is_closed):
                self._tell(stream_id)
        if self._sharing is not None and self.is_shared:
            self._sharing.tell_soon()

    async def tell(self) -> None:
        """Tell watchers and other servers what has happened; they know when this returns."""
        self.settle()
        if self._sharing is not None and self.is_shared:
            await self._sharing.tell()

    async def look(self) -> None:
        """Find out what has happened by itself, here and elsewhere."""
        now = self._presence.expire(self._clock())
        self.settle()
        if self._sharing is None:
            return
        for stream_id in [known for known in self._latest if self._presence.audience(known) is None]:
            del self._latest[stream_id]
        await self._sharing.look(
            [stream_id for stream_id in self._presence.open_streams() if self._is_due(stream_id, now)]
        )

    def _is_due(self, stream_id: str, now: float) -> bool:
        known = self._latest.get(stream_id)
        return known is None or known.due_at <= now

    def _hear(self, stream_id: str, shared: SharedFigures, notes: Sequence[Note]) -> None:
        """Take what the common memory answers."""
        for note, finding in zip(notes, shared.findings, strict=False):
            if finding.is_let_go and self._announcer is not None:
                self._announcer.tell_left(stream_id, note.key, note.at)
            elif finding.held_until and note.act in (Act.JOIN, Act.OPEN, Act.SEEN):
                seen_at = finding.held_until - EXPIRY_S
                self._presence.was_present(stream_id, note.key, note.at, seen_at - OVERLAP_S)
        if self._learn(stream_id, replace(shared, findings=())):
            audience = self._presence.audience(stream_id)
            if audience is not None:
                self._presence.unstored.add_audience(audience)
            if self._announcer is not None:
                self._announcer.announce(stream_id)

    def _learn(self, stream_id: str, shared: SharedFigures) -> bool:
        """Take figures unless newer ones are known; returns whether they are other ones than before."""
        audience, known = self._presence.audience(stream_id), self._latest.get(stream_id)
        if audience is None or audience.is_closed or (known is not None and known.version >= shared.version):
            return False
        self._latest[stream_id] = shared
        audience.peak = max(audience.peak, shared.figures.peak_viewers)
        audience.stored = max(audience.stored, shared.figures.unique_viewers - audience.fresh)
        if known is not None and known.figures == shared.figures:
            return False
        self._tell(stream_id)
        return True

    def _lose(self) -> None:
        """Count alone from now on."""
        lost = list(self._latest)
        self._latest.clear()
        for stream_id in lost:
            self._tell(stream_id)

    def _receive(self, message: bytes) -> None:
        """Take what another server says."""
        try:
            said: Mapping[str, object] = json.loads(message)
            stream_id = str(said["stream_id"])
            if "left" in said:
                at = float(str(said["at"]))
                self._presence.left_elsewhere(stream_id, str(said["left"]), at, self._clock())
                self.settle()
            elif self.is_shared:
                self._learn(stream_id, read_figures(said))
        except (KeyError, TypeError, ValueError) as error:
            logger.warning("viewers_message_unread", error=str(error))

    def _tell(self, stream_id: str) -> None:
        for watcher in self._watchers:
            try:
                watcher(stream_id)
            except Exception:  # the others are told all the same
                if watcher not in self._failed:
                    self._failed.add(watcher)
                    logger.exception("viewers_watcher_failed", stream_id=stream_id)
