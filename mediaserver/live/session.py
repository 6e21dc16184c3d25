"""A stream while the server has to do with it: its publisher, its broadcast, and the time it waits for either.

preview (a publisher, not started) → live (started, with or without a publisher) → ended (its playlists stay a while)
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import structlog

from media.error import PeerError
from media.packet import AudioTrack, Packet

from .broadcast import PAUSED, RECONNECTING, Broadcast
from .health import HealthReport, IngestHealth
from .intake import MAX_TRACKS
from .keyframe_memory import KeyframeHabit
from .load import Load
from .loudness import LoudnessMeter, Measure
from .preview import Preview
from .takeover import Takeovers
from .throttle import Throttle

log = structlog.get_logger(__name__)


MAX_ENCODER_NAME = 100
"""Characters; the longest seen is a version string of 60."""


HELD_BACK = "The media comes faster than it plays and is held back: send files in real time (ffmpeg: -re)."


@dataclass(frozen=True, slots=True)
class Graces:
    """How long a live stream waits for its encoder before it ends, in seconds; None: until its owner ends it."""

    reconnect_s: float | None
    """After a lost connection."""
    stop_s: float | None
    """After the encoder stopped in order."""
    start_s: float | None
    """For its first encoder."""


class Publication:
    """One publisher's connection to a session; the RTMP room's `Publication` port."""

    def __init__(
        self,
        session: Session,
        peer: str,
        encoder: str,
        kick: Callable[[str], None],
        habit: KeyframeHabit,
        *,
        measure: Measure | None = None,
    ) -> None:
        self._session = session
        self._habit = habit
        self.peer = peer
        self.encoder = encoder
        self.kick = kick
        self.audio: AudioTrack | None = None
        self.tracks: int | None = None
        """Video tracks that it says it sends, None when it says nothing."""
        self.since = time.time()
        """When it connected, seconds since the epoch."""
        self._clock = session.clock
        self._throttle = Throttle(self._clock())
        self._health = IngestHealth(self._clock())
        self._loudness = LoudnessMeter(measure, self._clock()) if measure is not None else None
        self._is_broken = False

    def receive(self, packet: Packet) -> None:
        """Take a packet; a fault that it causes ends this publisher only."""
        now = self._clock()
        self._throttle.receive(packet, now)
        self._health.receive(packet, now)
        if isinstance(packet.track, AudioTrack) and not packet.track_id:
            self.audio = packet.track
            if self._loudness is not None:
                self._loudness.receive(packet, now)
        if not self._is_broken:
            with self._kicking():
                self._session.receive(self, packet)

    def receive_metadata(self, metadata: Mapping[str, object]) -> None:
        """Learn the encoder's name; in `connect` OBS and others call themselves FMLE. Tracks are read from the data."""
        name = metadata.get("encoder")
        if isinstance(name, str) and name.isprintable() and name:
            self.encoder = name[:MAX_ENCODER_NAME]
        tracks = metadata.get("videoTrackIdInfoMap")
        if isinstance(tracks, Mapping):
            self.tracks = min(MAX_TRACKS, 1 + len(tracks))
            self._session.expect_tracks(self, self.tracks)

    async def ready(self) -> None:
        """Wait until this process keeps up. Queues behind a broadcast drop to a keyframe by themselves."""
        await self._session.load.has_room()

    def hold_s(self) -> float:
        """Tell how long the encoder should be held back, since its media runs ahead of time."""
        return self._throttle.wait_s

    def note_dropped(self, count: int) -> None:
        """Count packets that were dropped before they came here."""
        self._health.note_dropped(count)

    def note_repaired(self) -> None:
        """Count a timestamp that had to be moved."""
        self._health.note_repaired()

    def health(self) -> HealthReport:
        """Sum up how this publisher's signal arrives."""
        now = self._clock()
        report = self._health.report(now)
        if self._loudness is not None:
            report = self._loudness.add_to(report, now)
        if not self._throttle.wait_s:
            return report
        return replace(report, warnings=(HELD_BACK, *report.warnings))

    def suits_copy(self) -> bool:
        """Tell whether its keyframes come often enough, by what it or another with its key has sent so far."""
        self.judge_keyframes()
        return not self._habit.is_rare

    def judge_keyframes(self) -> None:
        """Remember for its key whether its keyframes come often enough."""
        self._habit.judge(*self._health.keyframes())

    def close(self, clean: bool, reason: str) -> None:
        """End this publisher's part in the session."""
        self.judge_keyframes()
        if self._loudness is not None:
            self._loudness.close()
        with self._kicking():
            self._session.detach(self, clean, reason)

    @contextmanager
    def _kicking(self) -> Iterator[None]:
        """Send this publisher away when the broadcast fails on what it sent; nobody else hears of it."""
        try:
            yield
        except PeerError as error:
            self._is_broken = True
            self.kick(f"the media cannot be used: {error}")
        except Exception:
            self._is_broken = True
            log.exception("broadcast failed", stream_id=self._session.stream_id)
            self.kick("the server failed on this media; it has been logged")


class Session:
    """Joins publishers, one at a time, to a broadcast that outlives them.

    Args:
        stream_id: the stream's id.
        graces: how long to wait for an encoder.
        on_expired: called once, with a sentence, when a grace has passed.
        on_error: called with a sentence for the streamer whenever an encoder is refused or lost.
        on_lost: called with a sentence when a broadcast has lost its encoder and waits for it.
        load: says whether this process keeps up.
        preview: shows what comes before the start.
        clock: seconds, never stepping back.
    """

    def __init__(
        self,
        stream_id: str,
        *,
        graces: Graces,
        on_expired: Callable[[str], None],
        on_error: Callable[[str], None],
        on_lost: Callable[[str], None],
        load: Load,
        preview: Preview,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stream_id = stream_id
        self._graces = graces
        self._on_expired = on_expired
        self._on_error = on_error
        self._on_lost = on_lost
        self.clock = clock
        self.load = load
        self.preview = preview
        self._takeovers = Takeovers()
        self._log = log.bind(stream_id=stream_id)
        self._timer: asyncio.TimerHandle | None = None
        self.publication: Publication | None = None
        self.broadcast: Broadcast | None = None
        self.is_ended = False

    @property
    def is_live(self) -> bool:
        """Whether the stream has been started and not ended."""
        return self.broadcast is not None and not self.is_ended

    def go_live(self, make_broadcast: Callable[[], Broadcast], *, resumed: bool = False) -> None:
        """Start the public timeline with the next keyframe; nothing happens when it has been started.

        Args:
            make_broadcast: builds the broadcast.
            resumed: whether the stream was live before the server's restart.
        """
        if self.broadcast is not None:
            return
        self.broadcast = make_broadcast()
        self.preview.end()
        if self.publication is not None:
            publication = self.publication
            self.broadcast.begin_source(
                publication.audio, publication.tracks, may_copy=publication.suits_copy()
            )
        elif resumed:
            self._wait(self._graces.reconnect_s, "the encoder did not come back after the server's restart")
        else:
            self._wait(self._graces.start_s, "no encoder connected after the start")

    def attach(self, publication: Publication) -> None:
        """Let a publisher take over; one that is still connected is sent away with words.

        Raises:
            StreamError: `taking_turns`: encoders have taken over from each other again and again.
        """
        if self.publication is not None:
            self._takeovers.note(self.clock(), self.publication.peer)
        previous, self.publication = self.publication, publication
        if previous is not None:
            previous.judge_keyframes()
            self._log.info("publisher replaced", peer=previous.peer, by=publication.peer)
            self._on_error(f"another encoder ({publication.peer}) has connected with this key and taken over")
            previous.kick("another encoder has connected with the same stream key and has taken over")
        self._stop_waiting()
        if self.broadcast is None:
            self.preview.begin()
        else:
            self.broadcast.begin_source(may_copy=publication.suits_copy())
        self._log.info("publisher connected", peer=publication.peer, encoder=publication.encoder)

    def receive(self, publication: Publication, packet: Packet) -> None:
        """Take a packet of the current publisher; a preview's packets are not part of the broadcast."""
        if publication is not self.publication or self.is_ended:
            return
        if self.broadcast is None:
            self.preview.receive(packet)
        else:
            repaired = self.broadcast.repaired
            self.broadcast.receive(packet)
            if self.broadcast.repaired > repaired:
                publication.note_repaired()

    def expect_tracks(self, publication: Publication, count: int) -> None:
        """Learn how many video tracks the current publisher says that it sends."""
        if publication is self.publication:
            (self.preview if self.broadcast is None else self.broadcast).expect_tracks(count)

    def detach(self, publication: Publication, clean: bool, reason: str) -> None:
        """Take note that a publisher has gone; the broadcast waits for the next one."""
        if publication is not self.publication:
            return
        self.publication = None
        if not clean:
            self._on_error(reason)
        self._log.info("publisher gone", peer=publication.peer, clean=clean, reason=reason)
        if self.broadcast is None:
            self.preview.end()
        if self.broadcast is None or self.is_ended:
            return
        if clean:
            self._wait(self._graces.stop_s, "the encoder stopped")
        else:
            self._wait(self._graces.reconnect_s, "the encoder was lost and did not come back")
            self._on_lost(reason)
        self.broadcast.end_source(PAUSED if clean else RECONNECTING)

    async def end(self, reason: str) -> None:
        """End the stream: publisher out, playlists closed, worker stopped. Idempotent."""
        if self.is_ended:
            return
        self.is_ended = True
        self._stop_waiting()
        publication, self.publication = self.publication, None
        if publication is not None:
            publication.kick(f"the stream has ended: {reason}")
        self.preview.end()
        if self.broadcast is not None:
            await self.broadcast.finish()

    def _wait(self, seconds: float | None, reason: str) -> None:
        self._stop_waiting()
        if seconds is None:
            return
        self._log.info("waiting for the encoder", seconds=seconds)
        self._timer = asyncio.get_running_loop().call_later(seconds, self._on_expired, reason)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
