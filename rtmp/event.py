"""What `rtmp.connection.ServerConnection` reports. A `media.packet.Packet` is an event too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from media.packet import Packet


@dataclass(frozen=True, slots=True)
class PublishRequested:
    """The peer wants to publish. Nothing more is parsed until `accept_publish` or `reject_publish`."""

    app: str
    stream_key: str
    query: str
    encoder: str


@dataclass(frozen=True, slots=True)
class MetadataReceived:
    """The encoder described its stream (`onMetaData`)."""

    metadata: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class PublishEnded:
    """The peer ended its publication properly (FCUnpublish, deleteStream or closeStream)."""


Event: TypeAlias = Packet | PublishRequested | MetadataReceived | PublishEnded
