"""Addresses of receivers: read so that nothing else can be read into them.

What an address means here must be what it means to the client that connects: both have it from the same `yarl.URL`,
and everything on which parsers differ (user info, backslashes, `127.1`, other alphabets) is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from yarl import URL

from control_api.webhook.address import refusal
from media.error import StreamError

MAX_URL = 2048
"""Characters."""
MAX_HOST = 253

_PRINTABLE = re.compile(r"[!-~]+")
_PARTS = re.compile(r"(?:http|https)://(?P<authority>[^/?#]*)(?:[/?].*)?", re.IGNORECASE)
_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{0,5}))?")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LOCAL_NAMES = ("localhost", "local", "internal", "home.arpa")
"""Names at whose end no public address is (RFC 6761, RFC 6762, RFC 8375, ICANN for `internal`)."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a webhook is sent."""

    url: URL
    host: str
    """A name in lower case, or an address without brackets."""
    port: int


def parse_target(url: str, allow_private: bool) -> Target:
    """Read a receiver's address. Names are not resolved: what they lead to is checked with each connection.

    Args:
        url: as somebody entered it.
        allow_private: whether receivers may be on this server's own networks.

    Raises:
        StreamError: `invalid`; nothing may be sent there. The words do not repeat the address.
    """
    if len(url) > MAX_URL:
        raise _invalid(f"The address must have at most {MAX_URL} characters.")
    if not _PRINTABLE.fullmatch(url) or "\\" in url:
        raise _invalid("The address must be written in ASCII, without spaces and backslashes.")
    if "#" in url:
        raise _invalid("The address must not have a fragment.")
    parts = _PARTS.fullmatch(url)
    if parts is None:
        raise _invalid("The address must begin with http:// or https://.")
    if "@" in parts["authority"]:
        raise _invalid("The address must not hold a user name or a password.")
    authority = _AUTHORITY.fullmatch(parts["authority"])
    if authority is None:
        raise _invalid("The address must name a host, and nothing but a number as its port.")
    if authority["port"] and not 1 <= int(authority["port"]) <= 65535:
        raise _invalid("The port must be 1 to 65535.")
    _check_host(authority["host"].lower(), allow_private)
    return _target(url)


def _target(url: str) -> Target:
    try:
        parsed = URL(url)
    except ValueError:  # such as a host that IDNA does not allow
        raise _invalid("The address cannot be understood.") from None
    if parsed.raw_host is None or parsed.port is None:
        raise _invalid("The address cannot be understood.")
    return Target(parsed, parsed.raw_host, parsed.port)


def _check_host(host: str, allow_private: bool) -> None:
    address = _literal(host)
    if address is None:
        _check_name(host.removesuffix("."), allow_private)
        return
    words = refusal(address, allow_private=allow_private)
    if words is not None:
        raise _invalid(f"Webhooks are not sent to {words}.")


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    """Read a host that is an address, None when it is a name."""
    try:
        if host.startswith("["):
            return IPv6Address(host[1:-1])
        # A last label that is a number makes it an IPv4 address to browsers and to the C library (`127.1`, `0x7f.1`).
        if _NUMBER.fullmatch(host.removesuffix(".").rpartition(".")[2]):
            return IPv4Address(host)
    except AddressValueError:
        raise _invalid("The host is no address that can be: write 192.0.2.1 or [2001:db8::1].") from None
    return None


def _check_name(name: str, allow_private: bool) -> None:
    if len(name) > MAX_HOST or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise _invalid("The host is no name that can be.")
    if allow_private:
        return
    if "." not in name or any(name == each or name.endswith(f".{each}") for each in _LOCAL_NAMES):
        raise _invalid("Webhooks are not sent to names that mean something only in one network.")


def _invalid(words: str) -> StreamError:
    return StreamError("invalid", words)
