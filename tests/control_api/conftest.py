"""The control API over real HTTP, with a media plane that only takes notes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient

from control_api.address import Addresses
from control_api.chat.service import ChatService
from control_api.event.announcement import announcing
from control_api.host import host_middleware
from control_api.http import routes
from control_api.idempotency import Idempotency
from control_api.key_box import KeyBox
from control_api.moderation.service import ModerationService
from control_api.plane import ControlPlane
from control_api.postgres.audit_table import AuditTable
from control_api.postgres.comment_table import CommentTable
from control_api.postgres.database import Database
from control_api.postgres.erasure_table import ErasureTable
from control_api.postgres.idempotency_table import IdempotencyTable
from control_api.postgres.moderation_table import ModerationTable
from control_api.postgres.reaction_table import ReactionTable
from control_api.postgres.store import PostgresStore
from control_api.postgres.webhook_table import WebhookTable
from control_api.problem import problem_middleware
from control_api.realtime.bus import LocalBus
from control_api.realtime.hub import Hub
from control_api.stream.playback import PlaybackSigner
from control_api.stream.record import Identity, Stream
from control_api.stream.service import StreamService, utc_now
from control_api.token.access import TokenSigner
from control_api.user.erasure import UserErasure
from control_api.user.record import UserService
from control_api.viewer.attendance import Attendance, attending
from media.error import StreamError

from .clock import Clock

SECRET = b"a secret of the tests, long enough"
NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
HEALTH = {
    "connected": True,
    "encoder": "obs-output module (libobs version 29.0.2)",
    "peer": "192.0.2.7:50412",
    "since": NOW.timestamp(),
    "bitrate_bps": 6_190_000,
    "video_bitrate_bps": 6_030_000,
    "audio_bitrate_bps": 160_000,
    "fps": 29.9,
    "keyframe_interval_s": 8.33,
    "max_keyframe_interval_s": 8.33,
    "jitter_ms": 3.1,
    "idle_s": 0.02,
    "dropped_frames": 0,
    "repaired_timestamps": 1,
    "video": {
        "codec": "h264",
        "codec_string": "avc1.640028",
        "width": 1920,
        "height": 1080,
        "frame_rate": 30.0,
        "bit_depth": 8,
        "announced_bitrate_bps": 6_000_000,
    },
    "audio": {
        "codec": "aac",
        "codec_string": "mp4a.40.2",
        "sample_rate": 48_000,
        "channels": 2,
        "announced_bitrate_bps": None,
        "loudness_lufs": -16.2,
        "momentary_lufs": -14.8,
        "integrated_lufs": -17.0,
        "peak_dbfs": -1.5,
    },
    "transcode": {
        "speed": 2.4,
        "lag_s": 0.2,
        "cost": 0.46,
        "restarts": 1,
        "skipped_gops": 0,
        "encoders_failed": ["h264_qsv: the device was removed"],
    },
    "rungs": [
        {
            "name": "1080p",
            "kind": "copied",
            "width": 1920,
            "height": 1080,
            "quality_db": None,
            "preset": None,
            "cost": None,
        },
        {
            "name": "720p",
            "kind": "encoded",
            "width": 1280,
            "height": 720,
            "quality_db": 38.2,
            "preset": "ultrafast",
            "cost": 0.14,
        },
        {
            "name": "480p",
            "kind": "idle",
            "width": 854,
            "height": 480,
            "quality_db": None,
            "preset": None,
            "cost": None,
        },
    ],
    "on_slate": False,
    "rewind": {"available_s": 7200.5, "disk_bytes": 5_400_000_000},
    "warnings": ["Keyframe interval is 8.3 s; set 2 s in OBS → Settings → Output → Keyframe Interval."],
    "last_error": {"at": NOW.timestamp(), "message": "the encoder was lost"},
}
Client = TestClient[web.Request, web.Application]
StartClient = Callable[[web.Application], Awaitable[Client]]


@dataclass
class Notes:
    """The media plane of the tests: writes down what it is told."""

    told: list[tuple[str, str]] = field(default_factory=list)
    connected: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)

    def media(self, stream_id: str) -> dict[str, object]:
        return {"connected": stream_id in self.connected, "last_error": self.refused.get(stream_id)}

    def health(self, stream_id: str) -> dict[str, object]:
        if stream_id not in self.connected:
            return {"connected": False}
        return HEALTH

    async def start(self, stream: Stream) -> None:
        self.told.append(("start", stream.id))

    async def end(self, stream_id: str, reason: str) -> None:
        self.told.append((f"end {reason}", stream_id))


@dataclass
class FreeChat:
    """Rules of the tests: whoever is listed moderates, and what is listed is refused to all others."""

    moderators: set[tuple[str, str]] = field(default_factory=set)
    refused: dict[str, StreamError] = field(default_factory=dict)
    banned: set[tuple[str, str]] = field(default_factory=set)

    async def check_ban(self, channel_id: str, user_id: str) -> None:
        if (channel_id, user_id) in self.banned:
            raise StreamError("banned", "You are banned from this chat.")

    async def is_moderator(self, channel_id: str, user_id: str) -> bool:
        return (channel_id, user_id) in self.moderators

    async def check(self, stream: Stream, author: Identity, content: str, *, is_exempt: bool) -> None:
        if content in self.refused and not is_exempt:
            raise self.refused[content]

    def give_back(self, stream: Stream, author: Identity) -> None:
        """Count nothing, so that there is nothing to give back."""


@dataclass
class House:
    """A running control API. Users: demo has 50 followers, everybody else none."""

    client: Client
    store: PostgresStore
    service: StreamService
    signer: TokenSigner
    notes: Notes
    faults: dict[str, str]
    clock: Clock
    attendance: Attendance
    chat: ChatService
    rules: FreeChat
    chat_clock: Clock
    plane: ControlPlane

    async def request(
        self, method: str, path: str, user: str | None = None, *, admin: bool = False, **options: Any
    ) -> ClientResponse:
        headers = dict(options.pop("headers", {}))
        if user is not None:
            headers["Authorization"] = f"Bearer {self.signer.issue(user, admin=admin)}"
        response = await self.client.request(method, path, headers=headers, **options)
        await response.read()
        return response

    async def create(self, user: str = "demo", **fields: object) -> dict[str, Any]:
        response = await self.request("POST", "/api/v1/streams", user, json={"title": "a show", **fields})
        assert response.status == 201, await response.text()
        stream: dict[str, Any] = await response.json()
        return stream


@pytest.fixture
async def store(database: Database) -> PostgresStore:
    """Give a store with the seeded user."""
    store = PostgresStore(database, KeyBox(SECRET))
    await store.seed()
    return store


@pytest.fixture
async def house(
    store: PostgresStore, database: Database, aiohttp_client: StartClient
) -> AsyncIterator[House]:
    notes = Notes()
    service = StreamService(store, store, notes, min_followers=50, now=lambda: NOW)
    signer, clock = TokenSigner(SECRET), Clock(NOW.timestamp())
    faults: dict[str, str] = {}
    rules, chat_clock = FreeChat(), Clock()
    chat = ChatService(service, CommentTable(database), ReactionTable(database), rules, clock=chat_clock)
    async with (
        announcing(
            service,
            database,
            WebhookTable(database, KeyBox(SECRET)),
            store,
            allow_private=True,
            now=utc_now,
        ) as announcements,
        attending(service, database, SECRET, clock, snapshot_look_s=3600) as attendance,
    ):
        app = web.Application(middlewares=[problem_middleware, host_middleware(())])
        bus = LocalBus()
        plane = ControlPlane(
            streams=service,
            users=UserService(store),
            erasure=UserErasure(service, attendance.viewers, ErasureTable(database), chat.tell, SECRET),
            chat=chat,
            moderation=ModerationService(ModerationTable(database), service, store, now=lambda: NOW),
            attendance=attendance,
            hub=Hub(service, chat, attendance, bus),
            bus=bus,
            announcements=announcements,
            verifier=signer,
            idempotency=Idempotency(IdempotencyTable(database, KeyBox(SECRET))),
            audit=AuditTable(database),
            database=database,
        )
        table = routes(
            plane,
            PlaybackSigner(SECRET),
            Addresses(lambda: 1935),
            checks={"http": lambda: None, "rtmp": lambda: faults.get("rtmp")},
            version="1.2.3",
            clock=clock,
        )
        app.add_routes(table)
        client = await aiohttp_client(app)
        async with plane.hub.checking:
            yield House(
                client,
                store,
                service,
                signer,
                notes,
                faults,
                clock,
                attendance,
                chat,
                rules,
                chat_clock,
                plane,
            )
        await client.close()
