"""Which segments wait to be rendered, and in what order. Pure: the futures of its jobs are the renderer's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from media.error import CapacityError
from transcode.render_request import Priority, Rendered, RenderRequest
from transcode.rung import RungSpec

if TYPE_CHECKING:
    from asyncio import Future

MAX_WAITING = 32
"""Jobs. At half a second each, what is further back would be given up by whoever asked before its turn came; and each
holds the packets of a segment, up to 10 MB of them."""

RETRY_AFTER_S = 2.0

_Key = tuple[str, RungSpec]
_Rank = tuple[int, int]


@dataclass(slots=True, eq=False)
class RenderJob:
    """One request and everybody who waits for it."""

    request: RenderRequest
    priority: Priority
    order: int
    done: Future[Rendered]
    waiters: int = 0
    attempts: int = 0
    """Workers that were lost on it."""

    @property
    def key(self) -> _Key:
        """What makes two requests the same."""
        return self.request.source, self.request.spec

    @property
    def rank(self) -> _Rank:
        """The smallest goes first: by class, within it the newest."""
        return self.priority, -self.order


class RenderQueue:
    """Jobs that wait and jobs that run."""

    def __init__(self) -> None:
        self._waiting: dict[_Key, RenderJob] = {}
        self._running: dict[_Key, RenderJob] = {}

    def __len__(self) -> int:
        """Count the jobs that wait."""
        return len(self._waiting)

    @property
    def keeps_live_waiting(self) -> bool:
        """Whether what runs is all less urgent than somebody who watches live."""
        return bool(self._running) and all(job.priority > Priority.LIVE for job in self._running.values())

    def join(self, request: RenderRequest, priority: Priority, order: int) -> RenderJob | None:
        """Find the job that makes the same; it goes as early as the most urgent of those who wait for it."""
        key = request.source, request.spec
        job = self._waiting.get(key) or self._running.get(key)
        if job is not None and (priority, -order) < job.rank:
            job.priority, job.order = priority, order
        return job

    def add(self, job: RenderJob) -> RenderJob | None:
        """Let a job wait.

        Returns:
            The last one, which has to go because there is no room for both.

        Raises:
            CapacityError: there is no room, and all that wait are more urgent.
        """
        displaced = None
        if len(self._waiting) >= MAX_WAITING:
            displaced = max(self._waiting.values(), key=lambda item: item.rank)
            if displaced.rank <= job.rank:
                raise no_room()
            self.drop(displaced)
        self._waiting[job.key] = job
        return displaced

    def drop(self, job: RenderJob) -> None:
        """Forget a job that waits; one that runs goes on."""
        if self._waiting.get(job.key) is job:
            del self._waiting[job.key]

    def take(self, least: Priority = Priority.VOD) -> list[RenderJob]:
        """Take the most urgent job, and with it the other rungs of its source: they cost no more decoding.

        A job on which a worker was lost goes alone, so that it takes no other with it a second time.

        Args:
            least: nothing when the most urgent job is less urgent than this.
        """
        ranked = sorted(self._waiting.values(), key=lambda item: item.rank)
        if not ranked or ranked[0].priority > least:
            return []
        first = ranked[0]
        batch = {first.request.spec.name: first}
        for job in ranked[1:]:
            if job.request.source == first.request.source and not first.attempts and not job.attempts:
                # Two ways to encode one rung (another preset) cannot run beside each other in a worker.
                batch.setdefault(job.request.spec.name, job)
        for job in batch.values():
            self._running[job.key] = self._waiting.pop(job.key)
        return list(batch.values())

    def put_back(self, job: RenderJob) -> None:
        """Let a job that ran wait once more. It has been let in before: the bound is for newcomers."""
        self.finish(job)
        self._waiting[job.key] = job

    def finish(self, job: RenderJob) -> None:
        """Forget a job that ran."""
        del self._running[job.key]

    def clear(self) -> list[RenderJob]:
        """Forget the jobs that wait and return them."""
        jobs = list(self._waiting.values())
        self._waiting.clear()
        return jobs


def no_room() -> CapacityError:
    """Say why a job does not get in, or had to go."""
    return CapacityError(f"{MAX_WAITING} segments wait to be encoded", RETRY_AFTER_S)
