"""A second transcoder for a moment: the segment that is open when a rung wakes.

The broadcast's own encoders have passed the begin of that segment, and a rung can only begin there. So another worker
decodes it again for the rungs that wake, while the broadcast's own takes them over with the next segment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence

from media.packet import AudioTrack, Packet, VideoTrack
from transcode.rung import RungSpec
from transcode.supervisor import Transcoder, WorkerPool

MAX_LATE_S = 3.0
"""Behind the end of the segment. What has not come by then becomes a gap, rather than hold up the next segment."""


class Bridge:
    """Encodes rungs from the begin of the open segment to its end. Implements the transcoder's sink.

    Args:
        pool: codec workers.
        start: of the segment, in ticks.
        packets: from the keyframe at or before `start` on.
        deliver: takes a rung's frame; each lies in the segment.
        on_done: called once: nothing more will come.
    """

    def __init__(
        self,
        pool: WorkerPool,
        start: int,
        packets: Sequence[Packet],
        deliver: Callable[[str, Packet], None],
        on_done: Callable[[Bridge], None],
    ) -> None:
        self.start = start
        self.end: int | None = None
        """Of the segment, once known."""
        self._deliver = deliver
        self._on_done = on_done
        self._transcoder = Transcoder(pool, self)
        self._transcoder.prime(packets, start)
        self._timer: asyncio.TimerHandle | None = None
        self._is_done = False

    @property
    def may_join(self) -> bool:
        """Whether another rung can still begin with it."""
        return self.end is None and self._transcoder.may_begin(self.start)

    def add(self, spec: RungSpec) -> None:
        """Encode another rung."""
        self._transcoder.activate(spec, self.start)

    def send(self, packet: Packet) -> None:
        """Take a packet of the main video."""
        if not self._is_done:
            self._transcoder.send(packet)

    def force_keyframe(self, name: str, pts: int) -> None:
        """Start an IDR on a rung at `pts`, or as soon behind as may be."""
        self._transcoder.force_keyframe(pts, name)

    def close_segment(self, at: int) -> None:
        """Learn where the segment ends; called before the frame there is sent."""
        if self.end is None:
            self.end = at
            self._timer = asyncio.get_running_loop().call_later(MAX_LATE_S, self.finish)

    def finish(self) -> None:
        """Deliver nothing more."""
        if self._is_done:
            return
        self._is_done = True
        if self._timer is not None:
            self._timer.cancel()
        self._on_done(self)

    async def close(self) -> None:
        """Stop the worker."""
        await self._transcoder.close()

    # What the transcoder reports.

    def on_rung_opened(self, rung: str, track: VideoTrack, from_pts: int) -> None:
        """Learn nothing new: parameter sets are known before a rung has ever run."""

    def on_video(self, pts: int, frames: Mapping[str, Packet]) -> None:
        """Take all rungs of one source frame."""
        if self.end is not None and pts >= self.end:
            self.finish()
        elif not self._is_done:
            for name, packet in frames.items():
                self._deliver(name, packet)

    def on_audio_opened(self, output: str, track: AudioTrack) -> None:
        """Encode no audio."""

    def on_audio(self, output: str, packet: Packet) -> None:
        """Encode no audio."""

    def on_gap(self, rungs: Collection[str], until_pts: int) -> None:
        """Go on: what is missing shows when the next frame comes."""

    def on_flushed(self) -> None:
        """Never flush: a bridge ends by the first frame behind it."""

    def on_failed(self, reason: str) -> None:  # noqa: ARG002 - the transcoder has logged it
        """Give up."""
        self.finish()
