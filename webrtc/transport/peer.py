"""One peer on the wire, sans-IO: which datagram is whose (RFC 7983), and when the peer is there and gone."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence

from media.error import PeerError
from webrtc.sdp.description import Fingerprint, IceCredentials
from webrtc.transport.certificate import Certificate
from webrtc.transport.dtls import DtlsServer
from webrtc.transport.event import Connected, Ended, Event, Moved, RtcpReceived, RtpReceived
from webrtc.transport.ice import IceAgent
from webrtc.transport.route import Route
from webrtc.transport.srtp import Srtp
from webrtc.transport.stun import find_username

CONNECT_TIMEOUT_S = 10.0
CONSENT_TIMEOUT_S = 30.0
"""RFC 7675, 5.1: nothing is sent to a peer that has not asked for it for so long."""
NEVER_CONNECTED = "never connected"
CONSENT_EXPIRED = "consent expired"
CLOSED_BY_PEER = "closed by the peer"
WRONG_CERTIFICATE = "its certificate is not the one that was announced"


class Peer:
    """Whoever holds the other end of a session.

    The caller sends what `take_datagrams` has and asks `next_event` after each call.

    Args:
        certificate: what this side shows in DTLS.
        local: this side's ICE credentials.
        now: in seconds.
        connect_timeout_s: how long it may take until the peer is connected; longer where somebody has to answer first.
    """

    __slots__ = (
        "_connect_by",
        "_dtls",
        "_events",
        "_fingerprints",
        "_ice",
        "_is_over",
        "_output",
        "counters",
        "srtp",
    )

    def __init__(
        self,
        certificate: Certificate,
        local: IceCredentials,
        now: float,
        *,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
    ) -> None:
        self.srtp: Srtp | None = None
        """Once the peer is connected."""
        self.counters: Counter[str] = Counter()
        """Checks, and all that was refused."""
        self._ice = IceAgent(local, self.counters)
        self._dtls = DtlsServer(certificate)
        self._connect_by = now + connect_timeout_s
        self._fingerprints: Sequence[Fingerprint] | None = None
        self._events: deque[Event] = deque()
        self._output: list[tuple[bytes, Route]] = []
        self._is_over = False

    @property
    def route(self) -> Route | None:
        """Where the peer is to be reached now."""
        return self._ice.selected

    @property
    def routes(self) -> Mapping[Route, float]:
        """Where the peer was proven to be, and when it was heard of last there."""
        return self._ice.routes

    @property
    def local(self) -> IceCredentials:
        """This side's ICE credentials."""
        return self._ice.local

    @property
    def ufrags(self) -> tuple[str, ...]:
        """User fragments of this side that checks for this peer have."""
        return self._ice.ufrags

    def set_remote(self, ice: IceCredentials, fingerprints: Sequence[Fingerprint]) -> None:
        """Learn who the peer has to be; its datagrams may have come before."""
        self._ice.set_remote(ice)
        self._fingerprints = tuple(fingerprints)
        self._connect()

    def restart_ice(self, local: IceCredentials, remote: IceCredentials) -> None:
        """Take new ICE credentials; those before stay good, since peers go on using them for a while."""
        self._ice.restart(local, remote)

    def receive_datagram(self, data: bytes, route: Route, now: float) -> None:
        """Take a datagram that came on `route`. What is malformed or not the peer's is counted."""
        first = data[0] if data else 255
        if self._is_over:
            return
        if first < 4:
            self._receive_stun(data, route, now)
        elif not self._ice.is_proven(route):
            self.counters["from_elsewhere"] += 1
        elif 128 <= first < 192:
            self._receive_srtp(data, route, now)
        elif 20 <= first < 64:
            self._receive_dtls(data, now)
        else:
            self.counters["of_no_protocol"] += 1

    def take_datagrams(self) -> list[tuple[bytes, Route]]:
        """Return what has to be sent now, and where."""
        output, self._output = self._output, []
        return output

    def next_event(self) -> Event | None:
        """Return the oldest event that was not returned yet."""
        return self._events.popleft() if self._events else None

    def get_timer(self) -> float | None:
        """Return when `handle_timer` is due."""
        if self._is_over:
            return None
        heard_at = self._ice.heard_at
        if self.srtp is not None and heard_at is not None:
            return heard_at + CONSENT_TIMEOUT_S
        repeat_at = self._dtls.get_timer()
        return self._connect_by if repeat_at is None else min(repeat_at, self._connect_by)

    def handle_timer(self, now: float) -> None:
        """Do what time asks for."""
        due = self.get_timer()
        if due is None or now < due:
            return
        if self.srtp is not None:
            self._end(CONSENT_EXPIRED)
        elif now >= self._connect_by:
            self._end(NEVER_CONNECTED)
        else:
            self._dtls.handle_timer(now)
            self._take_dtls()

    def close(self) -> None:
        """Tell the peer that it is over. No event comes after this."""
        if not self._is_over:
            self._is_over = True
            self._events.clear()
            self._dtls.close()
            self._take_dtls()

    def _receive_stun(self, data: bytes, route: Route, now: float) -> None:
        if find_username(data) is None:
            self.counters["checks_malformed"] += 1
            return
        before = self._ice.selected
        answer = self._ice.receive_check(data, route, now)
        if answer is not None:
            self._output.append((answer, route))
        if self.srtp is not None and self._ice.selected is not None and self._ice.selected != before:
            self._events.append(Moved(self._ice.selected))

    def _receive_dtls(self, data: bytes, now: float) -> None:
        try:
            if not self._dtls.receive_datagram(data, now):
                self.counters["dtls_refused"] += 1
        except PeerError as problem:
            self._take_dtls()
            self._end(str(problem))
            return
        self._take_dtls()
        if self._dtls.is_closed:
            self._end(CLOSED_BY_PEER)
        else:
            self._connect()

    def _receive_srtp(self, data: bytes, route: Route, now: float) -> None:
        if self.srtp is None or len(data) < 2:
            self.counters["srtp_too_early"] += 1
            return
        try:
            # Payload types of RTCP, which RTP leaves alone (RFC 5761, 4).
            if 192 <= data[1] <= 223:
                event: Event = RtcpReceived(self.srtp.unprotect_rtcp(data))
            else:
                event = RtpReceived(self.srtp.unprotect_rtp(data))
        except PeerError:
            self.counters["srtp_refused"] += 1
            return
        self._ice.note_heard(route, now)
        self._events.append(event)

    def _connect(self) -> None:
        """Take the peer in when the handshake is done, its certificate announced, and both the same."""
        if self._is_over or self.srtp is not None or not self._dtls.is_done or self._fingerprints is None:
            return
        try:
            if not any(
                self._dtls.digest(item.algorithm) == item.value.upper() for item in self._fingerprints
            ):
                raise PeerError(WRONG_CERTIFICATE)
            self.srtp = self._dtls.make_srtp()
        except PeerError as problem:
            self._dtls.close()
            self._take_dtls()
            self._end(str(problem))
            return
        self._events.append(Connected())

    def _take_dtls(self) -> None:
        route = self._ice.selected
        if route is not None:
            self._output += [(datagram, route) for datagram in self._dtls.take_datagrams()]

    def _end(self, reason: str) -> None:
        self._is_over = True
        self._events.append(Ended(reason))
