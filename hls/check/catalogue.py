"""All rules of the checker, by the topic under which they are listed."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from . import (
    alignment_rules,
    arrival_rules,
    conformance,
    content,
    directive_rules,
    document,
    fragment_rules,
    http_rules,
    load,
    low_latency_rules,
    measured_rules,
    media_rules,
    multivariant,
    reload_rules,
    transport_rules,
)
from .finding import Rule

_TOPICS: Mapping[str, tuple[ModuleType, ...]] = {
    "Any playlist": (document,),
    "Multivariant playlist": (multivariant, measured_rules),
    "Media playlist": (media_rules,),
    "Low latency": (low_latency_rules, directive_rules),
    "Over time": (reload_rules, arrival_rules),
    "Between playlists": (alignment_rules,),
    "Fragmented MP4": (fragment_rules,),
    "MPEG-TS": (transport_rules,),
    "Delivery": (http_rules, load),
    "The check itself": (content, conformance),
}


def _collect() -> dict[str, tuple[Rule, ...]]:
    topics: dict[str, tuple[Rule, ...]] = {}
    seen: set[str] = set()
    for topic, modules in _TOPICS.items():
        found = [value for module in modules for value in vars(module).values() if isinstance(value, Rule)]
        topics[topic] = tuple(rule for rule in dict.fromkeys(found) if rule.id not in seen)
        seen |= {rule.id for rule in found}
    return topics


RULES: Mapping[str, tuple[Rule, ...]] = _collect()
"""By topic."""
