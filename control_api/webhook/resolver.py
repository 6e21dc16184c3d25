"""Names become addresses, and only those that may be called are left: the address checked is the one connected to.

A name that is checked when it is registered may lead elsewhere when it is called (DNS rebinding). So the check is where
the client gets the addresses that it connects to, once for each connection, without a cache. Hosts that are addresses
already come past no resolver; `guarded_socket` sees those too, with the very address that the socket is made for.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from aiohttp import AddrInfoType, SocketFactoryType
from aiohttp.abc import AbstractResolver, ResolveResult

from control_api.webhook.address import refusal
from media.error import MediaServerError

MAX_LOOKUPS = 16
"""Threads of their own: whoever runs slow name servers makes webhooks wait at worst, and nothing else of this process.
A question that nobody waits for any more keeps its thread until the system gives up."""
MAX_ADDRESSES = 8
"""Of one name; the others are not tried."""

Lookup = Callable[[str], Sequence[str]]
"""Gives the addresses of a name, as text. Blocks; raises OSError."""


class AddressRefusedError(MediaServerError):
    """A name leads to nothing that may be called. The text says what to, without the address."""


def look_up(name: str) -> list[str]:
    """Ask the system for the addresses of a name.

    Raises:
        OSError: there are none.
    """
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
    return [str(address[0]) for *_, address in found]


class CheckedResolver(AbstractResolver):
    """Resolves names for aiohttp, without the addresses that are refused.

    Args:
        allow_private: as in `refusal`.
        lookup: what names are resolved with.
    """

    def __init__(self, *, allow_private: bool, lookup: Lookup = look_up) -> None:
        self._allow_private = allow_private
        self._lookup = lookup
        self._threads = ThreadPoolExecutor(MAX_LOOKUPS, "webhook-names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Give the addresses of a name that may be called.

        Raises:
            OSError: the name has no address.
            AddressRefusedError: it has none that may be called.
        """
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, self._lookup, host)
        wanted = [each for each in dict.fromkeys(found) if family in (socket.AF_UNSPEC, _family(each))]
        if not wanted:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        reasons = {each: refusal(each, allow_private=self._allow_private) for each in wanted}
        allowed = [each for each, reason in reasons.items() if reason is None]
        if not allowed:
            raise AddressRefusedError(f"the host's name leads to {reasons[wanted[0]]}")
        return [_result(host, address, port) for address in allowed[:MAX_ADDRESSES]]

    async def close(self) -> None:
        """Let go of the threads; one that still waits for a name server ends by itself."""
        # What is queued is not cancelled: whoever waits for it would take that for its own cancellation.
        self._threads.shutdown(wait=False)


def guarded_socket(*, allow_private: bool) -> SocketFactoryType:
    """Make what makes the sockets of a client, which refuses again what should never have come this far.

    Args:
        allow_private: as in `refusal`.

    Returns:
        A socket factory for aiohttp's connector; raises PermissionError for an address that is refused.
    """

    def make(info: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = info
        words = refusal(str(address[0]), allow_private=allow_private)
        if words is not None:
            raise PermissionError(errno.EACCES, f"Webhooks are not sent to {words}")
        return socket.socket(family, kind, protocol)

    return make


def _result(host: str, address: str, port: int) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=address,
        port=port,
        family=_family(address),
        proto=socket.IPPROTO_TCP,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
