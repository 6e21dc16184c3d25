"""What the governor has done to each rung, and when something may be tried again. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from transcode.governed import Key

RESTORE_S = 30.0
"""A rung is not made again sooner after it was shed: players that were moved to another one have settled there."""

MAX_RESTORE_S = 600.0
"""However often it has failed: neighbours go and sources become easier."""

FIRST_PROBE_S = 3.0
"""Between two things that cost more, while nothing has failed yet: guesses that were too high are soon made up for."""

PROBE_S = 10.0
"""The same once something has failed: what costs more has shown by then what it does."""

MAX_PROBE_S = 300.0

EXCHANGE_S = 60.0
"""Between two times that rungs go for the sake of others: viewers of either are moved."""

RELAPSE_S = 20.0
"""What has been added is to blame when something must be taken away again so soon."""

RELIEF = 0.85
"""When so much less is used than what failed, the failure says nothing any more."""

PENDING_S = 5.0
"""How long an order counts as carried out before it shows: it waits for the start of a segment."""


@dataclass(slots=True)
class _Record:
    lowered_at: float = float("-inf")
    raised_at: float = float("-inf")
    failures: int = 0
    is_enriched: bool = False  # whether it was raised by a preset
    is_shed: bool = False
    changed_at: float = float("-inf")  # when is_shed was ordered
    is_hurried: bool = False  # whether it was ordered at once


class History:
    """Orders by rung, and the patience that grows with each attempt that failed."""

    def __init__(self) -> None:
        self._records: dict[Key, _Record] = {}
        self._probe_s = FIRST_PROBE_S
        self._acted_at = float("-inf")
        self._exchanged_at = float("-inf")
        self._has_raised = False  # whether the last act was one that costs more
        self._failed_use: float | None = None

    def keep(self, streams: Collection[str]) -> None:
        """Forget all other broadcasts."""
        self._records = {key: record for key, record in self._records.items() if key[0] in streams}

    def is_running(self, key: Key, is_shed: bool, now: float) -> bool:
        """Tell whether a rung is made, or will be in a moment; `is_shed` is what shows."""
        record = self._records.get(key)
        if record is not None and now - record.changed_at < PENDING_S:
            return not record.is_shed
        return not is_shed

    def is_leaving(self, key: Key, now: float) -> bool:
        """Tell whether a rung has been ordered to go at the start of a segment, only a moment ago."""
        record = self._records.get(key)
        is_new = record is not None and record.is_shed and now - record.changed_at < PENDING_S
        return record is not None and is_new and not record.is_hurried

    def hurry(self, key: Key, now: float) -> None:
        """Note that a rung which is leaving was ordered to go at once."""
        record = self._record(key)
        record.is_hurried, record.lowered_at = True, now

    def is_on_probation(self, key: Key, now: float) -> bool:
        """Tell whether a rung has been raised so lately that it is the first to go again."""
        record = self._records.get(key)
        return record is not None and now - record.raised_at < RELAPSE_S

    def was_enriched(self, key: Key) -> bool:
        """Tell whether what was done last for a rung is a better preset, and not that it is made at all."""
        return key in self._records and self._records[key].is_enriched

    def may_raise(self, key: Key, now: float, use: float) -> bool:
        """Tell whether a rung may be restored or enriched, with which `use` cores would be used."""
        record = self._records.get(key)
        if record is None:
            return True
        failures = 0 if self._is_relieved(use) else record.failures
        return now - record.lowered_at >= min(MAX_RESTORE_S, RESTORE_S * 2.0**failures)

    def may_try(self, now: float) -> bool:
        """Tell whether something may be made where nothing is: that costs nobody anything else."""
        return now - self._acted_at >= min(RESTORE_S, self._probe_s)

    def may_probe(self, now: float, use: float) -> bool:
        """Tell whether anything may be raised now."""
        wait = min(PROBE_S, self._probe_s) if self._is_relieved(use) else self._probe_s
        return now - self._acted_at >= wait

    def lower(self, now: float, use: float, *, sheds: Collection[Key], cheapens: Collection[Key]) -> None:
        """Note what was taken away while `use` cores were wanted; what was added lately has failed."""
        self._probe_s = max(PROBE_S, self._probe_s)
        failed = [record for record in self._records.values() if now - record.raised_at < RELAPSE_S]
        for record in failed:
            record.failures = min(record.failures + 1, 10)
            record.lowered_at, record.raised_at = now, float("-inf")
        if failed:
            self._probe_s = min(MAX_PROBE_S, 2 * self._probe_s)
            self._failed_use = use
        for key in (*sheds, *cheapens):
            record = self._record(key)
            record.lowered_at = now
            if key in sheds:
                record.is_shed, record.changed_at, record.is_hurried = True, now, False
        self._acted_at, self._has_raised = now, False

    def may_exchange(self, now: float) -> bool:
        """Tell whether something may go for the sake of something better."""
        return now - self._exchanged_at >= EXCHANGE_S

    def exchange(self, now: float, sheds: Collection[Key]) -> None:
        """Note what has gone for the sake of something better."""
        self._exchanged_at = now
        for key in sheds:
            record = self._record(key)
            record.is_shed, record.changed_at, record.lowered_at = True, now, now
            record.is_hurried = False

    def restore(self, now: float, key: Key) -> None:
        """Note that a rung is made again."""
        record = self._record(key)
        record.is_shed, record.changed_at, record.is_enriched = False, now, False
        self._raise(now, record)

    def wake(self, now: float, key: Key) -> None:
        """Note that a rung is made since somebody asks for it: one that has been too much before may be so again."""
        if key in self._records:
            self.restore(now, key)

    def enrich(self, now: float, key: Key) -> None:
        """Note that a rung got a better preset."""
        record = self._record(key)
        record.is_enriched = True
        self._raise(now, record)

    def _raise(self, now: float, record: _Record) -> None:
        if self._has_raised:  # and that has held until now
            self._probe_s = max(min(PROBE_S, self._probe_s), self._probe_s / 2)
        self._has_raised = True
        record.raised_at = self._acted_at = now

    def _record(self, key: Key) -> _Record:
        return self._records.setdefault(key, _Record())

    def _is_relieved(self, use: float) -> bool:
        return self._failed_use is not None and use <= RELIEF * self._failed_use
