"""How often an address may ask for work: token buckets, pure."""

from __future__ import annotations

import ipaddress

from cachetools import LRUCache

MAX_ADDRESSES = 100_000
"""That are remembered, 300 bytes each. Whoever was silent for the longest time is forgotten first."""


class RequestRate:
    """Lets each address on the internet do so much at once, and so much in the long run.

    Behind one address there may be an office or a whole carrier. So the limit is far above what people do: it
    stops a single machine that does nothing else. Loopback and private addresses have none, since a proxy there
    speaks for everybody.

    Args:
        per_s: requests a second in the long run.
        burst: requests at once after some silence.
    """

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s = per_s
        self._burst = burst
        self._spent: LRUCache[str, tuple[float, float]] = LRUCache(MAX_ADDRESSES)
        """How many requests each has ahead of the long run, and when that was so."""

    def take(self, remote: str | None, now: float) -> float:
        """Take a turn for an address.

        Args:
            remote: the address; None where it has none (a Unix socket).
            now: time in seconds that never steps back.

        Returns:
            0 when it may; else the seconds until it may, and no turn is taken.
        """
        key = _key(remote)
        if key is None:
            return 0
        spent, at = self._spent.get(key, (0.0, now))
        spent = max(0.0, spent - (now - at) * self._per_s)
        if spent + 1 > self._burst:
            return (spent + 1 - self._burst) / self._per_s
        self._spent[key] = spent + 1, now
        return 0


def _key(remote: str | None) -> str | None:
    """Name whoever an address belongs to: of IPv6 a customer has 64 bits to play with."""
    try:
        address = ipaddress.ip_address(remote or "")
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    if address.is_private or address.is_loopback or address.is_link_local:
        return None
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else str(address)
