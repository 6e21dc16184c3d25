"""Which host names this server answers to."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from control_api.address import has_good_host, host_name
from control_api.problem import problem_response

ALWAYS = frozenset({"/healthz", "/readyz"})
"""Balancers ask these by address."""


def host_middleware(allowed: Sequence[str]) -> Middleware:
    """Refuse requests for names that are not this server's.

    Args:
        allowed: names, `*.example.org` for all below a name, `*` for any. Empty: any name where the
            connection came to a loopback or private address, elsewhere only that address itself.

    Returns:
        A middleware that answers 400 to a malformed Host header and 421 to a name that is not allowed.
    """
    names = tuple(name.lower() for name in allowed)

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not has_good_host(request):
            return problem_response(400, "bad_host", "The Host header does not name a host.")
        if request.path not in ALWAYS and not _is_allowed(request, names):
            detail = "This server does not answer to this host name; its owner may add it to ALLOWED_HOSTS."
            return problem_response(421, "unknown_host", detail)
        return await handler(request)

    return middleware


def _is_allowed(request: web.Request, names: Sequence[str]) -> bool:
    local = request.transport.get_extra_info("sockname") if request.transport else None
    return is_allowed_host(host_name(request), local[0] if isinstance(local, tuple) else None, names)


def is_allowed_host(host: str, local: str | None, names: Sequence[str]) -> bool:
    """Tell whether this server answers to a name.

    Args:
        host: without a port.
        local: the address that the connection came to, None for a Unix socket.
        names: as `host_middleware`, in lower case.
    """
    host = host.lower().strip("[]").removesuffix(".")
    if names:
        return any(_matches(host, name) for name in names)
    if local is None:
        return True  # a Unix socket is local
    address = _address(local)
    return address is None or address.is_private or address.is_loopback or _address(host) == address


def _matches(host: str, name: str) -> bool:
    if name.startswith("*."):
        return host.endswith(name[1:])
    return name in ("*", host)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
