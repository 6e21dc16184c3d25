from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.webrtc.transport.client import (
    ELSEWHERE,
    HERE,
    RECEIVER_REPORT,
    RTP,
    Client,
    answer_of,
    connect,
    events_of,
    handshake,
    server_certificate,
)
from webrtc.sdp.description import Fingerprint
from webrtc.transport import peer as module
from webrtc.transport.event import Connected, Ended, Moved, RtcpReceived, RtpReceived
from webrtc.transport.ice import new_credentials
from webrtc.transport.peer import CONNECT_TIMEOUT_S, CONSENT_TIMEOUT_S, Peer
from webrtc.transport.route import Route

GARBAGE = [
    b"",
    b"\x00",
    b"\x05" * 40,
    b"\x16" * 100,
    b"\x40" * 30,
    b"\x80",
    b"\x80" * 40,
    b"\x80\xc9" + bytes(60),
    b"\xff" * 1500,
    bytes(2000),
]


@pytest.fixture
def peer() -> Peer:
    return Peer(server_certificate(), new_credentials(), 0.0)


@pytest.fixture
def client(peer: Peer) -> Client:
    client = Client(peer.local)
    peer.set_remote(client.ice, [client.fingerprint])
    return client


def test_a_peer_connects_and_media_goes_both_ways(peer: Peer, client: Client) -> None:
    handshake(peer, client)
    assert events_of(peer) == [Connected()]
    assert peer.route == HERE
    assert peer.srtp is not None
    theirs = client.make_srtp()
    peer.receive_datagram(theirs.protect_rtp(RTP), HERE, 1.0)
    peer.receive_datagram(theirs.protect_rtcp(RECEIVER_REPORT), HERE, 1.0)
    assert events_of(peer) == [RtpReceived(RTP), RtcpReceived(RECEIVER_REPORT)]
    assert theirs.unprotect_rtp(peer.srtp.protect_rtp(RTP)) == RTP
    assert peer.counters == {"checks": 1}


def test_a_check_is_answered_where_it_came_from(peer: Peer, client: Client) -> None:
    peer.receive_datagram(client.nominate(), HERE, 0.0)
    peer.receive_datagram(client.check(), ELSEWHERE, 0.0)
    first, second = peer.take_datagrams()
    assert (first[1], second[1]) == (HERE, ELSEWHERE)
    answer_of(second[0], peer.local.pwd)
    assert peer.take_datagrams() == []


@pytest.mark.parametrize("order", ["known before", "known after"])
@pytest.mark.parametrize(
    ("name", "is_right"),
    [
        ("right", True),
        ("lower case", True),
        ("right among others", True),
        ("wrong", False),
        ("weak", False),
        ("none", False),
    ],
)
def test_the_certificate_has_to_be_the_announced_one(
    peer: Peer, order: str, name: str, is_right: bool
) -> None:
    client = Client(peer.local)
    right = client.fingerprint
    wrong = Fingerprint("sha-256", right.value[3:] + right.value[:3])
    fingerprints = {
        "right": [right],
        "lower case": [Fingerprint("SHA-256", right.value.lower())],
        "right among others": [Fingerprint("md2", "00"), wrong, right],
        "wrong": [wrong],
        "weak": [Fingerprint("sha-1", right.value)],
        "none": [],
    }[name]
    if order == "known before":
        peer.set_remote(client.ice, fingerprints)
    handshake(peer, client)
    if order == "known after":
        assert events_of(peer) == []
        assert peer.srtp is None
        peer.set_remote(client.ice, fingerprints)
    assert events_of(peer) == [Connected() if is_right else Ended(module.WRONG_CERTIFICATE)]
    assert (peer.srtp is not None) is is_right
    for datagram, _ in peer.take_datagrams():
        client.receive(datagram)
    assert client.is_closed is not is_right
    assert (peer.get_timer() is not None) is is_right


def test_a_client_without_srtp_ends(peer: Peer) -> None:
    client = Client(peer.local, b"")
    peer.set_remote(client.ice, [client.fingerprint])
    handshake(peer, client)
    assert events_of(peer) == [Ended("DTLS: no SRTP profile in common")]


def test_who_never_connects_is_let_go_after_10_s(peer: Peer, client: Client) -> None:
    assert peer.get_timer() == CONNECT_TIMEOUT_S == 10.0
    peer.receive_datagram(client.nominate(), HERE, 9.0)
    peer.handle_timer(9.9)
    assert events_of(peer) == []
    peer.handle_timer(10.0)
    assert events_of(peer) == [Ended("never connected")]
    assert peer.get_timer() is None
    peer.handle_timer(11.0)
    peer.take_datagrams()
    peer.receive_datagram(client.nominate(), HERE, 11.0)
    assert events_of(peer) == []
    assert peer.take_datagrams() == []


def test_a_handshake_that_stops_half_way_is_repeated_until_it_is_let_go(peer: Peer, client: Client) -> None:
    peer.receive_datagram(client.nominate(), HERE, 0.0)
    for datagram in client.start():
        peer.receive_datagram(datagram, HERE, 0.0)
    assert len(peer.take_datagrams()) == 2
    times = []
    while (due := peer.get_timer()) is not None:
        peer.handle_timer(due)
        times.append(due)
        assert all(route == HERE for _, route in peer.take_datagrams())
    assert times == [0.25, 0.75, 1.75, 3.75, 5.75, 7.75, 9.75, 10.0]
    assert events_of(peer) == [Ended("never connected")]


def test_time_to_connect_can_be_longer() -> None:
    peer = Peer(server_certificate(), new_credentials(), 100.0, connect_timeout_s=40.0)
    assert peer.get_timer() == 140.0


def test_consent_expires_30_s_after_the_last_check() -> None:
    peer, client = connect()
    theirs = client.make_srtp()
    assert peer.get_timer() == CONSENT_TIMEOUT_S == 30.0
    peer.receive_datagram(client.check(), HERE, 20.0)
    peer.take_datagrams()
    peer.receive_datagram(client.check(password="x" * 24), HERE, 40.0)
    peer.receive_datagram(theirs.protect_rtcp(RECEIVER_REPORT), HERE, 49.0)
    events_of(peer)
    peer.handle_timer(49.9)
    assert events_of(peer) == []
    peer.handle_timer(50.0)
    assert events_of(peer) == [Ended("consent expired")]
    assert peer.take_datagrams() == [], "nothing goes to who does not want it"


def test_the_session_follows_the_peer() -> None:
    peer, client = connect()
    assert peer.route == HERE
    peer.receive_datagram(client.nominate(), ELSEWHERE, 3.0)
    assert peer.route == ELSEWHERE
    peer.receive_datagram(client.nominate(), ELSEWHERE, 3.0)
    peer.receive_datagram(client.make_srtp().protect_rtp(RTP), ELSEWHERE, 3.1)
    assert events_of(peer) == [Moved(ELSEWHERE), RtpReceived(RTP)]


def test_nothing_but_checks_is_taken_from_elsewhere() -> None:
    peer, client = connect()
    for datagram in (client.make_srtp().protect_rtp(RTP), client.close()[0]):
        peer.receive_datagram(datagram, ELSEWHERE, 1.0)
    assert events_of(peer) == []
    assert peer.counters["from_elsewhere"] == 2
    assert peer.route == HERE


def test_media_before_the_handshake_is_dropped(peer: Peer, client: Client) -> None:
    peer.receive_datagram(client.nominate(), HERE, 0.0)
    peer.receive_datagram(RTP, HERE, 0.0)
    assert peer.counters["srtp_too_early"] == 1


def test_the_peer_says_goodbye() -> None:
    peer, client = connect()
    for datagram in client.close():
        peer.receive_datagram(datagram, HERE, 1.0)
    assert events_of(peer) == [Ended("closed by the peer")]


def test_we_say_goodbye() -> None:
    peer, client = connect()
    peer.receive_datagram(client.make_srtp().protect_rtp(RTP), HERE, 1.0)
    peer.close()
    peer.close()
    for datagram, _ in peer.take_datagrams():
        client.receive(datagram)
    assert client.is_closed
    assert events_of(peer) == []
    assert peer.get_timer() is None


def test_who_was_never_heard_of_is_closed_silently(peer: Peer) -> None:
    peer.close()
    assert peer.take_datagrams() == []


def test_a_handshake_that_fails_ends_with_openssls_reason(peer: Peer, client: Client) -> None:
    peer.receive_datagram(client.nominate(), HERE, 0.0)
    peer.take_datagrams()
    hello = client.start()[0]
    peer.receive_datagram(hello[:60] + b"\xff" * (len(hello) - 60), HERE, 0.0)
    (event,) = events_of(peer)
    assert isinstance(event, Ended)
    assert event.reason.startswith("DTLS: ")
    assert peer.take_datagrams(), "an alert"


def test_ice_restarts_without_a_break() -> None:
    peer, client = connect()
    peer_now, old = new_credentials(), peer.local
    peer.restart_ice(new_credentials(), peer_now)
    assert peer.ufrags == (peer.local.ufrag, old.ufrag)
    peer.receive_datagram(client.check(), HERE, 1.0)
    client.server, client.ice = peer.local, peer_now
    peer.receive_datagram(client.nominate(), ELSEWHERE, 2.0)
    assert peer.route == ELSEWHERE
    peer.receive_datagram(client.make_srtp().protect_rtp(RTP), ELSEWHERE, 2.1)
    assert events_of(peer) == [Moved(ELSEWHERE), RtpReceived(RTP)]


def test_a_failure_of_one_peer_is_none_of_another(client: Client, peer: Peer) -> None:
    connected, _ = connect()
    peer.receive_datagram(client.nominate(), HERE, 0.0)
    hello = client.start()[0]
    peer.receive_datagram(hello[:60] + b"\xff" * (len(hello) - 60), HERE, 0.0)
    for datagram in (hello, b"\x17\xfe\xfd" + bytes([0, 1, *bytes(6), 0, 40]) + bytes(40)):
        connected.receive_datagram(datagram, HERE, 0.0)
    assert events_of(connected) == []
    assert len(events_of(peer)) == 1


@pytest.mark.parametrize("moment", ["before", "after"])
def test_garbage_around_the_handshake_changes_nothing(peer: Peer, client: Client, moment: str) -> None:
    peer.receive_datagram(client.nominate(), HERE, 0.0)
    if moment == "before":
        for datagram in GARBAGE:
            peer.receive_datagram(datagram, HERE, 0.0)
    handshake(peer, client)
    if moment == "after":
        for datagram in GARBAGE:
            peer.receive_datagram(datagram, HERE, 0.0)
    assert events_of(peer) == [Connected()]
    refused = sum(value for name, value in peer.counters.items() if name != "checks")
    assert refused == len(GARBAGE)


CONNECTED, CONNECTED_CLIENT = connect()


@given(st.binary(max_size=300), st.sampled_from([HERE, ELSEWHERE]))
def test_any_bytes_leave_a_connected_peer_alone(data: bytes, route: Route) -> None:
    CONNECTED.receive_datagram(data, route, 1.0)
    assert events_of(CONNECTED) == []
    assert CONNECTED.take_datagrams() == []
    assert CONNECTED.route == HERE


@given(st.integers(0, 400), st.integers(1, 255))
def test_a_check_with_a_wrong_byte_is_never_taken(place: int, change: int) -> None:
    data = bytearray(CONNECTED_CLIENT.nominate())
    signed_bytes = len(data) - 8  # the checksum behind has a length that aioice does not look at
    data[place % signed_bytes] ^= change
    CONNECTED.receive_datagram(bytes(data), ELSEWHERE, 1.0)
    assert CONNECTED.route == HERE
