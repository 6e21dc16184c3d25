"""What the RTMP server needs from the rest of the house: who may publish, and who takes the packets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from media.packet import Packet


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """A wish to publish, as the encoder stated it."""

    app: str
    """Application: the path of the server address, such as `live`."""
    stream_key: str
    """Without its query; not URL-decoded."""
    query: str
    """What followed a `?` in the server address and in the stream key, joined by `&`."""
    peer: str
    """`host:port` of the encoder."""
    encoder: str
    """The encoder's name for itself (`flashVer`); may be empty."""


class Publication(Protocol):
    """Takes what one publisher sends."""

    def receive(self, packet: Packet) -> None:
        """Take a packet. Never blocks and never raises."""

    def receive_metadata(self, metadata: Mapping[str, object]) -> None:
        """Take what the encoder says about itself (`onMetaData`). Not to be trusted."""

    def note_dropped(self, count: int) -> None:
        """Learn that packets were dropped before the one that comes next, since `ready` took too long."""

    def hold_s(self) -> float:
        """Tell for how many seconds the socket should be left alone, since media comes faster than time passes."""

    async def ready(self) -> None:
        """Wait until more packets are welcome; awaited between reads of the socket. May be cancelled."""

    def close(self, clean: bool, reason: str) -> None:
        """End the publication, any number of times.

        Args:
            clean: whether the encoder said goodbye, so that it will hardly come back.
            reason: why it ended, a sentence for people.
        """


class PublishGate(Protocol):
    """Says who may publish."""

    async def publish(self, request: PublishRequest, kick: Callable[[str], None]) -> Publication:
        """Let a publisher in.

        Args:
            request: what the encoder asked for.
            kick: closes this connection, telling the encoder the reason given.

        Raises:
            StreamError: it may not publish; `detail` is what the encoder gets to see.
        """
