"""aiortc's own client against our port: its ICE, its DTLS, its SRTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiortc import RTCCertificate, RTCDtlsTransport, RTCIceGatherer, RTCIceTransport
from aiortc.rtcdtlstransport import RTCDtlsFingerprint, RTCDtlsParameters
from aiortc.rtcicetransport import RTCIceCandidate, RTCIceParameters
from aiortc.rtp import RtcpByePacket, RtpPacket

from tests.webrtc.transport.client import RTP, server_certificate
from tests.webrtc.transport.socket_client import Events
from webrtc.sdp.description import Fingerprint, IceCredentials
from webrtc.transport.address import local_addresses
from webrtc.transport.event import Connected, Ended, RtcpReceived, RtpReceived
from webrtc.transport.ice import new_credentials
from webrtc.transport.peer import Peer
from webrtc.transport.udp import UdpPort

ALL_IPV4 = "0.0.0.0"  # noqa: S104
CHANGE_OF_CIPHER = 20
HANDSHAKE = 22


class AiortcClient:
    """Both transports of an `RTCPeerConnection`, without its SDP."""

    def __init__(self) -> None:
        self.gatherer = RTCIceGatherer(iceServers=[])
        self.ice = RTCIceTransport(self.gatherer)
        self.dtls = RTCDtlsTransport(self.ice, [RTCCertificate.generateCertificate()])
        self.received: list[bytes] = []
        self._receive = self.ice._recv
        self.losses: list[int] = []
        """First bytes of datagrams that get lost on their way here, once each."""

    async def connect(self, peer: Peer, port: UdpPort, fingerprint: Fingerprint) -> None:
        await self.gatherer.gather()
        ours = self.gatherer.getLocalParameters()
        assert ours.usernameFragment is not None
        assert ours.password is not None
        print_of_ours = self.dtls.getLocalParameters().fingerprints[0]
        peer.set_remote(
            IceCredentials(ours.usernameFragment, ours.password),
            [Fingerprint(print_of_ours.algorithm, print_of_ours.value)],
        )
        self.ice._connection.ice_controlling = True
        self.ice._recv = self._receive_lossily
        for place, address in enumerate(local_addresses(port.socket.getsockname()[0])):
            await self.ice.addRemoteCandidate(
                RTCIceCandidate(1, f"{place}", address, port.port, 2130706431 - place, "udp", "host")
            )
        await self.ice.addRemoteCandidate(None)
        await self.ice.start(RTCIceParameters(peer.local.ufrag, peer.local.pwd, iceLite=True))
        self.dtls._set_role("client")
        await self.dtls.start(
            RTCDtlsParameters([RTCDtlsFingerprint(fingerprint.algorithm, fingerprint.value)])
        )

    async def _receive_lossily(self) -> bytes:
        while True:
            data = await self._receive()
            if data[0] not in self.losses:
                return data
            self.losses.remove(data[0])

    async def close(self) -> None:
        await self.dtls.stop()
        await self.ice.stop()


@pytest.fixture
async def port() -> AsyncIterator[UdpPort]:
    port = await UdpPort.open(ALL_IPV4, 0)
    yield port
    port.close()


@pytest.fixture
async def client() -> AsyncIterator[AiortcClient]:
    client = AiortcClient()
    yield client
    await client.close()


def add_peer(port: UdpPort) -> tuple[Peer, Events]:
    peer, events = Peer(server_certificate(), new_credentials(), asyncio.get_running_loop().time()), Events()
    port.add(peer, events)
    return peer, events


async def test_media_goes_both_ways(port: UdpPort, client: AiortcClient) -> None:
    peer, events = add_peer(port)
    await client.connect(peer, port, server_certificate().fingerprint)
    assert client.ice.state == "completed"
    assert client.dtls.state == "connected"
    assert await events.wait_for(1) == [Connected()]
    await client.dtls._send_rtp(RTP)
    bye = bytes(RtcpByePacket([1]))
    await client.dtls._send_rtp(bye)
    assert await events.wait_for(3) == [Connected(), RtpReceived(RTP), RtcpReceived(bye)]

    class Receiver:
        packet: asyncio.Future[RtpPacket] = asyncio.get_running_loop().create_future()

        async def _handle_rtp_packet(self, packet: RtpPacket, arrival_time_ms: int) -> None:
            self.packet.set_result(packet)

        def _handle_disconnect(self) -> None:
            pass

        async def _handle_rtcp_packet(self, packet: object) -> None:
            pass

    receiver = Receiver()
    client.dtls._rtp_router.register_receiver(receiver, ssrcs=[0xDEADBEEF], payload_types=[96])
    assert peer.srtp is not None
    assert peer.route is not None
    assert peer.srtp.overhead == 16
    port.socket.sendmsg((peer.srtp.protect_rtp(RTP),), peer.route.ancillary, 0, peer.route.address)
    assert (await receiver.packet).payload == b"payload"
    await client.dtls.stop()
    assert (await events.wait_for(4))[3] == Ended("closed by the peer")


async def test_our_goodbye_is_understood(port: UdpPort, client: AiortcClient) -> None:
    peer, _ = add_peer(port)
    await client.connect(peer, port, server_certificate().fingerprint)
    closed = asyncio.Event()
    client.dtls.on("statechange", closed.set)
    peer.close()
    port.remove(peer)
    await closed.wait()
    assert client.dtls.state == "closed"


@pytest.mark.parametrize(
    ("name", "losses"), [("our first flight", [HANDSHAKE]), ("our last flight", [CHANGE_OF_CIPHER])]
)
async def test_a_lost_flight_comes_again(
    port: UdpPort, client: AiortcClient, name: str, losses: list[int]
) -> None:
    peer, events = add_peer(port)
    client.losses = list(losses)
    connecting = asyncio.create_task(client.connect(peer, port, server_certificate().fingerprint))
    while not connecting.done():
        await asyncio.wait({connecting}, timeout=0.01)
        port.run_timers(asyncio.get_running_loop().time())
    await connecting
    assert client.losses == []
    assert client.dtls.state == "connected"
    assert await events.wait_for(1) == [Connected()]


async def test_many_at_once(port: UdpPort) -> None:
    clients = [AiortcClient() for _ in range(5)]
    peers = [add_peer(port) for _ in clients]
    try:
        async with asyncio.TaskGroup() as group:
            for client, (peer, _) in zip(clients, peers, strict=True):
                group.create_task(client.connect(peer, port, server_certificate().fingerprint))
        for number, client in enumerate(clients):
            await client.dtls._send_rtp(RTP + bytes([number]))
        for number, (_, events) in enumerate(peers):
            assert await events.wait_for(2) == [Connected(), RtpReceived(RTP + bytes([number]))]
    finally:
        for client in clients:
            await client.close()


async def test_a_client_that_expects_another_server_does_not_connect(
    port: UdpPort, client: AiortcClient
) -> None:
    peer, _ = add_peer(port)
    await client.connect(peer, port, Fingerprint("sha-256", ":".join(["00"] * 32)))
    assert client.dtls.state == "failed"
