"""How much a viewer may have again: losses are made good, but not so that they make more losses."""

from __future__ import annotations

from collections import OrderedDict

_MIN_REPEAT_S = 0.02
_SHARE = 0.3
"""Of the bitrate: 5 % of random loss needs a sixth of this."""
_DEPTH_S = 0.6
"""What may be sent again at once, as time of the stream: half a second without anything comes back as a whole."""
_FULL_SHARE, _FULL_DEPTH_S = 0.1, 0.1
"""The same while packets wait on the way: there, what comes again pushes out what comes for the first time."""
_MIN_BPS = 400_000
"""A still picture has next to no bitrate, and a keyframe all the same."""
_MAX_REMEMBERED = 2048


class Retransmission:
    """One viewer's budget for one kind of media, and what he asked for lately."""

    def __init__(self) -> None:
        self._budget_bytes: float | None = None
        self._filled_at = 0.0
        self._answered: OrderedDict[int, float] = OrderedDict()

    def is_repeated(self, sequence: int, rtt_s: float | None, now: float) -> bool:
        """Tell whether a packet was sent again so lately that it can hardly have arrived."""
        answered_at = self._answered.get(sequence)
        return answered_at is not None and now - answered_at < max(_MIN_REPEAT_S, (rtt_s or 0.0) / 2)

    def takes(
        self, sequence: int, size_bytes: int, bitrate_bps: float, now: float, *, is_full: bool = False
    ) -> bool:
        """Tell whether there is budget left for a packet, and count it if so.

        Args:
            sequence: the viewer's, as he asked for it.
            size_bytes: of the packet.
            bitrate_bps: of the stream.
            now: monotonic seconds.
            is_full: whether the path carries no more than it gets.
        """
        share, depth_s = (_FULL_SHARE, _FULL_DEPTH_S) if is_full else (_SHARE, _DEPTH_S)
        bytes_per_s = max(bitrate_bps, _MIN_BPS) / 8
        depth_bytes = depth_s * bytes_per_s
        if self._budget_bytes is None:
            self._budget_bytes = depth_bytes
        grown_bytes = self._budget_bytes + share * bytes_per_s * (now - self._filled_at)
        self._budget_bytes = min(depth_bytes, grown_bytes)
        self._filled_at = now
        if self._budget_bytes < size_bytes:
            return False
        self._budget_bytes -= size_bytes
        self._answered[sequence] = now
        self._answered.move_to_end(sequence)
        if len(self._answered) > _MAX_REMEMBERED:
            self._answered.popitem(last=False)
        return True
