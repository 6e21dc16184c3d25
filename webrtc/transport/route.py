"""How a peer is reached."""

from __future__ import annotations

from typing import Any, NamedTuple


class Route(NamedTuple):
    """A pair of addresses: where a peer is, and which of our addresses it knows."""

    address: tuple[Any, ...]
    """Of the peer, as for `sendto`: host and port, for IPv6 flow and scope too."""
    ancillary: tuple[tuple[int, int, bytes], ...] = ()
    """IP_PKTINFO or IPV6_PKTINFO, so that an answer leaves from the address that the packet came to; empty when the
    socket is bound to one address."""

    @property
    def host_and_port(self) -> tuple[str, int]:
        """The peer's address as it would name it itself: IPv4 where IPv4 came through a socket of both kinds."""
        host = str(self.address[0]).partition("%")[0]
        return host.removeprefix("::ffff:") if "." in host else host, int(self.address[1])
