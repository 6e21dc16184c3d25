"""Measures the sound of all broadcasts in one worker, which hostile sound may kill without harm to anybody's video."""

from __future__ import annotations

from collections.abc import Sequence

from media.packet import AudioTrack
from transcode.inquiry import Inquiry
from transcode.message import LoudnessMeasured, MeasureLoudness
from transcode.pool import WorkerPool

MAX_WAITING = 100
"""Pieces that wait: each takes 12 ms, so more means that the machine has no time for it now."""

MEASURE_TIMEOUT_S = 5.0

IDLE_S = 60.0
"""How long the worker is kept without work; it has 40 MB."""


class LoudnessProbe:
    """Takes pieces of sound, one after the other.

    Args:
        pool: where its worker comes from.
    """

    def __init__(self, pool: WorkerPool) -> None:
        self._inquiry = Inquiry(
            pool, LoudnessMeasured, max_waiting=MAX_WAITING, timeout_s=MEASURE_TIMEOUT_S, idle_s=IDLE_S
        )

    async def measure(self, track: AudioTrack, packets: Sequence[bytes]) -> LoudnessMeasured:
        """Measure packets that follow each other.

        Raises:
            TranscodeError: there is no worker, it died on this sound, or too many are waiting.
        """
        return await self._inquiry.ask(lambda number: MeasureLoudness(number, track, tuple(packets)))

    def close(self) -> None:
        """End the worker; the pool waits for its end."""
        self._inquiry.close()
