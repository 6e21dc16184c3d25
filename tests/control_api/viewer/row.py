"""What the database makes of spans, the slow and obvious way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from control_api.viewer.audience import Span
from control_api.viewer.presence import EXPIRY_S


@dataclass
class Row:
    """One viewer of one stream, as stored."""

    spans: list[tuple[float, float]] = field(default_factory=list)
    visits: int = 0
    left_at: float | None = None

    @property
    def watch_time_s(self) -> float:
        return sum(ended - began for began, ended in self.spans)

    @property
    def last_seen_at(self) -> float:
        return max(ended for _, ended in self.spans)

    def add(self, span: Span) -> None:
        began = span.began
        if not any(low <= began <= high for low, high in self.spans):
            before = [high for _, high in self.spans if high < began]
            if span.is_visit or not before or began - max(before) >= EXPIRY_S - 1e-4:
                self.visits += 1
            else:
                began = max(before)
        self.visits -= sum(began < low <= span.ended for low, _ in self.spans)
        if not self.spans or span.ended >= self.last_seen_at:
            self.left_at = span.ended if span.is_over else None
        merged: list[tuple[float, float]] = []
        for low, high in sorted([*self.spans, (began, span.ended)]):
            if merged and low <= merged[-1][1]:
                merged[-1] = merged[-1][0], max(high, merged[-1][1])
            else:
                merged.append((low, high))
        self.spans = merged


def add_all(rows: dict[tuple[str, str], Row], spans: Iterable[Iterable[Span]]) -> None:
    for some in spans:
        for span in some:
            rows.setdefault((span.stream_id, span.key), Row()).add(span)
