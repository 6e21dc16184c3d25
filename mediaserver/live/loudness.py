"""How loud a publisher's sound is: a piece of it is measured now and then, by a worker that all publishers share.

3.2 s of every 18 s: decoding and measuring takes 12 ms, 0.0007 core for each publisher. What is heard between is not
known, so figures are said to be of samples. Nothing is decoded in this process; a packet costs a comparison.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from media.error import TranscodeError
from media.packet import CLOCK_HZ, AudioTrack, Packet
from transcode.message import LoudnessMeasured

from .health import HealthReport
from .loudness_gate import IntegratedLoudness

SAMPLE = 16 * CLOCK_HZ // 5
"""Ticks of sound in a piece: short-term loudness wants 3 s, decoders spend some of it to start."""

FIRST_S = 2.0
INTERVAL_S = 15.0
RECHECK_S = 5.0
"""Seconds until the first piece, between pieces, and behind one that was silent or could not be measured."""

MAX_PACKETS, MAX_BYTES = 2_000, 2 << 20
"""Of a piece: frames of 2.5 ms, 5 Mbit/s (FLAC of eight channels). What needs more is measured as far as it goes."""

MAX_FAILURES = 3
"""In a row, then this publisher's sound is left alone: it ends the worker that all share, or cannot be decoded."""

SILENT_LUFS = -70.0
"""BS.1770's gate: below this is nothing that anybody hears."""
QUIET_LUFS, LOUD_LUFS = -35.0, -8.0
"""Speech and music on the air lie between -24 and -14; platforms bring streams to about -14."""
CLIPPING_DBFS = 0.0

Measure = Callable[[AudioTrack, Sequence[bytes]], Awaitable[LoudnessMeasured]]


FRESH_S = 60.0
"""Nothing is said of a piece that is older: sound has stopped to come, or cannot be measured."""


@dataclass(frozen=True, slots=True)
class LoudnessFacts:
    """The newest piece, and all so far; stereo as it is heard."""

    at: float
    """When it was whole, on the meter's clock."""
    short_term_lufs: float
    """Its last 3 s."""
    momentary_lufs: float
    """Its loudest 0.4 s."""
    integrated_lufs: float | None
    """Of all pieces, gated; None as long as all have been silent."""
    peak_dbfs: float
    """Its highest sample."""


class LoudnessMeter:
    """Looks at the sound of one publisher.

    Args:
        measure: asks the worker.
        now: seconds on the clock of all other calls.
    """

    def __init__(self, measure: Measure, now: float) -> None:
        self._measure = measure
        self._due = now + FIRST_S
        self._piece: list[bytes] = []
        self._size = 0
        self._track: AudioTrack | None = None
        self._begin = 0
        self._task: asyncio.Task[None] | None = None
        self._failures = 0
        self._integrated = IntegratedLoudness()
        self._silent_since: float | None = None
        self._pieces_clipped = 0
        self.facts: LoudnessFacts | None = None
        """None before the first piece."""

    def receive(self, packet: Packet, now: float) -> None:
        """Take a packet of the first audio track as it came."""
        if now < self._due or not isinstance(packet.track, AudioTrack):
            return
        if self._track != packet.track:
            self._start(packet.track, packet.pts)
        self._piece.append(packet.data)
        self._size += len(packet.data)
        is_whole = abs(packet.pts - self._begin) >= SAMPLE
        if is_whole or len(self._piece) >= MAX_PACKETS or self._size >= MAX_BYTES:
            self._ask(packet.track, now)

    def add_to(self, report: HealthReport, now: float) -> HealthReport:
        """Say in a report what is known at `now`."""
        facts = self.facts
        if facts is None or now - facts.at > FRESH_S or report.audio is None:
            return report
        audio = replace(
            report.audio,
            loudness_lufs=facts.short_term_lufs,
            momentary_lufs=facts.momentary_lufs,
            integrated_lufs=facts.integrated_lufs,
            peak_dbfs=facts.peak_dbfs,
        )
        return replace(report, audio=audio, warnings=(*report.warnings, *self.warnings(now)))

    def warnings(self, now: float) -> Iterator[str]:
        """Say what listeners would complain of, with the remedy."""
        facts = self.facts
        if facts is None or now - facts.at > FRESH_S:
            return
        if self._silent_since is not None:
            if now - self._silent_since >= INTERVAL_S:
                yield (
                    f"The sound has been silent for {now - self._silent_since:.0f} s: look whether the microphone "
                    "or the source is muted."
                )
        elif facts.short_term_lufs < QUIET_LUFS:
            yield (
                f"The sound is very quiet ({facts.short_term_lufs:.0f} LUFS; -14 is usual): "
                "raise the level in the encoder's mixer."
            )
        elif facts.short_term_lufs > LOUD_LUFS:
            yield (
                f"The sound is very loud ({facts.short_term_lufs:.0f} LUFS; -14 is usual): "
                "lower the level in the encoder's mixer."
            )
        if self._pieces_clipped >= 2:
            yield (
                f"The sound clips (peaks of {facts.peak_dbfs:+.1f} dBFS): lower the level, "
                "or add a limiter (OBS → Filters → Limiter)."
            )

    def close(self) -> None:
        """Ask no more."""
        self._due = float("inf")
        if self._task is not None:
            self._task.cancel()

    def _start(self, track: AudioTrack, pts: int) -> None:
        self._track, self._begin, self._size = track, pts, 0
        self._piece.clear()

    def _ask(self, track: AudioTrack, now: float) -> None:
        piece = list(self._piece)
        self._track = None  # the next piece begins anew
        self._piece.clear()
        self._due = now + INTERVAL_S
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._learn(track, piece, now))

    async def _learn(self, track: AudioTrack, piece: Sequence[bytes], now: float) -> None:
        try:
            measured = await self._measure(track, piece)
        except TranscodeError:
            self._fail(now)
        else:
            self.note(measured, now)

    def note(self, measured: LoudnessMeasured, now: float) -> None:
        """Take a result, of a piece that was whole at `now`."""
        if not measured.blocks:
            self._fail(now)
            return
        self._failures = 0
        for block in measured.blocks:
            self._integrated.add(block)
        loudest = max(measured.blocks)
        self.facts = LoudnessFacts(
            now,
            round(measured.short_term, 1),
            round(loudest, 1),
            self._integrated.loudness,
            round(measured.peak, 1),
        )
        self._pieces_clipped = self._pieces_clipped + 1 if measured.peak > CLIPPING_DBFS else 0
        if loudest >= SILENT_LUFS:
            self._silent_since = None
        else:
            if self._silent_since is None:
                self._silent_since = now - SAMPLE / CLOCK_HZ
            self._due = min(self._due, now + RECHECK_S)

    def _fail(self, now: float) -> None:
        self._failures += 1
        self._due = float("inf") if self._failures >= MAX_FAILURES else now + RECHECK_S
