"""Segments on request: a stretch of a source as one rung, made by a spare worker, for whoever comes to a dormant rung.

Requests for the same are one job. The most urgent goes first, and the other rungs of its source that wait go with it,
in one decoding. A worker is kept for a while behind its last job: the next one is probably on its way.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import structlog

from media.error import MediaServerError, TranscodeError
from media.packet import VideoTrack
from transcode.pool import WorkerPool
from transcode.render_queue import RenderJob, RenderQueue, no_room
from transcode.render_request import Priority, Rendered, RenderedFrame, RenderRequest
from transcode.render_worker import RenderWorker
from transcode.rung import RungSpec

__all__ = ["Priority", "RenderRequest", "RenderStats", "Rendered", "RenderedFrame", "Renderer"]

IDLE_S = 10.0
"""How long a worker without a job is kept: whoever plays a dormant rung asks again within a segment. It holds 60 MB."""

MAX_ATTEMPTS = 2
"""A worker may die of many things, two of the same source."""

MAX_TRACKS = 256
"""Parameter sets that are remembered. Their sizes come from publishers; eight rungs of thirty shapes are plenty."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RenderStats:
    """How it goes, for health and metrics."""

    waiting: int
    """Jobs that have not begun."""
    rendered: int
    failed: int
    busy_s: float
    """Time for which workers were at work, all together."""


class Renderer:
    """Renders for everybody in this process; to be closed before its pool.

    Args:
        pool: where workers come from and go to.
        workers: how many work at the same time; one more while live waits for what is less urgent.
        clock: seconds, never stepping back, for figures.
    """

    def __init__(
        self, pool: WorkerPool, *, workers: int = 1, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pool = pool
        self._workers = workers
        self._clock = clock
        self._queue = RenderQueue()
        self._serving: set[asyncio.Task[None]] = set()
        self._parked: dict[RenderWorker, asyncio.TimerHandle] = {}
        self._tracks: dict[RungSpec, VideoTrack] = {}
        self._opening = asyncio.Lock()
        self._is_closed = False
        self._rendered = self._failed = 0
        self._busy_s = 0.0

    @property
    def stats(self) -> RenderStats:
        """Figures of this moment."""
        return RenderStats(len(self._queue), self._rendered, self._failed, self._busy_s)

    @property
    def worker_pids(self) -> list[int]:
        """Process ids of the workers that are kept without a job."""
        return [worker.process.pid for worker in self._parked]

    async def render(self, request: RenderRequest, *, priority: Priority, order: int = 0) -> Rendered:
        """Render a request, or wait for the one that is being rendered.

        Args:
            request: what to render.
            priority: who waits.
            order: within a class the highest goes first; the media sequence number.

        Raises:
            TranscodeError: it cannot be made, or this renderer has been closed.
            CapacityError: too much waits that is more urgent.
        """
        job = self._queue.join(request, priority, order) or self._add(request, priority, order)
        job.waiters += 1
        self._serve_soon(job.priority)
        try:
            return await asyncio.shield(job.done)
        finally:
            job.waiters -= 1
            if not job.waiters:
                self._queue.drop(job)

    async def tracks(self, specs: Collection[RungSpec]) -> Mapping[str, VideoTrack]:
        """Say each rung's track by its name, from an opened encoder, without a picture.

        Raises:
            TranscodeError: an encoder cannot be opened.
        """
        async with self._opening:
            missing = {key: spec for spec in specs if (key := _track_key(spec)) not in self._tracks}
            if missing:
                # Names of their own: two rungs that are asked for may be called the same, and be of other sizes.
                wanted = [replace(spec, name=str(number)) for number, spec in enumerate(missing.values())]
                self._tracks |= dict(zip(missing, await self._open(wanted), strict=True))
            found = {spec.name: self._tracks[_track_key(spec)] for spec in specs}
            while len(self._tracks) > MAX_TRACKS:
                del self._tracks[next(iter(self._tracks))]
        return found

    async def close(self) -> None:
        """End what is at work; whoever waits gets a `TranscodeError`."""
        self._is_closed = True
        for job in self._queue.clear():
            _refuse(job, TranscodeError("segments are encoded no more"))
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        for worker in list(self._parked):
            self._release(worker)

    def _add(self, request: RenderRequest, priority: Priority, order: int) -> RenderJob:
        if self._is_closed:
            raise TranscodeError("segments are encoded no more")
        done: asyncio.Future[Rendered] = asyncio.get_running_loop().create_future()
        job = RenderJob(request, priority, order, done)
        displaced = self._queue.add(job)
        if displaced is not None:
            _refuse(displaced, no_room())
        return job

    def _serve_soon(self, priority: Priority) -> None:
        extra = priority is Priority.LIVE and self._queue.keeps_live_waiting
        if len(self._queue) and len(self._serving) < self._workers + extra:
            self._serving.add(asyncio.create_task(self._serve()))

    async def _serve(self) -> None:
        try:
            while batch := self._queue.take(self._least):
                await self._run(batch)
        finally:
            # Here and not in a callback of the task: a job that comes in between would find nobody.
            self._serving.discard(asyncio.current_task())

    @property
    def _least(self) -> Priority:
        """What the present task may take: the one worker too many is there for live alone."""
        return Priority.LIVE if len(self._serving) > self._workers else Priority.VOD

    async def _run(self, batch: list[RenderJob]) -> None:
        began = self._clock()
        try:
            async with self._worker() as worker:
                rendered = await worker.render([job.request for job in batch])
        except MediaServerError as error:
            self._fail(batch, error)
        except BaseException:
            self._give_up(batch, TranscodeError("segments are encoded no more"))
            raise
        else:
            for job in batch:
                self._deliver(job, rendered[job.request.spec.name])
        finally:
            self._busy_s += self._clock() - began

    def _deliver(self, job: RenderJob, rendered: Rendered) -> None:
        if not rendered.frames:
            self._give_up([job], TranscodeError(f"no picture of {job.request.source} can be decoded"))
            return
        self._queue.finish(job)
        self._rendered += 1
        job.done.set_result(rendered)

    def _fail(self, batch: Iterable[RenderJob], error: MediaServerError) -> None:
        """Let each job be tried once more, by itself."""
        for job in batch:
            job.attempts += 1
            log.warning(
                "a segment was not rendered",
                source=job.request.source,
                rung=job.request.spec.name,
                reason=str(error),
                again=job.attempts < MAX_ATTEMPTS,
            )
            if job.attempts < MAX_ATTEMPTS and job.waiters:
                self._queue.put_back(job)
            else:
                self._give_up([job], TranscodeError(str(error)))

    def _give_up(self, batch: Iterable[RenderJob], error: TranscodeError) -> None:
        for job in batch:
            self._queue.finish(job)
            self._failed += 1
            _refuse(job, error)

    async def _open(self, specs: list[RungSpec]) -> list[VideoTrack]:
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                async with self._worker() as worker:
                    tracks = await worker.open(specs)
                return [tracks[spec.name] for spec in specs]
            except MediaServerError as error:
                log.warning("encoders were not opened", reason=str(error), again=attempt < MAX_ATTEMPTS)
                reason = str(error)
        raise TranscodeError(reason)

    # Workers.

    @asynccontextmanager
    async def _worker(self) -> AsyncIterator[RenderWorker]:
        """Lend a worker: one that is parked, else one of the pool. It is parked when it has done its work."""
        worker = self._unpark() or RenderWorker(await self._pool.take())
        try:
            yield worker
        except BaseException:
            self._pool.release(worker.process, at_once=True)
            raise
        self._park(worker)

    def _unpark(self) -> RenderWorker | None:
        while self._parked:
            worker, timer = self._parked.popitem()
            timer.cancel()
            if worker.is_usable:
                return worker
            self._pool.release(worker.process, at_once=True)
        return None

    def _park(self, worker: RenderWorker) -> None:
        self._parked[worker] = asyncio.get_running_loop().call_later(IDLE_S, self._release, worker)
        if worker.is_worn:
            self._release(worker)
        elif self._is_closed or len(self._parked) > self._workers:
            self._release(next(iter(self._parked)))

    def _release(self, worker: RenderWorker) -> None:
        self._parked.pop(worker).cancel()
        self._pool.release(worker.process)


def _refuse(job: RenderJob, error: MediaServerError) -> None:
    if job.waiters:
        job.done.set_exception(error)
    else:
        job.done.cancel()


def _track_key(spec: RungSpec) -> RungSpec:
    """Leave out what parameter sets do not depend on (see `transcode.rung.PINNED`)."""
    return replace(spec, name="", bitrate_bps=0, max_bitrate_bps=0, preset="")
