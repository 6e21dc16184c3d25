"""Everything that the routes ask, and other rooms."""

from __future__ import annotations

from dataclasses import dataclass

from control_api.chat.service import ChatService
from control_api.event.announcement import Announcements
from control_api.idempotency import Idempotency
from control_api.moderation.service import ModerationService
from control_api.postgres.audit_table import AuditTable
from control_api.postgres.database import Database
from control_api.realtime.bus import Bus
from control_api.realtime.hub import Hub
from control_api.stream.service import StreamService
from control_api.token.access import TokenVerifier
from control_api.user.erasure import UserErasure
from control_api.user.record import UserService
from control_api.viewer.attendance import Attendance


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """The services on one database."""

    streams: StreamService
    users: UserService
    erasure: UserErasure
    chat: ChatService
    moderation: ModerationService
    attendance: Attendance
    """Who watches."""
    hub: Hub
    """Whoever has a socket open, and what they are told."""
    bus: Bus
    """To the other nodes."""
    announcements: Announcements
    """Whom to tell what has happened."""
    verifier: TokenVerifier
    idempotency: Idempotency
    audit: AuditTable
    database: Database
