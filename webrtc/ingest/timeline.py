"""One timeline for the two clocks of a publisher: RTP timestamps of pictures and sound become `pts`."""

from __future__ import annotations

from media.packet import CLOCK_HZ
from media.timing import rescale

from .unwrapper import Unwrapper

MAX_STEP_BACK_S = 2
MAX_STRAY_S = 10
"""By how much timestamps may go back, or another way than time itself, before they are those of a new clock."""

MAX_SKEW_S = 5.0
"""Sound and picture that arrive together were not taken so far apart, whatever reports say."""

NOTICED = CLOCK_HZ // 100
"""Reports are rounded, and some senders round to milliseconds; who is off by 10 ms is left alone."""

MAX_SLEWED = CLOCK_HZ // 4
"""A larger error is put right at once: it would be seen for longer than a gap is heard."""

SLEW_RATIO = 50
"""A smaller one by 2 % of the time that goes by, which no consumer takes for a gap."""


class _Clock:
    """The RTP clock of one stream, in ticks of 90 kHz that do not wrap."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._unwrapper = Unwrapper(32)
        self.offset: int | None = None
        """What makes `pts` of its ticks; None before the first packet."""
        self.wall: int | None = None
        """What makes the sender's wall clock of its ticks; None before the first report."""
        self._last = 0
        self._last_arrival = 0.0

    def advance(self, timestamp: int, arrived_at: float) -> int:
        """Return the ticks of a packet. The first of a clock, which may begin anew, is placed where it arrived."""
        ticks = rescale(self._unwrapper.unwrap(timestamp), CLOCK_HZ, self._rate)
        if self.offset is None:
            self.offset = round(arrived_at * CLOCK_HZ) - ticks
        else:
            step, elapsed = ticks - self._last, (arrived_at - self._last_arrival) * CLOCK_HZ
            if step < -MAX_STEP_BACK_S * CLOCK_HZ or abs(step - elapsed) > MAX_STRAY_S * CLOCK_HZ:
                self.offset += round(elapsed) - step
                self.wall = None
        self._last, self._last_arrival = ticks, arrived_at
        return ticks

    def report(self, timestamp: int, ntp: int) -> None:
        """Learn which wall clock time a timestamp stands for."""
        ticks = rescale(self._unwrapper.peek(timestamp), CLOCK_HZ, self._rate)
        self.wall = rescale(ntp, CLOCK_HZ, 1 << 32) - ticks


class Timeline:
    """Places packets. Pictures keep their timestamps exactly; sound is brought to them.

    At first both lie where they arrived. When reports (RFC 3550, 6.4.1) have said how both clocks relate to the
    sender's wall clock, sound is moved to where it belongs: slowly, since jumps are taken for gaps.
    """

    def __init__(self) -> None:
        self._video = _Clock(CLOCK_HZ)
        self._audio = _Clock(48_000)
        self._moved_to: int | None = None
        """Audio ticks up to which errors have been put right; None before the first audio packet."""

    def place_video(self, timestamp: int, arrived_at: float) -> int:
        """Return the `pts` of a picture; `arrived_at` counts in seconds from anywhere."""
        ticks = self._video.advance(timestamp, arrived_at)
        return ticks + (self._video.offset or 0)

    def place_audio(self, timestamp: int, arrived_at: float) -> int:
        """Return the `pts` of a packet of sound."""
        ticks = self._audio.advance(timestamp, arrived_at)
        offset = (self._audio.offset or 0) + self._correction(ticks)
        self._audio.offset = offset
        self._moved_to = ticks
        return ticks + offset

    def report_video(self, timestamp: int, ntp: int) -> None:
        """Take a sender report of the pictures.

        Args:
            timestamp: RTP timestamp, 32 bits.
            ntp: the same moment on the wall clock, 32.32 bits.
        """
        _report(self._video, timestamp, ntp)

    def report_audio(self, timestamp: int, ntp: int) -> None:
        """Take a sender report of the sound; as `report_video`."""
        _report(self._audio, timestamp, ntp)

    @property
    def error(self) -> int:
        """How far sound lies before its place, in ticks; 0 while nobody knows."""
        video, audio = self._video, self._audio
        if video.wall is None or audio.wall is None or video.offset is None or audio.offset is None:
            return 0
        error = (audio.wall - video.wall) - (audio.offset - video.offset)
        return error if abs(error) <= MAX_SKEW_S * CLOCK_HZ else 0

    def _correction(self, ticks: int) -> int:
        error = self.error
        if abs(error) < NOTICED:
            return 0
        if self._moved_to is None or abs(error) > MAX_SLEWED:
            return error
        limit = max(0, ticks - self._moved_to) // SLEW_RATIO
        return max(-limit, min(limit, error))


def _report(clock: _Clock, timestamp: int, ntp: int) -> None:
    # A sender without a wall clock says zero; what was said before the first packet cannot be unwrapped yet.
    if ntp and clock.offset is not None:
        clock.report(timestamp, ntp)
