"""The peer's side, sans-IO: the checks of a full ICE agent, a DTLS client, SRTP."""

from __future__ import annotations

import contextlib
import functools

from aioice import stun
from cryptography.hazmat.primitives import hashes
from OpenSSL import SSL

from webrtc.sdp.description import Fingerprint, IceCredentials
from webrtc.transport import record
from webrtc.transport.certificate import Certificate, generate_pair
from webrtc.transport.event import Event
from webrtc.transport.ice import new_credentials
from webrtc.transport.peer import Peer
from webrtc.transport.route import Route
from webrtc.transport.srtp import PROFILES, Srtp

ALL_PROFILES = b":".join(profile.name for profile in PROFILES)
RTP = bytes.fromhex("8060000100000001deadbeef") + b"payload"
RECEIVER_REPORT = bytes.fromhex("80c90001deadbeef")
HERE = Route(("192.0.2.1", 5000))
ELSEWHERE = Route(("192.0.2.66", 6666))


@functools.cache
def server_certificate() -> Certificate:
    return Certificate.generate()


@functools.cache
def client_context(profiles: bytes = ALL_PROFILES) -> tuple[SSL.Context, Fingerprint]:
    """Make what clients share: making it takes longer than a handshake."""
    key, certificate = generate_pair()
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
    context.use_certificate(certificate)
    context.use_privatekey(key)
    context.set_options(SSL.OP_NO_QUERY_MTU)
    if profiles:
        context.set_tlsext_use_srtp(profiles)
    return context, Fingerprint("sha-256", certificate.fingerprint(hashes.SHA256()).hex(":").upper())


class DtlsClient:
    """Starts a handshake; what it sends has the sizes of datagrams."""

    def __init__(self, profiles: bytes = ALL_PROFILES, mtu: int = 1200) -> None:
        context, self.fingerprint = client_context(profiles)
        self.connection = SSL.Connection(context)
        self.connection.set_connect_state()
        self.connection.set_ciphertext_mtu(mtu)
        self.is_done = False
        self.is_closed = False

    def start(self) -> list[bytes]:
        self._advance()
        return self._take()

    def receive(self, datagram: bytes) -> list[bytes]:
        self.connection.bio_write(datagram)
        self._advance()
        return self._take()

    def close(self) -> list[bytes]:
        self.connection.shutdown()
        return self._take()

    def make_srtp(self) -> Srtp:
        name = self.connection.get_selected_srtp_profile()
        profile = next(item for item in PROFILES if item.name == name)
        material = self.connection.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * profile.master_bytes)
        client, server = profile.split(material)
        return Srtp(profile, tx_key=client, rx_key=server)

    def _advance(self) -> None:
        try:
            if not self.is_done:
                self.connection.do_handshake()
                self.is_done = True
            while True:
                self.connection.recv(2048)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.is_closed = True

    def _take(self) -> list[bytes]:
        with contextlib.suppress(SSL.WantReadError):
            return record.pack_datagrams(record.split_records(self.connection.bio_read(1 << 16)))
        return []


class Client(DtlsClient):
    """The other end of a `Peer`.

    Args:
        server: what the server has said of itself.
        profiles: of SRTP, as OpenSSL names them.
    """

    def __init__(self, server: IceCredentials, profiles: bytes = ALL_PROFILES) -> None:
        super().__init__(profiles)
        self.server = server
        self.ice = new_credentials()

    def check(
        self, *, password: str | None = None, username: str | None = None, **attributes: object
    ) -> bytes:
        """Write a Binding request. Attributes by their names with `_` for `-`; those that are None are left out."""
        request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        request.attributes = {
            "USERNAME": username or f"{self.server.ufrag}:{self.ice.ufrag}",
            "ICE-CONTROLLING": 1,
            "PRIORITY": 1,
        }
        for name, value in attributes.items():
            request.attributes[name.replace("_", "-")] = value
        request.add_message_integrity((password or self.server.pwd).encode())
        return bytes(request)

    def nominate(self) -> bytes:
        return self.check(USE_CANDIDATE=None)

    def conflict(self) -> bytes:
        request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        request.attributes = {"USERNAME": f"{self.server.ufrag}:{self.ice.ufrag}", "ICE-CONTROLLED": 1}
        request.add_message_integrity(self.server.pwd.encode())
        return bytes(request)


def answer_of(data: bytes, password: str) -> stun.Message:
    """Parse an answer, which has to be signed."""
    message = stun.parse_message(data)
    assert message.check_message_integrity(password.encode())
    assert "FINGERPRINT" in message.attributes
    return message


def events_of(peer: Peer) -> list[Event]:
    return list(iter(peer.next_event, None))


def handshake(peer: Peer, client: Client, route: Route = HERE, now: float = 0.0) -> None:
    """Do all up to the end of DTLS, without losing anything."""
    peer.receive_datagram(client.nominate(), route, now)
    peer.take_datagrams()
    to_server = client.start()
    while to_server:
        for datagram in to_server:
            peer.receive_datagram(datagram, route, now)
        to_server = [item for data, _ in peer.take_datagrams() for item in client.receive(data)]


def connect(now: float = 0.0) -> tuple[Peer, Client]:
    """Make a peer that is connected, with its client."""
    peer = Peer(server_certificate(), new_credentials(), now)
    client = Client(peer.local)
    peer.set_remote(client.ice, [client.fingerprint])
    handshake(peer, client, now=now)
    events_of(peer)
    return peer, client
