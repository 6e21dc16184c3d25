"""Measuring what an encoder sends while it comes: rates, regularity, keyframes. Constant work and memory per packet."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import inf

from media.packet import CLOCK_HZ

from .clock import MAX_STEP_AHEAD

BUCKET_S = 0.5
BUCKETS = 10
"""Rates are means over the last 5 s: an interval of keyframes, which are much larger than other frames, or two."""

MIN_MEASURED_S = 1.0
"""A shorter time says nothing about a rate."""

IRREGULAR = 0.4
"""Share by which a frame's duration is off the mean to be irregular. Milliseconds at 240 frames a second are off by
0.2."""


@dataclass(slots=True)
class Bucket:
    """What came in half a second, in bytes, frames and ticks."""

    number: int
    total: int = 0
    video: int = 0
    audio: int = 0
    frames: int = 0
    ticks: int = 0
    early_s: float = inf
    """Least delay of a frame against its own time, from an unknown zero."""
    late_s: float = -inf
    """Most delay."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Means over the last seconds."""

    measured_s: float
    total_bps: int
    video_bps: int
    audio_bps: int
    fps: float
    speed: float
    """Media time of the video per second: below 1 the encoder or its connection falls behind."""
    spread_s: float
    """By how much the latest frame was later than the earliest one: how much piles up between bursts."""


class RateWindow:
    """Counts over the last `BUCKETS` half seconds, by arrival."""

    def __init__(self, now: float) -> None:
        self._start = now
        self._buckets: deque[Bucket] = deque(maxlen=BUCKETS)

    def bucket(self, now: float) -> Bucket:
        """Return what is counted to now."""
        number = int((now - self._start) / BUCKET_S)
        if not self._buckets or self._buckets[-1].number < number:
            self._buckets.append(Bucket(number))
        return self._buckets[-1]

    def rates(self, now: float) -> Rates | None:
        """Return the means; None before they mean anything."""
        elapsed_s = now - self._start
        first = max(0, int(elapsed_s / BUCKET_S) - BUCKETS + 1)
        measured_s = elapsed_s - first * BUCKET_S
        if measured_s < MIN_MEASURED_S:
            return None
        kept = [bucket for bucket in self._buckets if bucket.number >= first]
        return Rates(
            measured_s,
            round(8 * sum(bucket.total for bucket in kept) / measured_s),
            round(8 * sum(bucket.video for bucket in kept) / measured_s),
            round(8 * sum(bucket.audio for bucket in kept) / measured_s),
            sum(bucket.frames for bucket in kept) / measured_s,
            sum(bucket.ticks for bucket in kept) / CLOCK_HZ / measured_s,
            max((bucket.late_s for bucket in kept), default=-inf)
            - min((bucket.early_s for bucket in kept), default=inf),
        )


class Jitter:
    """Interarrival jitter as RTP has it (RFC 3550, 6.4.1 and A.8)."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._zero: float | None = None
        self._delay_s = 0.0

    def receive(self, dts: int, now: float, bucket: Bucket) -> None:
        """Take the arrival of a frame; a jump of its clock counts for nothing."""
        transit = now - dts / CLOCK_HZ
        if self._zero is None or abs(transit - self._zero - self._delay_s) >= MAX_STEP_AHEAD / CLOCK_HZ:
            self._zero = transit - self._delay_s
        delay_s = transit - self._zero
        self.seconds += (abs(delay_s - self._delay_s) - self.seconds) / 16
        self._delay_s = delay_s
        bucket.early_s = min(bucket.early_s, delay_s)
        bucket.late_s = max(bucket.late_s, delay_s)


class Cadence:
    """The frames of a video against their own clock: durations and keyframes."""

    def __init__(self) -> None:
        self.frame_ticks = 0.0
        """Mean duration of a frame, 0 before the second one."""
        self.irregular = 0.0
        """Share of frames of another duration, over the last hundred or so."""
        self.keyframe_interval: int | None = None
        """Ticks between the last two keyframes."""
        self.longest_keyframe_interval: int | None = None
        self.since_keyframe = 0
        """Ticks since the last keyframe."""
        self.grouped = 0
        """Ticks of all frames between two keyframes so far."""
        self._has_keyframe = False
        self._last_dts: int | None = None

    def receive(self, dts: int, *, is_keyframe: bool) -> int:
        """Take a frame; return its distance from the one before, 0 when that is no distance but a jump."""
        step = dts - self._last_dts if self._last_dts is not None else 0
        self._last_dts = dts
        if not 0 < step <= MAX_STEP_AHEAD:
            step = 0
        else:
            self._measure(step)
        self.since_keyframe += step
        if is_keyframe:
            self._end_group()
        return step

    def _measure(self, step: int) -> None:
        mean = self.frame_ticks or float(step)
        is_off = abs(step - mean) > IRREGULAR * mean
        self.irregular += (is_off - self.irregular) / 100
        self.frame_ticks = mean + (step - mean) / 32

    def _end_group(self) -> None:
        if self._has_keyframe:
            self.keyframe_interval = self.since_keyframe
            self.longest_keyframe_interval = max(self.longest_keyframe_interval or 0, self.since_keyframe)
            self.grouped += self.since_keyframe
        self._has_keyframe, self.since_keyframe = True, 0
