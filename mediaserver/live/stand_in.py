"""A copied rung encoded at its own size, for WebRTC alone: its source reorders pictures (B-frames).

HLS goes on with the copy and knows nothing of this. A worker of its own decodes the source once more, only while
somebody watches, and the machine's governor may take it away first of all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import structlog

from hls.timeline import Timeline
from hls.writer import Sample
from media.packet import AudioTrack, Packet, VideoTrack
from transcode.cost import cheaper_presets, decode_cost, encode_cost, worth
from transcode.governed import BroadcastLoad, RungLoad
from transcode.rung import RungSpec
from transcode.supervisor import Transcoder, WorkerPool

from .demand import LINGER_S, RECENT_S, VIEWER_REQUESTS
from .ladder import SHED_LINGER_S
from .relay_flow import RelayFlow

log = structlog.get_logger(__name__)


class StandIn:
    """Encodes one rung of a broadcast for WebRTC. Implements the transcoder's sink and `steward.Governed`.

    Args:
        stream_id: names the broadcast in logs and, with a suffix, to the governor.
        pool: codec workers.
        timeline: of the broadcast.
        flow: takes the pictures.
        recent: returns the packets of the main video from the keyframe of the open segment on.
        admit: asked before it begins whether there is room for a rung: its name, cores for it and for decoding.
        on_change: called when it has begun or stopped.
        clock: seconds, never stepping back.
    """

    def __init__(
        self,
        stream_id: str,
        pool: WorkerPool,
        timeline: Timeline,
        flow: RelayFlow,
        *,
        recent: Callable[[], Sequence[Packet]],
        admit: Callable[[str, float, float], bool],
        on_change: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._id = f"{stream_id}/webrtc"
        self._log = log.bind(stream_id=stream_id)
        self._pool = pool
        self._timeline = timeline
        self.flow = flow
        self._recent = recent
        self._admit = admit
        self._on_change = on_change
        self._clock = clock
        self._video: VideoTrack | None = None
        self.spec: RungSpec | None = None
        """The rung that it stands in for, as it is encoded; None: there is none, or it cannot be made now."""
        self._own_preset = ""
        self._viewers = 0
        self._audience = 1  # the last viewers that there were
        self._watched_at = float("-inf")
        self._shed_at: float | None = None
        self._has_failed = False
        self._transcoder: Transcoder | None = None
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def name(self) -> str | None:
        """The rung that can be had from here."""
        if self.spec is None or self._has_failed or self._is_shed:
            return None
        return self.spec.name

    @property
    def is_made(self) -> bool:
        """Whether its pictures come now."""
        return self._transcoder is not None

    # What the relay says.

    def offer(self, spec: RungSpec, video: VideoTrack) -> None:
        """Stand in for a rung of a source from now on, once somebody watches."""
        if (spec.name, video) == (self.spec.name if self.spec is not None else None, self._video):
            return
        self.withdraw()
        self.spec, self._video, self._own_preset = spec, video, spec.preset

    def withdraw(self) -> None:
        """Stand in for nothing."""
        self._stop()
        self.spec = None
        self._has_failed = False

    def watch(self, viewers: int) -> None:
        """Take note that so many watch; the last one may come back for a while."""
        self._viewers = viewers
        if viewers:
            self._audience, self._watched_at = viewers, self._clock()
            self._begin()

    def force_keyframe(self, pts: int) -> None:
        """Start an IDR at `pts`, or as soon behind as may be."""
        if self._transcoder is not None and self.spec is not None:
            self._transcoder.force_keyframe(pts, self.spec.name)

    def receive(self, packet: Packet) -> None:
        """Take a packet of the main video on the timeline."""
        if self._transcoder is None:
            return
        if not self._viewers and self._clock() - self._watched_at > LINGER_S:
            self._stop()
        else:
            self._transcoder.send(packet)

    async def close(self) -> None:
        """Stop the worker."""
        self.withdraw()
        await asyncio.gather(*self._closing, return_exceptions=True)

    # What the governor says.

    def load(self) -> BroadcastLoad | None:
        """Describe what is asked for and how it goes; None when there is nothing to do."""
        spec, video = self.spec, self._video
        if spec is None or video is None or not (self.is_made or self._is_shed):
            return None
        stats = self._transcoder.stats if self._transcoder is not None else None
        rung = RungLoad(
            spec.name,
            spec.preset,
            cheaper_presets(self._own_preset),
            stats.costs.get(spec.name) if stats is not None else None,
            encode_cost(spec),
            worth(spec.name, self._audience * VIEWER_REQUESTS * RECENT_S),
            self._is_shed,
            is_last=False,
        )
        lag_s = stats.lag_s if stats is not None and stats.has_begun else 0.0
        base_cost = stats.base_cost if stats is not None else None
        return BroadcastLoad(self._id, lag_s, base_cost, decode_cost(video), (rung,), has_copy=True)

    def shed(self, rung: str, *, at_once: bool) -> None:  # noqa: ARG002 - no segment has to be awaited
        """Make it no more."""
        self._log.info("what browsers would get of the source's own quality is not made", rung=rung)
        self._shed_at = self._clock()
        self._stop()
        self._on_change()

    def restore(self, rung: str) -> None:  # noqa: ARG002 - there is one
        """Make it again, if somebody asks."""
        self._shed_at = None
        self._on_change()

    def set_preset(self, rung: str, preset: str) -> None:  # noqa: ARG002 - there is one
        """Encode with another preset."""
        if self.spec is not None:
            self.spec = replace(self.spec, preset=preset)
            if self._transcoder is not None:
                self._transcoder.activate(self.spec, self._timeline.position + 1)

    def explain(self, reason: str | None) -> None:
        """Keep silent: the streamer is told of the rungs that everybody has."""

    # What the transcoder reports.

    def on_rung_opened(self, rung: str, track: VideoTrack, from_pts: int) -> None:  # noqa: ARG002 - there is one
        """Learn the parameter sets."""
        self.flow.set_track(track)

    def on_video(self, pts: int, frames: Mapping[str, Packet]) -> None:
        """Take a picture."""
        for packet in frames.values():
            self.flow.add(Sample(pts, pts, packet.data, packet.is_keyframe))

    def on_audio_opened(self, output: str, track: AudioTrack) -> None:
        """Encode no audio."""

    def on_audio(self, output: str, packet: Packet) -> None:
        """Encode no audio."""

    def on_gap(self, rungs: Collection[str], until_pts: int) -> None:
        """Go on: a keyframe follows."""

    def on_flushed(self) -> None:
        """Never flush: with the source's run this ends."""

    def on_failed(self, reason: str) -> None:  # noqa: ARG002 - the transcoder has logged it
        """Give up with this source."""
        self._has_failed = True
        self._stop()

    # Within.

    @property
    def _is_shed(self) -> bool:
        return self._shed_at is not None and self._clock() - self._shed_at <= SHED_LINGER_S

    def _begin(self) -> None:
        if self._transcoder is not None or self.spec is None or self._video is None or self.name is None:
            return
        if not self._admit(self.spec.name, encode_cost(self.spec) + decode_cost(self._video), 0.0):
            self.shed(self.spec.name, at_once=True)
            return
        self._log.info("the source's own quality is encoded for browsers", rung=self.spec.name)
        at = self._timeline.position + 1
        self._transcoder = Transcoder(self._pool, self)
        self._transcoder.prime(self._recent(), at)
        self._transcoder.activate(self.spec, at)
        self._on_change()

    def _stop(self) -> None:
        transcoder, self._transcoder = self._transcoder, None
        self.flow.forget()
        if transcoder is not None:
            task = asyncio.create_task(transcoder.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
            self._on_change()
