"""Which addresses of this machine are announced to peers."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import TypeAlias

import ifaddr

MAX_ADDRESSES = 8
"""A peer tries them all, each from all of its own."""
_IPV6_TABLE = Path("/proc/net/if_inet6")
_IPV4_ROUTES = Path("/proc/net/route")
_IPV6_ROUTES = Path("/proc/net/ipv6_route")
_INTERFACES = Path("/sys/class/net")
_IS_UP = 1
_UNUSABLE = 0x20 | 0x40 | 0x08
"""Deprecated, tentative, found to be somebody else's (`IFA_F_…` of Linux)."""

Address: TypeAlias = IPv4Address | IPv6Address


def local_addresses(host: str) -> list[str]:
    """Tell what to announce for a socket that is bound to `host`.

    Args:
        host: an address, as from `getsockname`; `0.0.0.0` for all of IPv4, `::` for all of both kinds.

    Returns:
        The host alone when it is concrete, else all addresses of the interfaces that are up: where the default route
        goes first, and the loopback addresses only when there are no others.
    """
    bound = ip_address(host.partition("%")[0])
    if not bound.is_unspecified:
        return [str(bound)]
    default = _default_interfaces()
    found = [
        (interface not in default, address.version, address)
        for interface, address in _interface_addresses()
        if (bound.version == 6 or address.version == 4) and _is_announced(address)
    ]
    found.sort(key=lambda item: item[:2])
    outside = [str(address) for _, _, address in found if not address.is_loopback]
    inside = [str(address) for _, _, address in found if address.is_loopback]
    return list(dict.fromkeys(outside or inside))[:MAX_ADDRESSES]


def _is_announced(address: Address) -> bool:
    return not (address.is_link_local or address.is_multicast or address.is_unspecified)


def _interface_addresses() -> Iterator[tuple[str, Address]]:
    unusable = _unusable_ipv6()
    for adapter in ifaddr.get_adapters():
        if not _is_up(adapter.name):
            continue
        for entry in adapter.ips:
            address = ip_address(entry.ip if isinstance(entry.ip, str) else entry.ip[0].partition("%")[0])
            if address not in unusable:
                yield adapter.name, address


def _is_up(interface: str) -> bool:
    """Tell whether an interface is up; one that the system says nothing of is taken for it."""
    words = _words(_INTERFACES / interface / "flags")
    return not words or bool(int(words[0][0], 16) & _IS_UP)


def _unusable_ipv6() -> set[IPv6Address]:
    """Find addresses that are about to go, or not there yet. Lines: address, index, prefix, scope, flags, name."""
    return {
        IPv6Address(bytes.fromhex(words[0]))
        for words in _words(_IPV6_TABLE)
        if len(words) == 6 and int(words[4], 16) & _UNUSABLE
    }


def _default_interfaces() -> set[str]:
    """Find where the default routes go: name, destination, … and destination, prefix length, …, name."""
    ipv4 = {
        words[0]
        for words in _words(_IPV4_ROUTES)
        if words[1:2] == ["00000000"] and words[7:8] == ["00000000"]
    }
    ipv6 = {words[-1] for words in _words(_IPV6_ROUTES) if words[:2] == ["0" * 32, "00"]}
    return ipv4 | ipv6


def _words(path: Path) -> list[list[str]]:
    """Read a table of the kernel; none where there is no such table."""
    try:
        return [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return []
