"""What is counted of WebSockets, for `/metrics`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Traffic:
    """Counts since the start of the server."""

    sockets: int = 0
    """That are open now."""
    slow: int = 0
    """That were closed because they did not read."""
    messages: Counter[str] = field(default_factory=Counter)
    """That were taken, by type."""
    errors: Counter[str] = field(default_factory=Counter)
    """That were told, by code."""
