"""Publishers between HTTP, the WebRTC processes and the broadcasts that they feed."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Sequence

import structlog

from media.error import CapacityError, StreamError
from media.packet import AudioTrack, Packet, VideoTrack
from webrtc.message import (
    Connected,
    End,
    Ended,
    Message,
    Publish,
    PublishedFrame,
    PublishedLoss,
    PublishedTrack,
    Restart,
)
from webrtc.port import Publication, PublishGate
from webrtc.supervisor import Worker
from webrtc.whip_port import Established

log = structlog.get_logger(__name__)

SESSION_BYTES = 24
MAX_HELD = 200
"""Packets that wait while the gate opens: 2 s of sound and pictures."""

_AWAY = "WebRTC starts anew. Try again in a moment."


class _Session:
    """A publisher. It takes its stream once its media can come: an attempt that fails throws out nobody."""

    def __init__(self, worker: Worker, stream_key: str, peer: str, encoder: str) -> None:
        self.worker = worker
        self.stream_key = stream_key
        self.peer = peer
        self.encoder = encoder
        self.tracks: dict[bool, VideoTrack | AudioTrack] = {}
        self.held: list[Packet] = []
        self.publication: Publication | None = None

    def receive(self, packet: Packet) -> None:
        """Take a packet; the first ones wait until the gate has opened."""
        if self.publication is not None:
            self.publication.receive(packet)
        elif len(self.held) < MAX_HELD:
            self.held.append(packet)

    def begin(self, publication: Publication) -> None:
        """Give what comes to a broadcast."""
        self.publication = publication
        for packet in self.held:
            publication.receive(packet)
        self.held.clear()


class Publishers:
    """Gives publishers to the processes, and what they send to the gate.

    Args:
        gate: says who may publish.
    """

    def __init__(self, gate: PublishGate) -> None:
        self._gate = gate
        self._workers: Sequence[Worker] = ()
        self._sessions: dict[str, _Session] = {}
        self._loads: Counter[Worker] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    def use(self, workers: Sequence[Worker]) -> None:
        """Give publishers to these processes from now on."""
        self._workers = workers

    @property
    def count(self) -> int:
        """How many publish."""
        return sum(session.publication is not None for session in self._sessions.values())

    def close(self) -> None:
        """End all sessions: the server stops."""
        for name in list(self._sessions):
            self._end(name, clean=False, reason="the server stops")

    # What WHIP asks.

    async def publish(self, stream_key: str, sdp: str, peer: str, encoder: str) -> Established:
        """Let somebody publish.

        Args:
            stream_key: of the stream.
            sdp: the publisher's offer.
            peer: the publisher's address, for the log.
            encoder: what the publisher calls itself.

        Raises:
            StreamError: it may not.
            PeerError: the offer cannot be used.
            CapacityError: not now.
        """
        await self._gate.authorize(stream_key)
        running = [worker for worker in self._workers if worker.is_running]
        if not running:
            raise CapacityError(_AWAY)
        worker = min(running, key=lambda item: self._loads[item])
        name = secrets.token_urlsafe(SESSION_BYTES)
        self._sessions[name] = _Session(worker, stream_key, peer, encoder)
        self._loads[worker] += 1
        try:
            reply = await worker.call(lambda call: Publish(call, name, sdp))
        except BaseException:
            self._end(name, clean=False, reason="the offer came to nothing")
            raise
        if name not in self._sessions:
            raise CapacityError(_AWAY)
        return Established(name, reply.sdp, reply.etag)

    async def restart(self, session: str, fragment: str) -> tuple[str, str]:
        """Restart ICE; return the fragment and the entity tag that hold from now on.

        Raises:
            StreamError, PeerError, CapacityError: as the process says.
        """
        if session not in self._sessions:
            raise StreamError("not_found", "There is no such session, or it is over.")
        worker = self._sessions[session].worker
        reply = await worker.call(lambda call: Restart(call, session, fragment))
        return reply.sdp, reply.etag

    async def end(self, session: str) -> None:
        """End a session, as its publisher says."""
        self._end(session, clean=True, reason="the encoder stopped")

    def has(self, session: str) -> bool:
        """Tell whether a session is not over."""
        return session in self._sessions

    # What the processes say.

    def on_message(self, message: Message) -> None:
        """Take a message about publishers."""
        match message:
            case PublishedFrame(name) if (session := self._sessions.get(name)) is not None:
                if (track := session.tracks.get(message.is_video)) is not None:
                    pts = message.pts
                    session.receive(Packet(track, pts, pts, message.data, message.is_keyframe))
            case PublishedTrack(name, track) if name in self._sessions:
                self._sessions[name].tracks[isinstance(track, VideoTrack)] = track
            case PublishedLoss(name, count) if (session := self._sessions.get(name)) is not None:
                if session.publication is not None:
                    session.publication.note_dropped(count)
            case Connected(name) if name in self._sessions:
                task = asyncio.create_task(self._begin(name, self._sessions[name]))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            case Ended(name, reason, is_clean) if name in self._sessions:
                self._end(name, clean=is_clean, reason=reason)

    def on_lost(self, worker: Worker) -> None:
        """Learn that a process has died: its publishers come back by themselves."""
        for name in [name for name, session in self._sessions.items() if session.worker is worker]:
            self._end(name, clean=False, reason="the WebRTC process has ended")

    # Within.

    async def _begin(self, name: str, session: _Session) -> None:
        def kick(reason: str) -> None:
            self._end(name, clean=False, reason=reason)

        try:
            publication = await self._gate.publish(session.stream_key, session.peer, session.encoder, kick)
        except (StreamError, CapacityError) as refusal:
            self._end(name, clean=False, reason=refusal.detail)
            return
        if name in self._sessions:
            session.begin(publication)
        else:
            publication.close(clean=False, reason="the connection was lost")

    def _end(self, name: str, *, clean: bool, reason: str) -> None:
        session = self._sessions.pop(name, None)
        if session is None:
            return
        log.info("webrtc publisher gone", peer=session.peer, clean=clean, reason=reason)
        self._loads[session.worker] -= 1
        session.worker.send(End(name, reason))
        if session.publication is not None:
            session.publication.close(clean=clean, reason=reason)
