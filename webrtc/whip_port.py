"""What the routes of WHIP need: somebody who lets publishers in and keeps their sessions."""

from __future__ import annotations

from typing import Protocol

from .whep_port import Established

__all__ = ["Established", "WhipGateway"]


class WhipGateway(Protocol):
    """Makes sessions of publishers and keeps them."""

    async def publish(self, stream_key: str, sdp: str, peer: str, encoder: str) -> Established:
        """Answer a publisher's offer.

        Args:
            stream_key: with which it came.
            sdp: an offer that `parse_offer` has read without a complaint.
            peer: `host:port` that the request came from.
            encoder: what the publisher calls itself; may be empty.

        Raises:
            PeerError: the offer is malformed.
            StreamError: it may not publish, or there is nothing in the offer that can be taken (`not_acceptable`).
            CapacityError: there are too many sessions.
        """

    async def restart(self, session: str, fragment: str) -> tuple[str, str]:
        """Restart the ICE of a session with the peer's new credentials.

        Returns:
            A fragment with ours, and the new entity tag.

        Raises:
            PeerError: the fragment cannot be used.
            StreamError: there is no such session.
        """

    async def end(self, session: str) -> None:
        """End a session as the publisher wishes, any number of times."""

    def has(self, session: str) -> bool:
        """Tell whether a session is not over."""
