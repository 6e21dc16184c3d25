"""Which broadcasts are on the air.

`Stage` is the RTMP room's gate, the control plane's media plane and where HLS delivery and WebRTC find a broadcast: the
ports of four rooms, joined in one place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping
from functools import partial
from typing import Any

import structlog

from control_api.stream.playback import PlaybackSigner
from control_api.stream.record import Status, Stream
from control_api.stream.service import StreamService
from hls.archive import Archives
from hls.config import HlsConfig
from hls.output import HlsOutput
from hls.shared_cache import SharedCache
from media.error import CapacityError, StreamError
from rtmp.port import PublishRequest
from transcode.governor import Governor
from transcode.loudness_probe import LoudnessProbe
from transcode.picture_probe import PictureProbe
from transcode.supervisor import WorkerPool

from .access import AccessRules, Witness
from .broadcast import Broadcast
from .checkpoint import CheckpointStore
from .description import describe_health, describe_media
from .ended import EndedOutputs
from .interlude import MAX_MAKING, Interlude
from .keyframe_memory import KeyframeMemory
from .last_error import LastErrors
from .load import Load
from .past import SegmentRenderer
from .pictures import MAX_BYTES, PictureCache, Pictures
from .preview import Preview, preview_config
from .previews import Previews
from .relay import Relay
from .rungs import Rungs
from .session import Graces, Publication, Session
from .steward import Governed, Steward, usable_cores
from .stored_past import StoredPasts

log = structlog.get_logger(__name__)


class Stage:
    """The sessions of this server, by stream id.

    Args:
        config: for the HLS side of each broadcast.
        pool: codec workers.
        checkpoints: where positions are kept over a killed server.
        graces: how long broadcasts wait for encoders.
        wanted: the rungs to make at all, None for all that a source gets.
        renderer: makes segments when they are asked for; None: every rung is made all the time.
        slate_after_s: how long players wait for a lost encoder before they see a slate.
        playback: verifies the tokens in addresses of private streams.
        wall_clock: seconds since the epoch.
        archives: where segments go that viewers can rewind to; None: they stay in memory for a minute.
    """

    def __init__(
        self,
        config: HlsConfig,
        pool: WorkerPool,
        checkpoints: CheckpointStore,
        *,
        graces: Graces,
        wanted: Collection[str] | None,
        renderer: SegmentRenderer | None = None,
        slate_after_s: float,
        playback: PlaybackSigner,
        wall_clock: Callable[[], float],
        archives: Archives | None = None,
    ) -> None:
        self.config = config
        self._pool = pool
        self._checkpoints = checkpoints
        self._graces = graces
        self._wanted = wanted
        self._renderer = renderer
        self._slate_after_s = slate_after_s
        self._making = asyncio.Semaphore(MAX_MAKING)
        self._last_errors = LastErrors(wall_clock)
        self._keyframes = KeyframeMemory()
        self._probe = LoudnessProbe(pool)
        self._drawer = PictureProbe(pool)
        self._pictures: PictureCache = SharedCache(MAX_BYTES)
        self._load = Load()
        self.steward = Steward(Governor(usable_cores()), self._burdens, lambda: self._load.late_s)
        self._wall_clock = wall_clock
        self._pasts = StoredPasts(archives)
        self._ended = EndedOutputs(self._on_ended_forgotten)
        if archives is not None:
            archives.relieve = self._ended.forget_oldest
        self._service: StreamService | None = None
        self._access = AccessRules(playback, wall_clock)
        self.preview_config = preview_config(config)
        self.previews = Previews(self._access, self._preview)
        self._sessions: dict[str, Session] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def has_broadcasts(self) -> bool:
        """Whether anything is or was on the air, so that players may be reading."""
        return any(session.broadcast is not None for session in self._sessions.values())

    async def open(self, service: StreamService) -> None:
        """Take up the streams that were live when the server went down."""
        self._service = service
        self._load.start()
        self.steward.start()
        service.watch(self._note)
        for stream in await service.open_streams():
            self._note(stream)
        live_streams = await service.live_streams()
        await self._pasts.sweep([stream.id for stream in live_streams])
        for stream in live_streams:
            log.info("taking up a live stream", stream_id=stream.id)
            await self._pasts.load(stream.id)
            self._go_live(stream, resumed=True)

    async def close(self) -> None:
        """End every playlist and send every encoder away; the streams stay live for the next start."""
        self.steward.close()
        endings = [session.end("the server stops") for session in self._sessions.values()]
        await asyncio.gather(*self._tasks, *endings, return_exceptions=True)
        self._probe.close()
        self._drawer.close()
        await self._checkpoints.close()
        self._load.close()

    def report_viewers(self, witness: Witness) -> None:
        """Tell `witness` from now on whose playback tokens media is asked for with."""
        self._access.report_to(witness)

    # The RTMP room's gate.

    async def publish(self, request: PublishRequest, kick: Callable[[str], None]) -> Publication:
        """Let an encoder publish with its key.

        Raises:
            StreamError: it may not, with a sentence for it.
        """
        if self._service is None:
            raise StreamError("starting", "The server is starting. Try again in a moment.")
        stream_id = None
        try:
            stream = await self._service.authorize_publish(request.app, request.stream_key)
            self._note(stream)
            stream_id = stream.id
            return await self._admit(self._service, stream_id, request, kick)
        except StreamError as refusal:
            if known := stream_id or refusal.stream_id:
                self._last_errors.note(known, refusal.detail)
            raise

    async def authorize(self, app: str, stream_key: str) -> None:
        """Find out whether an encoder may publish with its key; changes nothing.

        Raises:
            StreamError: it may not, with a sentence for it.
        """
        if self._service is None:
            raise StreamError("starting", "The server is starting. Try again in a moment.")
        await self._service.authorize_publish(app, stream_key)

    async def _admit(
        self, service: StreamService, stream_id: str, request: PublishRequest, kick: Callable[[str], None]
    ) -> Publication:
        await service.auto_start(stream_id)
        if self._is_over(stream_id):
            raise StreamError("already_ended", "The stream has just ended.")
        session = self._session(stream_id)
        habit = self._keyframes.habit(request.stream_key)
        publication = Publication(
            session, request.peer, request.encoder, kick, habit, measure=self._probe.measure
        )
        session.attach(publication)
        return publication

    # The control plane's broadcasts.

    def media(self, stream_id: str) -> Mapping[str, object]:
        """Describe what arrives for a stream."""
        return describe_media(self._sessions.get(stream_id), self._last_errors.get(stream_id))

    def health(self, stream_id: str) -> Mapping[str, object]:
        """Describe the ingest for the stream's owner."""
        return describe_health(self._sessions.get(stream_id), self._last_errors.get(stream_id))

    async def start(self, stream: Stream) -> None:
        """Put a stream on the air; does not wait for media."""
        self._go_live(stream)

    async def end(self, stream_id: str, reason: str) -> None:
        """Take a stream off the air."""
        session = self._sessions.pop(stream_id, None)
        if session is None:
            return
        if session.broadcast is not None:
            self._ended.add(stream_id, session.broadcast.output)
        else:
            self._access.forget(stream_id)
        try:
            await session.end(reason)
        finally:
            self._ended.forget_surplus()
            await self._checkpoints.forget(stream_id)

    # HLS delivery's broadcasts.

    def check(self, stream_id: str, token: str | None) -> None:
        """Let a request for a stream's media pass: everybody's for a public stream, a token's for a private one.

        Raises:
            StreamError: `not_found`, which says nothing about streams that the viewer may not know of.
        """
        self._access.check(stream_id, token)

    def viewer_of(self, stream_id: str, token: str | None) -> str | None:
        """Let somebody pass as `check` does, and say who it is: None for somebody without a token that is good."""
        return self._access.viewer_of(stream_id, token)

    def find(self, stream_id: str) -> HlsOutput | None:
        """Find the HLS side of a broadcast, also for a while after its end."""
        session = self._sessions.get(stream_id)
        if session is None:
            return self._ended.get(stream_id)
        return session.broadcast.output if session.broadcast is not None else None

    # WebRTC's broadcasts.

    def find_source(self, stream_id: str) -> Relay | None:
        """Find what a broadcast on the air has for WebRTC; None when there is none, or no source of it has come yet."""
        session = self._sessions.get(stream_id)
        if session is None or session.broadcast is None or session.is_ended:
            return None
        relay = session.broadcast.rungs.relay
        return relay if relay.has_media else None

    # What goes on, for metrics.

    def live_broadcasts(self) -> Iterator[tuple[str, Broadcast]]:
        """List the broadcasts on the air, by stream id."""
        for stream_id, session in self._sessions.items():
            if session.broadcast is not None and not session.is_ended:
                yield stream_id, session.broadcast

    # Within.

    def _burdens(self) -> Iterator[Governed]:
        for _, broadcast in self.live_broadcasts():
            yield broadcast.rungs.burden
            yield broadcast.rungs.relay.stand_in

    def _note(self, stream: Stream) -> None:
        """Keep what delivery has to know of a stream, so that it asks no database."""
        is_known = stream.id in self._sessions or stream.id in self._ended
        if stream.status in (Status.CANCELLED, Status.ENDED) and not is_known:
            self._access.forget(stream.id)
        else:
            self._access.note(stream)

    def _is_over(self, stream_id: str) -> bool:
        return stream_id in self._ended or stream_id not in self._access

    def _on_ended_forgotten(self, stream_id: str) -> None:
        self._access.forget(stream_id)
        self._pasts.forget(stream_id)

    def _go_live(self, stream: Stream, *, resumed: bool = False) -> None:
        self._session(stream.id).go_live(lambda: self._make_broadcast(stream), resumed=resumed)

    def _session(self, stream_id: str) -> Session:
        session = self._sessions.get(stream_id)
        if session is None:
            session = self._sessions[stream_id] = Session(
                stream_id,
                graces=self._graces,
                on_expired=lambda reason: self._expire(stream_id, reason),
                on_error=lambda message: self._last_errors.note(stream_id, message),
                on_lost=lambda reason: self._tell_lost(stream_id, reason),
                load=self._load,
                preview=Preview(stream_id, self.preview_config, self._wall_clock),
            )
        return session

    def _preview(self, stream_id: str) -> Preview | None:
        session = self._sessions.get(stream_id)
        return session.preview if session is not None else None

    def _make_broadcast(self, stream: Stream) -> Broadcast:
        output = self._pasts.make_output(stream.id, self.config, self._checkpoints.load(stream.id))
        rungs = Rungs(
            stream.id,
            output,
            self._pool,
            quality=stream.quality,
            wanted=self._wanted,
            renderer=self._renderer,
            admit=partial(self.steward.admits, stream.id),
        )
        Pictures(
            stream.id,
            output,
            rungs,
            draw=self._drawer.draw,
            renderer=self._renderer,
            cache=self._pictures,
        )

        def keep_position() -> None:
            self._checkpoints.save(stream.id, output.timeline.checkpoint())

        return Broadcast(
            stream.id,
            output,
            rungs,
            filler=Interlude(self._pool, self._making, self._slate_after_s),
            wall_clock=self._wall_clock,
            on_segment=keep_position,
        )

    def _tell_lost(self, stream_id: str, reason: str) -> None:
        if self._service is not None:
            self._do("tell of a lost encoder", stream_id, self._service.publisher_lost(stream_id, reason))

    def _expire(self, stream_id: str, reason: str) -> None:
        if self._service is not None:
            log.info("stream ends by itself", stream_id=stream_id, reason=reason)
            self._do("end the stream", stream_id, self._service.end(stream_id, reason))

    def _do(self, what: str, stream_id: str, call: Coroutine[Any, Any, object]) -> None:
        """Have the control plane do something that nobody waits for."""
        task = asyncio.create_task(self._tried(what, stream_id, call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tried(self, what: str, stream_id: str, call: Coroutine[Any, Any, object]) -> None:
        try:
            await call
        except (StreamError, CapacityError) as error:
            log.warning("the control plane refuses", what=what, stream_id=stream_id, error=error.detail)
        except Exception:
            log.exception("the control plane failed", what=what, stream_id=stream_id)
