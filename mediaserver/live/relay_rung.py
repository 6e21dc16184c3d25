"""One rung on its way to WebRTC: its newest pictures, its rate, and whether it can go there at all."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from hls.parameter_set import parameter_sets
from hls.writer import Sample, VideoWriter
from media.nal import join_length_prefixed
from media.packet import CLOCK_HZ, VideoTrack
from webrtc.port import VideoFrame

from .plan import suits_copy_video
from .reordering import Reordering

MAX_KEPT = 2 * CLOCK_HZ
MAX_KEPT_BYTES = 1_000_000
"""Of the pictures since the newest keyframe. Whoever comes gets them faster than they play, so that he is soon at the
newest one; with more he would be quicker with a keyframe of his own."""

RATE_SPAN = 4 * CLOCK_HZ
"""Over which the rate is measured, at least: two GOPs of a usual source."""

MAX_GOPS = 64
"""That it is measured over: keyframes that viewers force come close together."""


class RelayRung:
    """Takes a rung's samples as they are added to its writer.

    Args:
        writer: of the rung.
        is_copied: tells whether the source's own bits fill it now.
        forward: takes what goes to WebRTC, while that is wanted.
        on_change: called when the rung can go to WebRTC, or cannot any more; and with each keyframe.
    """

    def __init__(
        self,
        writer: VideoWriter,
        is_copied: Callable[[], bool],
        forward: Callable[[VideoFrame], None],
        on_change: Callable[[], None],
    ) -> None:
        self._writer = writer
        self._is_copied = is_copied
        self._forward = forward
        self._on_change = on_change
        self._track: VideoTrack | None = None
        self._sets = b""
        self._reordering = Reordering()
        self._kept: list[Sample] = []  # since the newest keyframe
        self._kept_bytes = 0
        self._gops: deque[tuple[int, int]] = deque(maxlen=MAX_GOPS)  # ticks and bytes
        self._gop_begin = self._gop_bytes = 0
        self._is_wanted = False
        self._is_flowing = False
        self._last = -1  # dts of the last sample that went to WebRTC
        writer.on_sample = self.receive

    @property
    def is_in_order(self) -> bool:
        """Whether its pictures are H.264 that any browser decodes, shown in the order in which they come."""
        return self._reordering.is_in_order

    @property
    def bitrate_bps(self) -> int | None:
        """What it has taken of late, None while unknown."""
        ticks = sum(ticks for ticks, _ in self._gops)
        return sum(size for _, size in self._gops) * 8 * CLOCK_HZ // ticks if ticks else None

    def want(self) -> None:
        """Let it flow: first the pictures since the newest keyframe, where they are kept."""
        if self._is_wanted:
            return
        self._is_wanted = True
        if self.is_in_order:
            for sample in self._kept:
                self._pass(sample)

    def unwant(self) -> None:
        """Let it flow no more; what has gone to WebRTC may go there again when it is wanted anew."""
        self._is_wanted = self._is_flowing = False
        self._last = -1

    def forget_rate(self) -> None:
        """Measure anew: a slate has begun or ended."""
        self._gops.clear()

    def receive(self, sample: Sample) -> None:
        """Take a sample."""
        track = self._writer.newest_track
        if track is not self._track and track is not None:
            self._begin(track, sample.dts)
        was_in_order = self.is_in_order
        if self._sets:
            self._reordering.look(sample.dts, sample.pts)
        self._keep(sample)
        if sample.is_sync or self.is_in_order != was_in_order:
            self._on_change()
        if not self.is_in_order:
            self._is_flowing = False
        elif self._is_wanted:
            for item in [sample] if was_in_order else list(self._kept):
                self._pass(item)

    def _begin(self, track: VideoTrack, at: int) -> None:
        self._track = track
        if suits_copy_video(track):
            self._sets = join_length_prefixed(parameter_sets(track))
            self._reordering.begin(track, at, is_ours=not self._is_copied())
        else:
            self._sets, self._reordering = b"", Reordering()

    def _keep(self, sample: Sample) -> None:
        if sample.is_sync:
            self._measure(sample.dts)
            self._kept, self._kept_bytes = [sample], len(sample.data)
        elif self._kept:
            self._kept.append(sample)
            self._kept_bytes += len(sample.data)
            if self._kept_bytes > MAX_KEPT_BYTES or sample.dts - self._kept[0].dts > MAX_KEPT:
                self._kept = []
        self._gop_bytes += len(sample.data)

    def _measure(self, at: int) -> None:
        if 0 < at - self._gop_begin <= RATE_SPAN:
            self._gops.append((at - self._gop_begin, self._gop_bytes))
            while sum(ticks for ticks, _ in self._gops) - self._gops[0][0] >= RATE_SPAN:
                self._gops.popleft()
        self._gop_begin, self._gop_bytes = at, 0

    def _pass(self, sample: Sample) -> None:
        if sample.dts <= self._last:
            self._is_flowing = False  # another encoder makes once more what viewers have
        elif sample.is_sync or self._is_flowing:
            self._is_flowing = True
            self._last = sample.dts
            data = self._sets + sample.data if sample.is_sync else sample.data
            self._forward(VideoFrame(sample.dts, sample.is_sync, data))
