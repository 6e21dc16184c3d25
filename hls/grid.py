"""Audio frames on the exact sample grid, whatever the rounding of their timestamps."""

from __future__ import annotations

from collections import deque

from media.aac import silent_frame
from media.packet import CLOCK_HZ, AudioTrack
from media.timing import rescale

MAX_FILL_S = 3
"""A longer hole is no loss of packets: it stays a hole and its parts become gaps."""

_OPUS_SILENCE = b"\xf8\xff\xfe"  # 20 ms, CELT, fullband, mono as well as stereo decoders take it


def _silence(track: AudioTrack) -> bytes | None:
    """Return a silent frame of a track, None when none is known."""
    if track.codec == "opus":
        return _OPUS_SILENCE
    return silent_frame(track.channels) if track.codec_string == "mp4a.40.2" and track.channels <= 2 else None


class SampleGrid:
    """The frames of one run of the source, in samples of its rate, each where the one before ends.

    Timestamps only say how many frames are missing or too many: a hole of more than a frame is filled with
    silence, a frame that overlaps by more than a frame is dropped.

    Args:
        track: how the frames are coded.
        at: timeline position of the run, in ticks.
        start: where frames are taken from: `at`, or later where the last frame of the run before reaches in.
    """

    def __init__(self, track: AudioTrack, at: int, start: int) -> None:
        self.at = at
        self.frame = track.frame_samples
        self.published = 0
        """Where the next part starts, in samples."""
        self._rate = track.sample_rate
        self._silence = _silence(track)
        self._first = self._ceil(start)
        self._frames: deque[tuple[int, bytes]] = deque()
        self._end: int | None = None
        self._heard = self._first
        """Where the last part with a frame in it ended."""

    @property
    def held(self) -> int:
        """Frames between the next part's start and the newest frame's end."""
        return ((self._end or 0) - self.published) // self.frame

    def add(self, pts: int, data: bytes) -> None:
        """Place a frame; `pts` in ticks."""
        position = rescale(pts, self._rate, CLOCK_HZ)
        if self._end is None:
            self._place_first(position, data)
            return
        late = position - self._end
        if late <= -self.frame:
            return
        if late > self.frame:
            self._skip(rescale(late, 1, self.frame))
        self._append(data)

    def settle(self, start: int, limit: int, audio_frontier: int) -> bool:
        """Make sure that the next part's start is known; return whether it is.

        Args:
            start: of the segment, in ticks. After a hole between runs the next part does not start before it.
            limit: in ticks.
            audio_frontier: in ticks; when no frame has come before `limit`, none will.
        """
        if self._end is None:
            if audio_frontier < limit or limit <= start:
                return False
            self._end = self.published = self._first
        hole = self._ceil(start) - self.published
        if hole > self.frame:
            self._pass(self.published + hole // self.frame * self.frame)
        return True

    def frames_before(self, limit: int) -> int:
        """Count the frames from the next part's start on that start before `limit`, in ticks."""
        return max(0, -(-(self._ceil(limit) - self.published) // self.frame))

    def frames_in(self, seconds: float) -> int:
        """Count the whole frames that fit into a duration, at least one."""
        return max(1, int(seconds * self._rate / self.frame + 1e-9))

    def seconds(self, count: int) -> float:
        """Return the duration of a number of frames."""
        return count * self.frame / self._rate

    def has(self, count: int, audio_frontier: int) -> bool:
        """Tell whether the next frames are there, or will never come."""
        end = self.published + count * self.frame
        return (self._end or 0) >= end or self._ceil(audio_frontier) >= end + self.frame

    def take(self, count: int) -> list[bytes]:
        """Hand out the next frames, with silence for missing ones; nothing when all have been missing long."""
        end = self.published + count * self.frame
        taken = {}
        while self._frames and self._frames[0][0] < end:
            position, data = self._frames.popleft()
            taken[(position - self.published) // self.frame] = data
        self._pass(end)
        if taken:
            self._heard = end
        elif end - self._heard > MAX_FILL_S * self._rate:
            return []
        if self._silence is None:
            return list(taken.values())
        return [taken.get(index, self._silence) for index in range(count)]

    def end_before(self, at: int) -> int:
        """Drop frames that start at `at` or later; return where the last one before ends; both in ticks."""
        limit = self._ceil(at)
        while self._frames and self._frames[-1][0] >= limit:
            self._frames.pop()
        end = self._frames[-1][0] + self.frame if self._frames else self.published
        self._end = end if self._end is not None else None
        return -(-end * CLOCK_HZ // self._rate) if self._end is not None else at

    def _place_first(self, position: int, data: bytes) -> None:
        if position < self._first:
            return
        missing = (position - self._first) // self.frame
        self._end = self.published = position - missing * self.frame
        self._skip(missing)
        self._append(data)

    def _skip(self, count: int) -> None:
        if self._silence is None or count * self.frame > MAX_FILL_S * self._rate:
            self._end = (self._end or 0) + count * self.frame
            return
        for _ in range(count):
            self._append(self._silence)

    def _append(self, data: bytes) -> None:
        end = self._end or 0
        self._frames.append((end, data))
        self._end = end + self.frame

    def _pass(self, position: int) -> None:
        self.published = position
        self._end = max(self._end or 0, position)
        while self._frames and self._frames[0][0] < position:
            self._frames.popleft()

    def _ceil(self, ticks: int) -> int:
        return -(-ticks * self._rate // CLOCK_HZ)
