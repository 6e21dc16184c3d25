"""Which addresses a webhook may be sent to: those of the public internet, and nothing that only looks like one.

The tables are this project's own: what `ipaddress` calls private changes from one Python to the next. IPv6 is refused
unless it is known to be public (2000::/3), since most of its space means nothing yet. Addresses that carry an IPv4
address are judged by that one, because a translator or the kernel sends the packet there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class _Range:
    """Addresses that are refused."""

    network: IPv4Network | IPv6Network
    words: str
    """What they are, with an article."""
    is_local: bool
    """Whether somebody's own receiver may be there: allowed to who allows private addresses."""


def _ranges(words: str, *networks: str, is_local: bool = False) -> list[_Range]:
    return [_Range(ip_network(network), words, is_local) for network in networks]


_RANGES = (
    # First of all, as they lie in ranges that can be allowed. These hand out a machine's credentials: no receiver
    # is there. AWS (and most others), ECS, EKS, Alibaba, Azure, Oracle; AWS, EKS and Google over IPv6.
    *_ranges(
        "a cloud's metadata service",
        *("169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "168.63.129.16"),
        *("192.0.0.192", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254"),
    ),
    *_ranges("a loopback address", "127.0.0.0/8", "::1", is_local=True),
    *_ranges("a private address", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", is_local=True),
    *_ranges("a private address", "fc00::/7", "fec0::/10", is_local=True),
    *_ranges("a link-local address", "169.254.0.0/16", "fe80::/10", is_local=True),
    *_ranges("a carrier's shared address", "100.64.0.0/10", is_local=True),
    *_ranges("an address for benchmarks", "198.18.0.0/15", is_local=True),
    *_ranges("an unspecified address", "0.0.0.0/8", "::"),
    *_ranges("a multicast address", "224.0.0.0/4", "ff00::/8"),
    *_ranges("an address for documentation", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"),
    *_ranges("an address for documentation", "2001:db8::/32", "3fff::/20"),
    *_ranges("a reserved address", "192.0.0.0/24", "192.88.99.0/24", "240.0.0.0/4", "2001::/23"),
)
_PUBLIC_IPV6 = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)
"""The third quarter of an address that ends with an IPv4 address (RFC 5214, 6.1)."""


def refusal(address: str | Address, *, allow_private: bool) -> str | None:
    """Say why nothing may be sent to an address.

    Args:
        address: IPv4 or IPv6, as a value or in its canonical text.
        allow_private: whether the owner's own networks are allowed. Metadata services, multicast and what is
            reserved are not allowed to anybody.

    Returns:
        What the address is, such as `a loopback address`; None when it may be used.
    """
    if isinstance(address, str):
        try:
            address = ip_address(address)
        except ValueError:
            return "no address"
    for each in _meant(address):
        found = next((entry for entry in _RANGES if each in entry.network), None)
        if found is None:
            if isinstance(each, IPv6Address) and each not in _PUBLIC_IPV6:
                return "a reserved address"
        elif not (found.is_local and allow_private):
            return found.words
    return None


def _meant(address: Address) -> Iterator[Address]:
    """List the addresses at which packets to this one may arrive."""
    if isinstance(address, IPv4Address):
        yield address
    elif address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    elif address.sixtofour is not None:
        yield address.sixtofour
    elif address in _NAT64:
        yield IPv4Address(int(address) & 0xFFFF_FFFF)
    else:
        yield address
        if int(address) >> 32 & 0xFFFF_FFFF in _ISATAP:
            yield IPv4Address(int(address) & 0xFFFF_FFFF)
