"""The ICE-lite agent of one peer (RFC 8445, 2.5), sans-IO.

This side never asks: it answers the peer's connectivity checks, learns from them where the peer is, and lets the peer
choose. A check counts when it proves that its sender knows this side's password.
"""

from __future__ import annotations

import secrets
import string
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from aioice import stun

from media.error import PeerError
from webrtc.sdp.description import IceCredentials
from webrtc.transport.route import Route
from webrtc.transport.stun import parse_request, write_role_conflict, write_success

MAX_ROUTES = 16
"""Pairs of addresses that a peer is known under: its networks times our addresses. The one not heard of for longest
goes first, so that a peer behind many addresses takes no more memory than others."""
MAX_FAILURES_PER_ROUTE = 8
MAX_FAILURES = 64
"""Wrong passwords that are looked at in a second, from one pair of addresses and in all: each costs an HMAC."""
MAX_GENERATIONS = 3
"""Credentials of this side that are good, old ones too: after a restart Chromium goes on with them where it has checked
our address from its new one before the answer came, which it does at once."""
SILENCE_S = 5.0
"""A check that nominates nothing moves the session when the address in use was silent for so long: the peer is behind
a NAT that has forgotten it, and a full agent checks every 5 s (RFC 7675, 5.1)."""
_MAX_CHECKS = 64
"""Checks that are remembered, so that a copy of one from another address is not taken for the peer."""
_CHARACTERS = string.ascii_letters + string.digits
_UFRAG_CHARACTERS = 12
_PASSWORD_CHARACTERS = 32


def new_credentials() -> IceCredentials:
    """Make a user fragment and a password that nobody guesses (RFC 8839, 5.4: 24 and 128 bits at least)."""
    return IceCredentials(_random_text(_UFRAG_CHARACTERS), _random_text(_PASSWORD_CHARACTERS))


def _random_text(length: int) -> str:
    return "".join(secrets.choice(_CHARACTERS) for _ in range(length))


class IceAgent:
    """Answers a peer's checks and knows where it is.

    Args:
        local: this side's credentials.
        counters: where refused checks are counted.
    """

    __slots__ = (
        "_checks",
        "_counters",
        "_failures",
        "_failures_since",
        "_generations",
        "_remote_ufrag",
        "_routes",
        "heard_at",
        "selected",
    )

    def __init__(self, local: IceCredentials, counters: Counter[str]) -> None:
        self.selected: Route | None = None
        """Where the peer wants to be reached; before it has said so, where it was heard of first."""
        self.heard_at: float | None = None
        """When the last check came: the peer's consent to be sent to (RFC 7675)."""
        self._counters = counters
        self._generations: tuple[IceCredentials, ...] = (local,)
        self._remote_ufrag: str | None = None
        self._routes: dict[Route, float] = {}
        self._checks: dict[bytes, Route] = {}
        self._failures: Counter[Route] | None = None
        self._failures_since = 0.0

    @property
    def local(self) -> IceCredentials:
        """This side's credentials, the newest ones."""
        return self._generations[0]

    @property
    def ufrags(self) -> tuple[str, ...]:
        """This side's user fragments that checks may be for."""
        return tuple(item.ufrag for item in self._generations)

    @property
    def routes(self) -> Mapping[Route, float]:
        """Where the peer was proven to be, and when it was heard of last there."""
        return MappingProxyType(self._routes)

    def set_remote(self, remote: IceCredentials) -> None:
        """Learn the peer's credentials; before that, its first check may have any user fragment."""
        self._remote_ufrag = remote.ufrag

    def restart(self, local: IceCredentials, remote: IceCredentials) -> None:
        """Take new credentials (RFC 8445, 9), beside those before."""
        self._generations = (local, *self._generations[: MAX_GENERATIONS - 1])
        self._remote_ufrag = remote.ufrag

    def is_proven(self, route: Route) -> bool:
        """Tell whether the peer was proven to be there."""
        return route in self._routes

    def note_heard(self, route: Route, now: float) -> None:
        """Learn that something came from a proven address that only the peer can have made."""
        self._routes[route] = now

    def receive_check(self, data: bytes, route: Route, now: float) -> bytes | None:
        """Take a Binding request.

        Returns:
            What to send back; None where the peer has not proven to be the one: silence helps no stranger.
        """
        self._counters["checks"] += 1
        if self._has_guessed_enough(route, now):
            self._counters["checks_not_looked_at"] += 1
            return None
        try:
            request = parse_request(data)
        except PeerError:
            self._counters["checks_malformed"] += 1
            return None
        local = self._authenticate(request)
        if local is None:
            self._note_failure(route, now)
            return None
        if self._checks.setdefault(request.transaction_id, route) != route:
            self._counters["checks_replayed"] += 1
            return None
        if len(self._checks) > _MAX_CHECKS:
            del self._checks[next(iter(self._checks))]
        if "ICE-CONTROLLED" in request.attributes:
            self._counters["role_conflicts"] += 1
            return write_role_conflict(request, local.pwd)
        self._learn(route, now, is_nominated="USE-CANDIDATE" in request.attributes)
        return write_success(request, route.host_and_port, local.pwd)

    def _authenticate(self, request: stun.Message) -> IceCredentials | None:
        """Find the credentials that a request was made with; None when they are not ours."""
        ufrag, _, remote_ufrag = request.attributes["USERNAME"].partition(":")
        local = next((item for item in self._generations if item.ufrag == ufrag), None)
        # Once the peer is known its own half is left alone: Chromium names itself anew as soon as it wants to restart
        # ICE, before this side can have learnt of that.
        is_known = bool(self._routes) or self._remote_ufrag in (None, remote_ufrag)
        if local is None or not is_known:
            self._counters["checks_of_strangers"] += 1
            return None
        if not request.check_message_integrity(local.pwd.encode()):
            self._counters["checks_with_wrong_password"] += 1
            return None
        return local

    def _learn(self, route: Route, now: float, *, is_nominated: bool) -> None:
        self.heard_at = now
        self._routes[route] = now
        if self.selected is None or is_nominated or now - self._routes[self.selected] > SILENCE_S:
            self.selected = route
        while len(self._routes) > MAX_ROUTES:
            others = (item for item in self._routes if item != self.selected)
            del self._routes[min(others, key=self._routes.__getitem__)]

    def _has_guessed_enough(self, route: Route, now: float) -> bool:
        """Tell whether too many wrong passwords came to look at another; never from where the peer is."""
        if self._failures is None:
            return False
        if now - self._failures_since >= 1.0:
            self._failures = None
            return False
        is_many = self._failures[route] >= MAX_FAILURES_PER_ROUTE or self._failures.total() >= MAX_FAILURES
        return is_many and route not in self._routes

    def _note_failure(self, route: Route, now: float) -> None:
        if self._failures is None:
            self._failures, self._failures_since = Counter(), now
        self._failures[route] += 1
