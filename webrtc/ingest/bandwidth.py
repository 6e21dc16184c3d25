"""How much a browser may send: REMB (draft-alvestrand-rmcat-remb-03).

Without transport-wide feedback Chromium begins with 300 kbit/s and adds 8 % a second while nothing is lost: half a
minute to 2.5 Mbit/s. But it believes a REMB of the first two seconds at once, and later takes it as an upper bound
(`SendSideBandwidthEstimation` in libwebrtc). So the first bound is generous, and it falls when packets begin to queue
up on the way, which abs-send-time shows before any is lost.
"""

from __future__ import annotations

from collections import deque

from aiortc import rate

FIRST_BPS = 10_000_000
MAX_BPS = 30_000_000
MIN_BPS = 150_000
"""Below that there is no picture worth showing."""

START_S = 2.0
"""For so long nothing is judged: a sender that has just begun comes in bursts, and what it sends says nothing yet."""

GROWTH = 1.08
"""A second, while nothing queues up; as Chromium itself."""

DECREASE = 0.85
"""Of what arrives, when it queues up; as in draft-ietf-rmcat-gcc, 5.5."""

HOLD_S = 1.0
"""After a decrease the queue needs a while to empty."""

WINDOW_S = 0.5
"""Over which the rate of arrival is measured."""

_GROUP = (5 << 26) // 1000
"""Packets that were sent within 5 ms are judged as one (ibid., 5.2), in units of abs-send-time shifted to 32 bits."""
_UNIT_MS = 1000.0 / (1 << 26)


class Bandwidth:
    """Estimates from one publisher's packets."""

    def __init__(self) -> None:
        self.bound_bps = FIRST_BPS
        self._arrivals = rate.InterArrival(_GROUP, _UNIT_MS)
        self._estimator = rate.OveruseEstimator()
        self._detector = rate.OveruseDetector()
        self._received: deque[tuple[float, int]] = deque()
        self._received_bytes = 0
        self._first_at: float | None = None
        self._changed_at = 0.0

    def receive(self, size_bytes: int, send_time: int, now: float) -> bool:
        """Take a packet; tell whether the bound has fallen.

        Args:
            size_bytes: of the payload.
            send_time: when it was sent, 6.18 bits.
            now: when it came.
        """
        if self._first_at is None:
            self._first_at = self._changed_at = now
        now_ms = int(now * 1000)
        self._count(size_bytes, now)
        deltas = self._arrivals.compute_deltas(send_time << 8, now_ms, size_bytes)
        if deltas is not None:
            self._judge(deltas, now_ms)
        if now - self._first_at < START_S:
            return False
        if self._detector.state() is rate.BandwidthUsage.OVERUSING:
            return self._fall(now)
        if self._detector.state() is rate.BandwidthUsage.NORMAL:
            self._rise(now)
        return False

    def _judge(self, deltas: rate.InterArrivalDelta, now_ms: int) -> None:
        sent_ms = deltas.timestamp * _UNIT_MS
        state = self._detector.state()
        self._estimator.update(deltas.arrival_time, sent_ms, deltas.size, state, now_ms)
        self._detector.detect(self._estimator.offset(), sent_ms, self._estimator.num_of_deltas(), now_ms)

    def _count(self, size_bytes: int, now: float) -> None:
        self._received.append((now, size_bytes))
        self._received_bytes += size_bytes
        while self._received[0][0] < now - WINDOW_S:
            self._received_bytes -= self._received.popleft()[1]

    def _fall(self, now: float) -> bool:
        if now - self._changed_at < HOLD_S:
            return False
        bound = max(MIN_BPS, int(DECREASE * 8 * self._received_bytes / WINDOW_S))
        self._changed_at = now
        has_fallen = bound < self.bound_bps
        self.bound_bps = min(self.bound_bps, bound)
        return has_fallen

    def _rise(self, now: float) -> None:
        elapsed_s = now - self._changed_at
        if elapsed_s >= HOLD_S:
            self.bound_bps = min(MAX_BPS, int(self.bound_bps * GROWTH ** min(elapsed_s, 5.0)))
            self._changed_at = now


def find_send_time(profile: int | None, extension: bytes, number: int) -> int | None:
    """Find abs-send-time among header extensions (RFC 8285), 6.18 bits; None where it is not.

    Args:
        profile: of the extensions; None: there are none.
        extension: all of them.
        number: that was negotiated for it.
    """
    if profile == 0xBEDE:
        return _find(extension, number, 1)
    return _find(extension, number, 2) if profile is not None and profile >> 4 == 0x100 else None


def _find(extension: bytes, number: int, head: int) -> int | None:
    position, end = 0, len(extension)
    while position + head <= end:
        first = extension[position]
        if not first:
            position += 1  # padding
            continue
        found, size = (first >> 4, (first & 0x0F) + 1) if head == 1 else (first, extension[position + 1])
        position += head
        if found == number:
            value = extension[position : position + size]
            return int.from_bytes(value, "big") if len(value) == size == 3 else None
        position += size
    return None
