from __future__ import annotations

import errno
import socket
from collections.abc import AsyncIterator

import pytest

from tests.webrtc.transport.client import RECEIVER_REPORT, RTP, answer_of, server_certificate
from tests.webrtc.transport.socket_client import Events, SocketClient
from webrtc.transport.event import Connected, Ended, Event, Moved, RtcpReceived, RtpReceived
from webrtc.transport.ice import new_credentials
from webrtc.transport.peer import Peer
from webrtc.transport.udp import ADDRESS_HELD_S, MAX_DATAGRAMS_PER_TURN, UdpPort


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Scene:
    """A port, and clients of it."""

    def __init__(self, port: UdpPort, host: str, clock: Clock) -> None:
        self.port = port
        self.host = host
        self.clock = clock
        self.clients: list[SocketClient] = []

    def add(self, host: str = "") -> tuple[SocketClient, Peer, Events]:
        peer, events = Peer(server_certificate(), new_credentials(), self.clock.now), Events()
        client = SocketClient(peer.local, (host or self.host, self.port.port))
        peer.set_remote(client.ice, [client.fingerprint])
        self.port.add(peer, events)
        self.clients.append(client)
        return client, peer, events

    def close(self) -> None:
        for client in self.clients:
            client.close_sockets()
        self.port.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def scene(clock: Clock) -> AsyncIterator[Scene]:
    scene = Scene(await UdpPort.open("127.0.0.1", 0, clock), "127.0.0.1", clock)
    yield scene
    scene.close()


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),  # noqa: S104
        ("0.0.0.0", "127.0.0.2"),  # noqa: S104
        ("::1", "::1"),
        ("::", "::1"),
        ("::", "127.0.0.1"),
        ("::", "127.0.0.2"),
    ],
)
async def test_an_answer_leaves_from_the_address_that_was_asked(
    host: str, reached: str, clock: Clock
) -> None:
    port = await UdpPort.open(host, 0, clock)
    if port.socket.getsockname()[0] == "::1":
        reached = "::1"  # that is what `localhost` is here
    scene = Scene(port, reached, clock)
    try:
        client, peer, events = scene.add()
        answer = answer_of(await client.ask(client.nominate()), peer.local.pwd)
        assert answer.attributes["XOR-MAPPED-ADDRESS"] == client.name
        await client.connect()
        assert await events.wait_for(1) == [Connected()]
        assert peer.route is not None
        assert bool(peer.route.ancillary) is (host in ("0.0.0.0", "::"))  # noqa: S104
        # What the fan-out does: everything that it needs is in the route.
        assert peer.srtp is not None
        packet = peer.srtp.protect_rtp(RTP)
        port.socket.sendmsg((packet,), peer.route.ancillary, 0, peer.route.address)
        assert client.make_srtp().unprotect_rtp(await client.read()) == RTP
    finally:
        scene.close()


async def test_a_wildcard_port_sends_runs_of_packets_from_the_right_address(clock: Clock) -> None:
    scene = Scene(await UdpPort.open("::", 0, clock), "127.0.0.2", clock)
    try:
        client, peer, _ = scene.add()
        await client.ask(client.nominate())
        assert peer.route is not None
        segments = (socket.IPPROTO_UDP, 103, (1200).to_bytes(2, "little"))
        scene.port.socket.sendmsg((bytes(2500),), (*peer.route.ancillary, segments), 0, peer.route.address)
        assert [len(await client.read()) for _ in range(3)] == [1200, 1200, 100]
    finally:
        scene.close()


async def test_two_peers_share_a_port(scene: Scene) -> None:
    one, one_peer, one_events = scene.add()
    two, two_peer, two_events = scene.add()
    await one.connect()
    await two.connect()
    await one_events.wait_for(1)
    await two_events.wait_for(1)
    await one.send(one.make_srtp().protect_rtp(RTP))
    await two.send(two.make_srtp().protect_rtcp(RECEIVER_REPORT))
    assert await one_events.wait_for(2) == [Connected(), RtpReceived(RTP)]
    assert await two_events.wait_for(2) == [Connected(), RtcpReceived(RECEIVER_REPORT)]
    assert one_peer.route != two_peer.route


async def test_the_session_moves_with_the_client(scene: Scene) -> None:
    client, peer, events = scene.add()
    await client.connect()
    old = client.name
    client.move()
    theirs = client.make_srtp()
    await client.send(theirs.protect_rtp(RTP))
    await client.ask(client.nominate())
    assert peer.route is not None
    assert peer.route.address == client.name != old
    await client.send(theirs.protect_rtcp(RECEIVER_REPORT))
    assert await events.wait_for(3) == [Connected(), Moved(peer.route), RtcpReceived(RECEIVER_REPORT)]
    assert scene.port.counters["datagrams_of_strangers"] == 1


async def test_what_is_nobodys_is_dropped_and_counted(scene: Scene) -> None:
    client, _, events = scene.add()
    await client.connect()
    stranger, _, _ = scene.add()
    datagrams = [
        stranger.check(username=f"other:{stranger.ice.ufrag}"),
        bytes(20),
        b"\x16\xfe\xfd" + bytes(40),
        RTP,
        bytes(100),
    ]
    for datagram in datagrams:
        await stranger.send(datagram)
    await stranger.send(bytes(3000))
    await stranger.send(client.check(password="x" * 24))
    await client.ask(client.check())
    assert events.all == [Connected()]
    counters = scene.port.counters
    assert counters["datagrams_of_strangers"] == len(datagrams)
    assert counters["datagrams_of_bad_size"] == 1
    assert counters["checks_with_wrong_password"] == 1


async def test_an_address_is_not_taken_from_who_uses_it(scene: Scene, clock: Clock) -> None:
    owner, owner_peer, owner_events = scene.add()
    await owner.connect()
    thief, thief_peer, _ = scene.add()
    await owner.send(thief.nominate())
    await owner.ask(owner.check())
    assert thief_peer.route is None
    assert scene.port.counters["addresses_claimed_by_two"] == 1
    await owner.send(owner.make_srtp().protect_rtp(RTP))
    assert await owner_events.wait_for(2) == [Connected(), RtpReceived(RTP)]
    clock.now += ADDRESS_HELD_S
    answer_of(await owner.ask(thief.nominate()), thief_peer.local.pwd)
    assert thief_peer.route == owner_peer.route


async def test_an_address_can_be_used_again_by_the_next_peer(scene: Scene) -> None:
    first, first_peer, _ = scene.add()
    await first.connect()
    scene.port.remove(first_peer)
    second, _, second_events = scene.add()
    second.sockets[-1].close()
    second.sockets = first.sockets
    await second.connect()
    assert await second_events.wait_for(1) == [Connected()]


async def test_a_removed_peer_is_forgotten_but_its_goodbye_goes_out(scene: Scene) -> None:
    client, peer, events = scene.add()
    await client.connect()
    peer.close()
    scene.port.remove(peer)
    scene.port.remove(peer)
    scene.port.flush(peer)
    client.receive(await client.read())
    assert client.is_closed
    other, _, _ = scene.add()
    await client.send(client.check())
    await client.send(client.make_srtp().protect_rtp(RTP))
    await other.ask(other.check())
    assert events.all == [Connected()]
    assert scene.port.counters["datagrams_of_strangers"] == 2
    assert scene.port.counters["checks"] == 2, "what it has counted stays counted"


async def test_a_peer_may_be_removed_by_its_own_event(scene: Scene) -> None:
    client, peer, _ = scene.add()
    scene.port.remove(peer)

    def leave(event: object) -> None:
        scene.port.remove(peer)

    scene.port.add(peer, leave)
    await client.connect()
    other, _, _ = scene.add()
    await client.send(client.check())
    await other.ask(other.check())
    assert scene.port.counters["datagrams_of_strangers"] == 1


async def test_after_an_ice_restart_checks_come_under_the_new_name(scene: Scene) -> None:
    client, peer, _ = scene.add()
    await client.connect()
    old, peer_now = peer.local, new_credentials()
    peer.restart_ice(new_credentials(), peer_now)
    scene.port.flush(peer)
    answer_of(await client.ask(client.check()), old.pwd)
    client.server, client.ice = peer.local, peer_now
    client.move()
    answer_of(await client.ask(client.nominate()), peer.local.pwd)
    assert set(scene.port._by_ufrag) == set(peer.ufrags)
    scene.port.remove(peer)
    assert not scene.port._by_ufrag
    assert not scene.port._by_route


async def test_timers_run_for_those_that_are_due(scene: Scene, clock: Clock) -> None:
    assert scene.port.get_timer() is None
    _, idle, idle_events = scene.add()
    clock.now = 4.0
    client, peer, events = scene.add()
    await client.ask(client.nominate())
    await client.send(client.start()[0])
    lost = await client.read()
    assert scene.port.get_timer() == 4.25
    scene.port.run_timers(4.25)
    assert len(await client.read()) == len(lost)
    scene.port.run_timers(10.0)
    assert idle_events.all == [Ended("never connected")]
    assert events.all == []
    scene.port.run_timers(14.0)
    assert events.all == [Ended("never connected")]
    assert scene.port.get_timer() is None
    scene.port.remove(idle)
    scene.port.remove(peer)


async def test_consent_expires_through_the_port(scene: Scene, clock: Clock) -> None:
    client, _, events = scene.add()
    await client.connect()
    await events.wait_for(1)
    clock.now = 20.0
    await client.ask(client.check())
    scene.port.run_timers(30.0)
    assert events.all == [Connected()]
    assert scene.port.get_timer() == 50.0
    scene.port.run_timers(50.0)
    assert events.all == [Connected(), Ended("consent expired")]


async def test_those_that_are_gone_do_not_pile_up(scene: Scene) -> None:
    for _ in range(500):
        peer = Peer(server_certificate(), new_credentials(), 0.0)
        scene.port.add(peer, print)
        scene.port.remove(peer)
    assert len(scene.port._timers) <= 65
    assert not scene.port._by_ufrag


async def test_a_flood_is_read_a_part_at_a_time(scene: Scene) -> None:
    client, _, _ = scene.add()
    for _ in range(3 * MAX_DATAGRAMS_PER_TURN):
        client.sockets[-1].send(b"\x80" * 40)
    scene.port._read()
    assert scene.port.counters["datagrams_of_strangers"] == MAX_DATAGRAMS_PER_TURN
    await client.ask(client.check())
    assert scene.port.counters["datagrams_of_strangers"] == 3 * MAX_DATAGRAMS_PER_TURN


async def test_what_cannot_be_sent_is_counted(scene: Scene) -> None:
    client, peer, _ = scene.add()
    await client.ask(client.check())
    assert peer.route is not None
    peer._output.append((bytes(70000), peer.route))
    scene.port.flush(peer)
    assert scene.port.counters["send_errors"] == 1


@pytest.mark.parametrize(
    ("host", "number"), [("127.0.0.1", errno.EADDRINUSE), ("192.0.2.99", errno.EADDRNOTAVAIL)]
)
async def test_what_cannot_be_bound_is_said_plainly(scene: Scene, host: str, number: int) -> None:
    with pytest.raises(OSError) as problem:  # noqa: PT011
        await UdpPort.open(host, scene.port.port)
    assert problem.value.errno == number


async def test_a_port_may_be_closed_by_an_event_of_its_own(scene: Scene) -> None:
    client, peer, events = scene.add()
    scene.port.remove(peer)

    def close(event: Event) -> None:
        events(event)
        scene.port.close()

    scene.port.add(peer, close)
    await client.connect()
    assert await events.wait_for(1) == [Connected()]
    scene.port.close()


async def test_the_socket_has_room(scene: Scene) -> None:
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        assert scene.port.socket.getsockopt(socket.SOL_SOCKET, option) >= 212992
