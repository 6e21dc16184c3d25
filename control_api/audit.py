"""Who did what to whom, as it is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from control_api.stream.record import Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditNote:
    """What somebody does."""

    actor_id: str
    action: str
    """A word, such as `ban.set`."""
    subject: str
    """To what: the id of a user or a stream."""
    address: str | None
    """Where the request came from; for admins only."""
    channel_id: str | None = None
    """Whose channel was moderated, where that is what was done."""
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A note as it is kept."""

    id: int
    """Rises with each note."""
    at: datetime
    note: AuditNote


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something that is written down."""

    identity: Identity
    address: str | None
    """Where the request came from."""
