"""What the checker says: rules, findings, and a report that counts how often each rule was applied."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

MAX_KEPT_FINDINGS = 20
"""Of one rule in one report; more are only counted. A broken live stream breaks the same rule with each part."""


class Severity(StrEnum):
    """How bad a broken rule is."""

    ERROR = "error"
    """A MUST of the specification, or what is fatal to Apple's players."""
    WARNING = "warning"
    """A SHOULD, or a requirement of Apple's authoring specification alone."""
    NOTE = "note"
    """Worth knowing; never counts against the stream."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that a stream has to fulfil."""

    id: str
    section: str
    """Of draft-pantos-hls-rfc8216bis; `Apple …` is the HLS Authoring Specification for Apple Devices."""
    severity: Severity
    text: str
    """What holds where the rule is kept."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was found."""

    name: str
    """Of the playlist, or the address of a resource."""
    line: int = 0
    """Of the playlist, from 1; 0 when the finding is about no line."""
    text: str = ""
    """The line itself."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that was broken, and how."""

    rule: Rule
    place: Place
    detail: str


class Report:
    """Collects findings, and what was looked at, so that silence can be told from blindness."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.applied: Counter[str] = Counter()
        """How often each rule was applied, by its id."""
        self.broken: Counter[str] = Counter()
        """How often each rule was broken, by its id."""
        self.seen: Counter[str] = Counter()
        """How many playlists, segments, parts, boxes… were looked at."""
        self.measured: dict[str, float] = {}
        """Figures that no rule judges alone."""
        self._severity: dict[str, Severity] = {}

    def expect(self, rule: Rule, holds: bool, place: Place, detail: str) -> bool:
        """Apply a rule once; where it does not hold, that is a finding.

        Args:
            rule: the rule.
            holds: whether it is kept here.
            place: what was looked at.
            detail: what is wrong where it is not kept.

        Returns:
            `holds`.
        """
        self.applied[rule.id] += 1
        if not holds:
            self.broken[rule.id] += 1
            self._severity[rule.id] = rule.severity
            if self.broken[rule.id] <= MAX_KEPT_FINDINGS:
                self.findings.append(Finding(rule, place, detail))
        return holds

    def keep_largest(self, name: str, value: float) -> None:
        """Keep a measured figure when it is the largest of its name."""
        self.measured[name] = max(value, self.measured.get(name, value))

    def count(self, severity: Severity) -> int:
        """Count how often rules of a severity were broken."""
        return sum(count for id_, count in self.broken.items() if self._severity[id_] is severity)
