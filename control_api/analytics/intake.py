"""Reports of players: which ones count, and what they come to until the next snapshot. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from control_api.analytics.experience import Counts, Digest, Report
from control_api.rate import RateLimit
from control_api.wait import TooEarlyError

EVERY_S = 5.0
"""So often a report of one viewer counts. Pages send one every 10 s, and a last one when they are left."""

MAX_UNPROVEN = 1000
"""Reports that count from one address in that time, of those who do not prove who they are: all viewers behind a proxy
or a carrier are one address, and one machine that makes them up shall not be most of a very large audience."""

MAX_STREAMS = 10_000
"""Streams with reports since the last snapshot, some 10 KB each at the very most. More are not live on one machine."""


class Intake:
    """Adds reports up until they are taken."""

    def __init__(self) -> None:
        self._digests: dict[str, Digest] = {}
        self._viewers = RateLimit("reports", 1, EVERY_S)
        self._addresses = RateLimit("reports", MAX_UNPROVEN, EVERY_S, max_keys=10_000)

    def add(
        self,
        stream_id: str,
        report: Report,
        viewer: Hashable,
        now: float,
        *,
        unproven_from: str | None = None,
    ) -> bool:
        """Count a report.

        Args:
            stream_id: of a stream that is live.
            report: what a player tells.
            viewer: who sends it, as far as that is known.
            now: seconds, never stepping back.
            unproven_from: the address, of a viewer who has not proved to be one.

        Returns:
            Whether it counts: not when one of this viewer has a moment ago.
        """
        if stream_id not in self._digests and len(self._digests) >= MAX_STREAMS:
            return False
        try:
            with self._viewers.turn((stream_id, viewer), now):
                if unproven_from is not None:
                    with self._addresses.turn(unproven_from, now):
                        pass
        except TooEarlyError:
            return False
        self._digests.setdefault(stream_id, Digest()).add(report)
        return True

    def take(self) -> Mapping[str, Counts]:
        """Take what has been counted, by stream; who cannot store it gives it back."""
        taken = {stream_id: digest.counts for stream_id, digest in self._digests.items()}
        self._digests = {}
        return taken

    def give_back(self, taken: Mapping[str, Counts]) -> None:
        """Take note that counts could not be stored."""
        for stream_id, counts in taken.items():
            if stream_id in self._digests or len(self._digests) < MAX_STREAMS:
                self._digests.setdefault(stream_id, Digest()).join(counts)
