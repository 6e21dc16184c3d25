"""How the path to a viewer is: what gets lost on it, how long it takes, what it seems to carry."""

from __future__ import annotations

from collections import deque

_WINDOW_S = 0.7
_WINDOW_PACKETS = 20
"""Receivers that report often report on few packets; a fraction of these says nothing."""
_FLOOR_S = 15.0
_LEVEL_S = 6.0
_LEVEL_SHARE = 0.15
"""A queue breathes; a path that has become longer does not. For so long, and by no more than so much."""
_BANDWIDTH_LASTS_S = 4.0
"""Chromium repeats its estimate once a second."""
_REPORTS_LAST_S = 3.0


class PathQuality:
    """Keeps what the newest reports say. Time is monotonic seconds."""

    def __init__(self, now: float) -> None:
        self.losses: deque[float] = deque([0.0, 0.0], maxlen=2)
        """Fractions of the last two windows of at least 0.7 s, newest last."""
        self.queue_s = 0.0
        """What the round trip takes longer than at its best, smoothed a little."""
        self.is_bandwidth_rising = False
        """Whether the receiver still learns what the path carries: Chromium's estimate grows by 8 % a second."""
        self._arrived: tuple[float, int, int] | None = None
        self._floors: deque[tuple[float, float]] = deque(maxlen=3)
        self._recent: deque[tuple[float, float]] = deque()
        self._bandwidth_bps = 0
        self._bandwidth_at = -_BANDWIDTH_LASTS_S
        self._heard_at = now
        self._lossless_since = now
        self._steady_since = now

    def note_arrival(self, highest: int, lost: int, now: float) -> None:
        """Take the totals of a receiver report: the highest sequence number and the packets lost so far."""
        self._heard_at = now
        if self._arrived is None:
            self._arrived = (now, highest, lost)
            return
        since, highest_before, lost_before = self._arrived
        expected = (highest - highest_before) & 0xFFFFFFFF
        if expected >= 1 << 31:  # an older report, overtaken
            return
        if now - since < _WINDOW_S or expected < _WINDOW_PACKETS:
            return
        self._arrived = (now, highest, lost)
        self.losses.append(min(1.0, max(0.0, (lost - lost_before) / expected)))
        self._settle(now)

    def note_round_trip(self, rtt_s: float, now: float) -> None:
        """Take a measured round trip."""
        if not self._floors or now - self._floors[-1][0] > _FLOOR_S:
            self._floors.append((now, rtt_s))
        elif rtt_s < self._floors[-1][1]:
            self._floors[-1] = (self._floors[-1][0], rtt_s)
        self._find_level(rtt_s, now)
        self.queue_s = 0.5 * self.queue_s + 0.5 * (rtt_s - self.floor_s)
        self._settle(now)

    def _find_level(self, rtt_s: float, now: float) -> None:
        """Take a round trip that stays longer without a loss for what the path takes now: it leads another way."""
        self._recent.append((now, rtt_s))
        while now - self._recent[0][0] > _LEVEL_S:
            self._recent.popleft()
        shortest = min(recent_s for _, recent_s in self._recent)
        longest = max(recent_s for _, recent_s in self._recent)
        is_whole = now - self._recent[0][0] > _LEVEL_S - 1.5
        is_level = longest - shortest <= max(0.01, _LEVEL_SHARE * shortest)
        if is_whole and is_level and max(self.losses) < 0.02 and shortest > self.floor_s:
            self._floors.clear()
            self._floors.append((now, shortest))

    def note_bandwidth(self, bitrate_bps: int, now: float) -> None:
        """Take the receiver's own estimate."""
        self.is_bandwidth_rising = bitrate_bps > 1.02 * self._bandwidth_bps
        self._bandwidth_bps = bitrate_bps
        self._bandwidth_at = now

    def _settle(self, now: float) -> None:
        if self.is_queue_growing or self.losses[-1] >= 0.02:
            self._lossless_since = now
        if self.is_queue_growing or self.losses[-1] >= 0.08:
            self._steady_since = now

    @property
    def floor_s(self) -> float:
        """The shortest round trip of the last 30 to 45 s, or since the path got longer; 0: none was measured."""
        return min((rtt_s for _, rtt_s in self._floors), default=0.0)

    @property
    def is_queue_growing(self) -> bool:
        """Whether packets wait on the way."""
        return self.queue_s > max(0.05, 0.5 * self.floor_s)

    def bandwidth_bps(self, now: float) -> int | None:
        """Return the receiver's estimate if it is fresh."""
        return self._bandwidth_bps if now - self._bandwidth_at < _BANDWIDTH_LASTS_S else None

    def is_quiet(self, now: float) -> bool:
        """Tell whether more may be tried: nothing lost for 5 s, or for 15 s no more than radio links lose."""
        if now - self._heard_at > _REPORTS_LAST_S:
            return False
        return now - self._lossless_since >= 5.0 or now - self._steady_since >= 15.0
