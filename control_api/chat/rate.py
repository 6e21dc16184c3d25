"""How often somebody may comment or react, by user and by address. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from ipaddress import IPv6Address, ip_address

from control_api.rate import RateLimit

WINDOW_S = 10.0
MAX_COMMENTS = 5
MAX_REACTIONS = 10
"""Of one user to one stream in any window of that length."""

MAX_COMMENTS_OF_ADDRESS = 200
MAX_REACTIONS_OF_ADDRESS = 1000
"""Of all users behind one address to one stream. Offices and carriers share one: forty people who write as fast as they
may, a hundred who react as fast as they may, and many more who do so as people do. It stops one who makes up users."""


NETWORK_BITS = 64
"""What a household is given of IPv6, at least: whoever has one such address has all of them."""


def shared_address(address: str | None) -> str | None:
    """Name who shares an address of the Internet; None for what says nothing of who it is.

    An address of a private network or of this machine may be that of a proxy, with everybody behind it.

    Args:
        address: as the system tells it, or None.
    """
    try:
        found = ip_address((address or "").partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        found = found.ipv4_mapped or found
    if not found.is_global:
        return None
    return str(found) if found.version == 4 else f"{int(found) >> (128 - NETWORK_BITS):x}::"


class ChatRate:
    """Turns of users, and of all who share an address.

    Args:
        what: is counted, for the words of a refusal: "comments".
        of_user: turns of one user in a window.
        of_address: turns of one address.
    """

    def __init__(self, what: str, of_user: int, of_address: int) -> None:
        self._of_user = RateLimit(what, of_user, WINDOW_S)
        self._of_address = RateLimit(f"{what} from one address", of_address, WINDOW_S)

    @contextmanager
    def turn(self, stream_id: str, user_id: str, address: str | None, now: float) -> Iterator[None]:
        """Take a turn for what is done inside; it does not count when that fails.

        Args:
            stream_id: where.
            user_id: whose turn.
            address: shared with others; what `shared_address` does not give does not count.
            now: time in seconds that never steps back.

        Raises:
            TooEarlyError: `rate_limited`.
        """
        one = shared_address(address)
        shared = nullcontext() if one is None else self._of_address.turn((stream_id, one), now)
        with self._of_user.turn((stream_id, user_id), now), shared:
            yield
