"""Viewers between HTTP and the WebRTC processes: which session is where, and what it gets."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import structlog

from media.error import CapacityError, StreamError
from webrtc.message import (
    Accept,
    Choose,
    Connected,
    End,
    Ended,
    KeyframeWanted,
    Message,
    Offer,
    Restart,
    RungChanged,
    Wanted,
)
from webrtc.outlet import Outlet
from webrtc.port import Broadcasts
from webrtc.supervisor import Worker
from webrtc.whep_port import CounterOffer, Established, SessionView

log = structlog.get_logger(__name__)

SESSION_BYTES = 24
"""Of randomness in a session's name, which is all that one needs to end it."""


class _Session:
    """A viewer."""

    __slots__ = ("active", "chosen", "is_connected", "on_change", "outlet", "worker")

    def __init__(self, worker: Worker, outlet: Outlet, on_change: Callable[[], None]) -> None:
        self.worker = worker
        self.outlet = outlet
        self.on_change = on_change
        self.active: str | None = None
        self.chosen: str | None = None
        self.is_connected = False


class Gateway:
    """Gives viewers to the processes, and the broadcasts that they watch.

    Args:
        broadcasts: where those are found.
    """

    def __init__(self, broadcasts: Broadcasts) -> None:
        self._broadcasts = broadcasts
        self._workers: Sequence[Worker] = ()
        self._sessions: dict[str, _Session] = {}
        self._outlets: dict[str, Outlet] = {}
        self._loads: Counter[Worker] = Counter()

    def use(self, workers: Sequence[Worker]) -> None:
        """Give viewers to these processes from now on."""
        self._workers = workers

    @property
    def viewers(self) -> int:
        """Sessions that are connected."""
        return sum(session.is_connected for session in self._sessions.values())

    def viewers_by_rung(self) -> Iterator[tuple[str, str]]:
        """List the stream and the rung of each viewer that gets something."""
        for session in self._sessions.values():
            if session.active is not None:
                yield session.outlet.stream_id, session.active

    # What WHEP asks.

    async def offer(
        self, stream_id: str, sdp: str, on_change: Callable[[], None]
    ) -> Established | CounterOffer:
        """Let somebody watch.

        Args:
            stream_id: of the stream.
            sdp: the viewer's offer.
            on_change: called whenever `view` may have changed, also when the session has ended.

        Raises:
            StreamError: `not_live`.
            PeerError: the offer cannot be used.
            CapacityError: not now.
        """
        outlet = self._outlet(stream_id)
        worker = self._least_loaded()
        name = secrets.token_urlsafe(SESSION_BYTES)
        self._sessions[name] = _Session(worker, outlet, on_change)
        self._loads[worker] += 1
        outlet.enter(worker)
        try:
            reply = await worker.call(lambda call: Offer(call, stream_id, name, sdp))
        except BaseException:
            worker.send(End(name, "the offer came to nothing"))
            self._forget(name)
            raise
        if name not in self._sessions:
            raise CapacityError("WebRTC starts anew. Try again in a moment.")
        if reply.is_counter_offer:
            return CounterOffer(name, reply.sdp)
        return Established(name, reply.sdp, reply.etag)

    async def answer(self, session: str, sdp: str) -> None:
        """Take a viewer's answer to a counter-offer.

        Raises:
            StreamError, PeerError, CapacityError: as the process says.
        """
        await self._worker(session).call(lambda call: Accept(call, session, sdp))

    async def restart(self, session: str, fragment: str) -> tuple[str, str]:
        """Restart ICE; return the fragment and the entity tag that hold from now on.

        Raises:
            StreamError, PeerError, CapacityError: as the process says.
        """
        reply = await self._worker(session).call(lambda call: Restart(call, session, fragment))
        return reply.sdp, reply.etag

    async def choose(self, session: str, rung: str | None) -> None:
        """Give a viewer this rung and no other; None: whatever suits the network.

        Raises:
            StreamError: `not_found`: there is no such session, or no such rung.
            CapacityError: not now.
        """
        worker, known = self._worker(session), self._sessions[session]
        if rung is not None and rung not in (item.name for item in known.outlet.rungs):
            raise StreamError("not_found", f"This stream has no rung {rung}.")
        await worker.call(lambda call: Choose(call, session, rung))
        known.chosen = rung
        known.on_change()

    def view(self, session: str) -> SessionView | None:
        """Say what a session gets; None when it is over."""
        known = self._sessions.get(session)
        if known is None:
            return None
        return SessionView(known.active, known.chosen, known.outlet.rungs, known.is_connected)

    async def end(self, session: str) -> None:
        """End a session, if it is not over."""
        known = self._sessions.get(session)
        if known is not None:
            known.worker.send(End(session, "the viewer has left"))
            self._forget(session)

    def close(self) -> None:
        """End all sessions: the server stops."""
        for name, session in list(self._sessions.items()):
            session.worker.send(End(name, "the server stops"))
            self._forget(name)

    # What the processes say.

    def on_message(self, worker: Worker, message: Message) -> None:
        """Take a message about viewers."""
        match message:
            case Wanted(stream, rungs, audio):
                if (outlet := self._outlets.get(stream)) is not None:
                    outlet.want(worker, rungs, audio=audio)
            case KeyframeWanted(stream, rung, after_pts):
                if (outlet := self._outlets.get(stream)) is not None:
                    outlet.force_keyframe(rung, after_pts)
            case Connected(session) if session in self._sessions:
                self._sessions[session].is_connected = True
                self._sessions[session].on_change()
            case RungChanged(session, rung) if session in self._sessions:
                self._sessions[session].active = rung
                self._sessions[session].on_change()
            case Ended(session, reason) if session in self._sessions:
                log.debug(
                    "webrtc viewer gone", stream_id=self._sessions[session].outlet.stream_id, reason=reason
                )
                self._forget(session)

    def on_lost(self, worker: Worker) -> None:
        """Learn that a process has died: its viewers come back by themselves."""
        for name in [name for name, session in self._sessions.items() if session.worker is worker]:
            self._forget(name)

    # Within.

    def _outlet(self, stream_id: str) -> Outlet:
        outlet = self._outlets.get(stream_id)
        if outlet is None or outlet.is_closed:
            source = self._broadcasts.find_source(stream_id)
            if source is None:
                raise StreamError("not_live", "The stream is not live.")
            outlet = self._outlets[stream_id] = Outlet(stream_id, source)
        return outlet

    def _least_loaded(self) -> Worker:
        running = [worker for worker in self._workers if worker.is_running]
        if not running:
            raise CapacityError("WebRTC starts anew. Try again in a moment.")
        return min(running, key=lambda worker: self._loads[worker])

    def _worker(self, session: str) -> Worker:
        if session not in self._sessions:
            raise StreamError("not_found", "There is no such session, or it is over.")
        return self._sessions[session].worker

    def _forget(self, name: str) -> None:
        session = self._sessions.pop(name, None)
        if session is None:
            return
        self._loads[session.worker] -= 1
        outlet = session.outlet
        outlet.leave(session.worker)
        if outlet.is_closed and self._outlets.get(outlet.stream_id) is outlet:
            del self._outlets[outlet.stream_id]
        session.on_change()
