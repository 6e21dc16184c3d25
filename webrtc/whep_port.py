"""What the routes of WHEP need: somebody who makes sessions and keeps them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from .port import Rung


@dataclass(frozen=True, slots=True)
class Established:
    """An offer that was answered."""

    session: str
    """Name of the session: whoever knows it may end it, so nobody can guess it."""
    sdp: str
    etag: str
    """Names the credentials of ICE that count: letters, digits, `-` and `_`, without quotation marks."""


@dataclass(frozen=True, slots=True)
class CounterOffer:
    """An offer that cannot be served as it is, and what could be instead."""

    session: str
    sdp: str


class SessionView(NamedTuple):
    """A session as it is now."""

    active: str | None
    """Rung whose frames the viewer gets; None before the first one."""
    chosen: str | None
    """Rung that the viewer has fixed; None: the best one that gets through."""
    rungs: Sequence[Rung]
    """Best first."""
    is_connected: bool
    """Whether the transport is there."""


class WhepGateway(Protocol):
    """Makes sessions and keeps them."""

    async def offer(
        self, stream_id: str, sdp: str, on_change: Callable[[], None]
    ) -> Established | CounterOffer:
        """Answer an offer.

        Args:
            stream_id: of a broadcast that is on the air.
            sdp: an offer that `parse_offer` has read without a complaint.
            on_change: called from the event loop when what `view` gives has changed.

        Raises:
            PeerError: the offer is malformed.
            StreamError: there is no such broadcast any more.
            CapacityError: there are too many sessions.
        """

    async def answer(self, session: str, sdp: str) -> None:
        """Take the answer to a counter-offer.

        Raises:
            PeerError: it is malformed or no answer to that.
        """

    async def restart(self, session: str, fragment: str) -> tuple[str, str]:
        """Restart the ICE of a session with the peer's new credentials.

        Returns:
            A fragment with ours, and the new entity tag.

        Raises:
            PeerError: the fragment cannot be used.
        """

    async def choose(self, session: str, rung: str | None) -> None:
        """Fix what a viewer gets; None: the best one that gets through."""

    def view(self, session: str) -> SessionView | None:
        """Show a session; None: it is unknown or over."""

    async def end(self, session: str) -> None:
        """End a session, any number of times."""
