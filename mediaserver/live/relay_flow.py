"""The pictures of a rung on their way to WebRTC: the newest ones are kept, the rate is measured."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from hls.parameter_set import parameter_sets
from hls.writer import Sample
from media.nal import join_length_prefixed
from media.packet import CLOCK_HZ, VideoTrack
from webrtc.port import VideoFrame

MAX_KEPT = 2 * CLOCK_HZ
MAX_KEPT_BYTES = 1_000_000
"""Of the pictures since the newest keyframe. Whoever comes gets them faster than they play, so that he is soon at the
newest one; with more he would be quicker with a keyframe of his own."""

RATE_SPAN = 4 * CLOCK_HZ
"""Over which the rate is measured, at least: two GOPs of a usual source."""

MAX_GOPS = 64
"""That it is measured over: keyframes that viewers force come close together."""


class RelayFlow:
    """Hands a rung's pictures on while that is wanted and they are fit for it, from a keyframe on.

    Args:
        forward: takes a picture; False when a keyframe has to come first.
    """

    def __init__(self, forward: Callable[[VideoFrame], bool]) -> None:
        self._forward = forward
        self._sets = b""
        self._kept: list[Sample] = []  # since the newest keyframe
        self._kept_bytes = 0
        self._gops: deque[tuple[int, int]] = deque(maxlen=MAX_GOPS)  # ticks and bytes
        self._gop_begin = self._gop_bytes = 0
        self._is_wanted = False
        self._is_flowing = False

    @property
    def bitrate_bps(self) -> int | None:
        """What it has taken of late, None while unknown."""
        ticks = sum(ticks for ticks, _ in self._gops)
        return sum(size for _, size in self._gops) * 8 * CLOCK_HZ // ticks if ticks else None

    def forget_rate(self) -> None:
        """Measure anew: other pictures come."""
        self._gops.clear()

    def forget(self) -> None:
        """Forget all pictures, and that they are wanted: other ones come, if any."""
        self._kept = []
        self.unwant()
        self.forget_rate()

    def set_track(self, track: VideoTrack) -> None:
        """Learn the parameter sets of what is added from now on."""
        self._sets = join_length_prefixed(parameter_sets(track))

    def want(self, *, is_fit: bool) -> None:
        """Let it flow, at once with what is kept if that is fit."""
        if not self._is_wanted:
            self._is_wanted = True
            if is_fit:
                self._pass_kept()

    def unwant(self) -> None:
        """Let it flow no more."""
        self._is_wanted = self._is_flowing = False

    def add(self, sample: Sample, *, is_fit: bool = True) -> None:
        """Take a sample, in decoding order."""
        self._keep(sample)
        if not is_fit:
            self._is_flowing = False
        elif self._is_flowing:
            self._pass(sample)
        elif self._is_wanted:
            self._pass_kept()

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

    def _pass_kept(self) -> None:
        for sample in self._kept:
            if sample.is_sync or self._is_flowing:
                self._pass(sample)

    def _pass(self, sample: Sample) -> None:
        data = self._sets + sample.data if sample.is_sync else sample.data
        self._is_flowing = self._forward(VideoFrame(sample.dts, sample.is_sync, data))
