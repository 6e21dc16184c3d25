"""What HLS delivery needs of the house. Values in, values out: it could work over a Unix socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from .view import MultivariantView, PartAddress, RenditionView

Told = Callable[[bool], None]
"""Told whether what was waited for is there; else time is up, or the server stops."""

Cancel = Callable[[], None]
"""Ends waiting: whoever asked has gone."""


class Broadcast(Protocol):
    """A broadcast as delivery reads it."""

    @property
    def has_media(self) -> bool:
        """Whether there is, or was, something to play."""

    def multivariant(self) -> MultivariantView | None:
        """Return all renditions; None before the first media."""

    def view(self, rendition: str) -> RenditionView | None:
        """Return a rendition as it is now; None when there is none of this name."""

    def has_video(self, rendition: str) -> bool:
        """Tell whether a rendition of this name is a video rung."""

    def init(self, rendition: str, generation: int) -> bytes | None:
        """Return an initialization segment; None when there is none of this address."""

    async def wait(self, rendition: str, msn: int, part: int | None, timeout_s: float) -> bool:
        """Wait until a rendition has a part, or the whole segment when `part` is None.

        A part beyond the last of a complete segment means the first of the next one.

        Returns:
            False when the time is up. True also when the rendition has ended, or has no such name.

        Raises:
            CapacityError: too many wait already.
        """

    async def get(self, rendition: str, generation: int, msn: int, part: int | None) -> bytes | None:
        """Return the bytes of a segment, or of a part; None when there is none of this address.

        A part that the playlist hints at is waited for.

        Raises:
            CapacityError: too many wait already.
        """

    async def thumbnail(self, msn: int) -> bytes | None:
        """Return a JPEG of the first picture of a segment; None when there is none.

        Raises:
            CapacityError: there is no time for it now.
        """

    async def keyframe(self, rendition: str, generation: int, msn: int) -> bytes | None:
        """Return the keyframe with which a complete segment begins, as a segment; None when there is none.

        Raises:
            CapacityError: there is no time for it now.
        """

    def peek(self, rendition: str, generation: int, msn: int, part: int | None) -> bytes | None:
        """Return the bytes of a segment or a part if they are in memory; that is demand, as `get` is."""

    def call_when_reached(
        self, rendition: str, msn: int, part: int | None, told: Told, timeout_s: float
    ) -> Cancel | None:
        """Do what `wait` does, with a callback; None when what is waited for is there, or there is no such rendition.

        Raises:
            CapacityError: too many wait already.
        """

    def call_when_hinted(
        self, rendition: str, address: PartAddress, told: Told, timeout_s: float
    ) -> Cancel | None:
        """Wait for the part that the playlist hints at; None when it is not this one.

        Raises:
            CapacityError: too many wait already.
        """


class Broadcasts(Protocol):
    """Where delivery finds broadcasts."""

    def find(self, stream_id: str) -> Broadcast | None:
        """Return a stream's broadcast; None when it has none (yet).

        Raises:
            StreamError: `no_media_yet` or `not_found`, where there is more to say about it.
        """

    def check(self, stream_id: str, token: str | None) -> None:
        """Let a request pass.

        Args:
            stream_id: as in the address.
            token: what follows `~` in the address, None without one.

        Raises:
            StreamError: `not_found`, `unauthorized` or `forbidden`.
        """
