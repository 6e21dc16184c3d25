"""The UDP port that all peers of a process share: the only part of the transport that knows sockets."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from webrtc.transport.event import Event
from webrtc.transport.peer import Peer
from webrtc.transport.route import Route
from webrtc.transport.stun import find_username

BUFFER_BYTES = 4 << 20
"""Of the socket, each way: keyframes go to many viewers at once."""
MAX_DATAGRAM_BYTES = 2048
"""More does not come from a browser: it keeps to 1200 bytes or so, fragments apart."""
MAX_DATAGRAMS_PER_TURN = 64
"""Read before the loop goes on: what has to be sent does not wait for what comes."""
ADDRESS_HELD_S = 8.0
"""An address belongs to the peer that was heard of there within this time, whoever else claims it: a spoofed check
takes no stream away. Browsers check every 2.5 to 6 s."""
_ANCILLARY_BYTES = socket.CMSG_SPACE(20)
_MAX_ORIGINS = 256
"""Addresses of this machine that answers are prepared for."""
_SPARE_TIMERS = 64

# Linux numbers that Python does not name in all versions.
_IP_PKTINFO = 8
_IP_MTU_DISCOVER = 10
_IPV6_MTU_DISCOVER = 23
_PMTUDISC_OMIT = 5
_SO_SNDBUFFORCE = 32
_SO_RCVBUFFORCE = 33
_IPV4_INFO = struct.Struct("=I4s4s")
_IPV6_INFO = struct.Struct("=16sI")
_LINK_LOCAL = b"\xfe\x80"

Ancillary = tuple[tuple[int, int, bytes], ...]


@dataclass(slots=True)
class _Entry:
    """A peer on this port."""

    peer: Peer
    on_event: Callable[[Event], None]
    ufrags: tuple[str, ...] = ()
    """Those that are in the table."""
    routes: list[Route] = field(default_factory=list)
    """Those that are in the table."""
    due_at: float | None = None
    """When its newest entry among the timers is due."""


class UdpPort:
    """Carries the datagrams of many peers over one socket.

    Whoever calls a peer has to call `flush` for it afterwards.

    Args:
        sock: bound, not blocking.
        clock: seconds, never stepping back.
    """

    def __init__(self, sock: socket.socket, clock: Callable[[], float]) -> None:
        self.socket = sock
        self.port: int = sock.getsockname()[1]
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._entries: dict[Peer, _Entry] = {}
        self._by_ufrag: dict[str, _Entry] = {}
        self._by_route: dict[Route, _Entry] = {}
        self._timers: list[tuple[float, int, _Entry]] = []
        self._order = itertools.count()
        self._origins: dict[bytes, Ancillary] = {}
        self._counters: Counter[str] = Counter()
        self._loop.add_reader(sock, self._read)

    @classmethod
    async def open(cls, host: str, port: int, clock: Callable[[], float] = time.monotonic) -> UdpPort:
        """Bind a socket and begin to read.

        Args:
            host: address to listen on; `0.0.0.0` for all of IPv4, `::` for all of both kinds.
            port: 0 for any free one.
            clock: seconds, never stepping back.

        Raises:
            OSError: it cannot be bound, or there is no such address.
        """
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            _prepare(sock)
            sock.bind(address)
            if not any(socket.inet_pton(family, sock.getsockname()[0])):
                _ask_for_origin(sock)
            return cls(sock, clock)
        except BaseException:
            sock.close()
            raise

    @property
    def counters(self) -> Mapping[str, int]:
        """What was refused so far, by this port and by its peers."""
        return sum((entry.peer.counters for entry in self._entries.values()), self._counters)

    def add(self, peer: Peer, on_event: Callable[[Event], None]) -> None:
        """Carry a peer's datagrams from now on, and tell its events."""
        entry = self._entries[peer] = _Entry(peer, on_event)
        self._flush(entry)

    def remove(self, peer: Peer) -> None:
        """Carry nothing for a peer any more, but what it has to send now; any number of times."""
        entry = self._entries.pop(peer, None)
        if entry is None:
            return
        self._send(peer)
        self._forget_timer(entry)
        for ufrag in entry.ufrags:
            del self._by_ufrag[ufrag]
        for route in entry.routes:
            if self._by_route.get(route) is entry:
                del self._by_route[route]
        self._counters.update(peer.counters)

    def flush(self, peer: Peer) -> None:
        """Send what a peer has to send and tell its events, after it was called by somebody else."""
        entry = self._entries.get(peer)
        if entry is not None:
            self._flush(entry)

    def get_timer(self) -> float | None:
        """Return when `run_timers` is due, at the latest."""
        return self._timers[0][0] if self._timers else None

    def run_timers(self, now: float) -> None:
        """Let the peers whose time has come do what it asks for."""
        while self._timers and self._timers[0][0] <= now:
            due_at, _, entry = heapq.heappop(self._timers)
            if entry.due_at != due_at:
                continue  # it is gone, or has an earlier time by now
            entry.due_at = None
            entry.peer.handle_timer(now)
            self._flush(entry)

    def close(self) -> None:
        """Stop reading and close the socket, any number of times. The peers are told nothing."""
        if self.socket.fileno() >= 0:
            self._loop.remove_reader(self.socket)
            self.socket.close()

    def _read(self) -> None:
        now = self._clock()
        for _ in range(MAX_DATAGRAMS_PER_TURN):
            try:
                data, ancillary, flags, address = self.socket.recvmsg(MAX_DATAGRAM_BYTES, _ANCILLARY_BYTES)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self._counters["receive_errors"] += 1
                return
            if flags & socket.MSG_TRUNC or not data:
                self._counters["datagrams_of_bad_size"] += 1
                continue
            self._receive(data, Route(address, self._origin(ancillary) if ancillary else ()), now)
            if self.socket.fileno() < 0:
                return  # a peer's event has closed the port

    def _receive(self, data: bytes, route: Route, now: float) -> None:
        entry = self._find_by_ufrag(data, route, now) if data[0] < 4 else self._by_route.get(route)
        if entry is None:
            self._counters["datagrams_of_strangers"] += 1
            return
        entry.peer.receive_datagram(data, route, now)
        if self._by_route.get(route) is not entry and route in entry.peer.routes:
            self._learn(entry, route)
        self._flush(entry)

    def _find_by_ufrag(self, data: bytes, route: Route, now: float) -> _Entry | None:
        username = find_username(data)
        entry = self._by_ufrag.get(username[0]) if username else None
        owner = self._by_route.get(route)
        if entry is None or owner is None or owner is entry:
            return entry
        heard_at = owner.peer.routes.get(route)
        if heard_at is not None and now - heard_at < ADDRESS_HELD_S:
            self._counters["addresses_claimed_by_two"] += 1
            return None
        return entry

    def _learn(self, entry: _Entry, route: Route) -> None:
        self._by_route[route] = entry
        known = entry.peer.routes
        for item in entry.routes:
            if item not in known and self._by_route.get(item) is entry:
                del self._by_route[item]
        entry.routes = [item for item in entry.routes if item in known and item != route]
        entry.routes.append(route)

    def _flush(self, entry: _Entry) -> None:
        peer = entry.peer
        if peer.ufrags != entry.ufrags:
            self._index(entry)
        self._send(peer)
        due_at = peer.get_timer()
        if due_at is not None and (entry.due_at is None or due_at < entry.due_at):
            entry.due_at = due_at
            heapq.heappush(self._timers, (due_at, next(self._order), entry))
        while self._entries.get(peer) is entry and (event := peer.next_event()) is not None:
            entry.on_event(event)

    def _forget_timer(self, entry: _Entry) -> None:
        """Let go of a peer before its time has come, once those that are gone outnumber the others."""
        entry.due_at = None
        if len(self._timers) > 2 * len(self._entries) + _SPARE_TIMERS:
            self._timers = [item for item in self._timers if item[2].due_at == item[0]]
            heapq.heapify(self._timers)

    def _index(self, entry: _Entry) -> None:
        for ufrag in entry.ufrags:
            del self._by_ufrag[ufrag]
        entry.ufrags = entry.peer.ufrags
        for ufrag in entry.ufrags:
            self._by_ufrag[ufrag] = entry

    def _send(self, peer: Peer) -> None:
        for data, route in peer.take_datagrams():
            try:
                self.socket.sendmsg((data,), route.ancillary, 0, route.address)
            except OSError:  # all of it is repeated by one side or the other
                self._counters["send_errors"] += 1

    def _origin(self, ancillary: list[tuple[int, int, bytes]]) -> Ancillary:
        """Make of what the kernel says of a packet's destination what it has to be told for an answer from there."""
        level, kind, info = ancillary[0]
        answer = self._origins.get(info)
        if answer is None:
            if len(self._origins) >= _MAX_ORIGINS:
                self._origins.clear()
            answer = self._origins[info] = ((level, kind, _answer_info(level, info)),)
        return answer


def _answer_info(level: int, info: bytes) -> bytes:
    """Turn a destination into a source; the interface is left to the routes, but for addresses that need it."""
    if level == socket.IPPROTO_IP:
        _, local, _ = _IPV4_INFO.unpack(info)
        return _IPV4_INFO.pack(0, local, bytes(4))
    local, interface = _IPV6_INFO.unpack(info)
    return _IPV6_INFO.pack(local, interface if local.startswith(_LINK_LOCAL) else 0)


def _prepare(sock: socket.socket) -> None:
    sock.setblocking(False)
    for forced, usual in ((_SO_RCVBUFFORCE, socket.SO_RCVBUF), (_SO_SNDBUFFORCE, socket.SO_SNDBUF)):
        try:
            sock.setsockopt(socket.SOL_SOCKET, forced, BUFFER_BYTES)
        except PermissionError:  # then as much as the system allows to everybody
            sock.setsockopt(socket.SOL_SOCKET, usual, BUFFER_BYTES)
    # Packets have at most about 1250 bytes, which every path takes. So nothing is learnt from "packet too big", which
    # anybody may forge: a path believed to be narrower than a packet makes the kernel refuse whole runs of them (GSO).
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_OMIT)
    sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_OMIT)


def _ask_for_origin(sock: socket.socket) -> None:
    """Have the kernel say which of our addresses each packet came to."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
