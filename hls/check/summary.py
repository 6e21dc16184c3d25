"""A report as text for people and as JSON for programs; the list of rules."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from .finding import Finding, Report, Rule, Severity

MAX_QUOTED = 200
"""Characters of a line of a playlist that are shown."""


def render(report: Report, total_rules: int) -> str:
    """Write a report for people: what is wrong by severity, then what was looked at."""
    lines: list[str] = []
    for severity in Severity:
        first: dict[str, Finding] = {}
        for finding in report.findings:
            if finding.rule.severity is severity:
                first.setdefault(finding.rule.id, finding)
        for id_, finding in first.items():
            lines += _entry(finding, report.broken[id_], report.applied[id_])
    lines += ["", *_outcome(report, total_rules)]
    return "\n".join(lines).lstrip("\n")


def _entry(finding: Finding, broken: int, applied: int) -> list[str]:
    rule, place = finding.rule, finding.place
    where = f"{place.name}:{place.line}" if place.line else place.name
    times = f"{broken} of {applied} times, first in " if broken > 1 else "in "
    lines = [f"{rule.severity.upper()} {rule.id} ({rule.section}): {rule.text}", f"  {times}{where}"]
    if place.text:
        quoted = place.text[:MAX_QUOTED] + ("…" if len(place.text) > MAX_QUOTED else "")
        lines.append(f"    {quoted}")
    return [*lines, f"  {finding.detail}", ""]


def _outcome(report: Report, total_rules: int) -> list[str]:
    seen = ", ".join(f"{count} {what}" for what, count in sorted(report.seen.items()) if count)
    measured = ", ".join(f"{name} {value:.3f}" for name, value in sorted(report.measured.items()))
    counts = [
        f"{report.count(severity)} {severity}{'s' if report.count(severity) != 1 else ''}"
        for severity in Severity
    ]
    lines = [f"Looked at: {seen}.", f"Rules applied: {len(report.applied)} of {total_rules}."]
    lines += [f"Measured: {measured}."] if measured else []
    return [*lines, f"Found: {', '.join(counts)}."]


def to_json(report: Report, url: str) -> str:
    """Write a report as JSON."""
    body = {
        "url": url,
        "errors": report.count(Severity.ERROR),
        "warnings": report.count(Severity.WARNING),
        "notes": report.count(Severity.NOTE),
        "seen": dict(report.seen),
        "measured": report.measured,
        "rules_applied": dict(report.applied),
        "rules_broken": dict(report.broken),
        "findings": [
            {
                "rule": finding.rule.id,
                "section": finding.rule.section,
                "severity": finding.rule.severity,
                "text": finding.rule.text,
                "playlist": finding.place.name,
                "line": finding.place.line,
                "quote": finding.place.text,
                "detail": finding.detail,
            }
            for finding in report.findings
        ],
    }
    return json.dumps(body, indent=2)


def render_rules(rules: Mapping[str, Sequence[Rule]]) -> str:
    """Write the list of rules as Markdown: docs/hlscheck.md holds the same."""
    lines: list[str] = []
    for topic, listed in rules.items():
        lines += [f"### {topic}", "", "| rule | section | severity | what holds |", "|---|---|---|---|"]
        lines += [f"| `{rule.id}` | {rule.section} | {rule.severity} | {rule.text} |" for rule in listed]
        lines.append("")
    return "\n".join(lines)
