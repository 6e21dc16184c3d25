"""RTMPS: the tunnel by itself, then real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from media.error import ConfigError, PeerError
from rtmp.limit import RtmpLimits
from rtmp.server import RtmpServer, TlsPort
from rtmp.tls import TlsTunnel
from tests.certificate import CertificateFiles, make_certificate, server_context
from tests.rtmp.encoder import Connect
from tests.rtmp.gate import RecordingGate


@pytest.fixture(scope="module")
def module_files(tmp_path_factory: pytest.TempPathFactory) -> CertificateFiles:
    return make_certificate(tmp_path_factory.mktemp("tls"))


class Client:
    """The other end of a tunnel, in memory."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    def shake(self) -> bytes:
        """Go on with the handshake; return what has to go to the server."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        return self.outgoing.read()

    def receive(self, data: bytes) -> None:
        self.incoming.write(data)

    def write(self, data: bytes) -> bytes:
        self.tls.write(data)
        return self.outgoing.read()


def opened(files: CertificateFiles) -> tuple[Client, TlsTunnel]:
    client, tunnel = Client(files.client_context()), TlsTunnel(server_context(files))
    while not tunnel.is_open:
        assert tunnel.receive_data(client.shake()) == b""
        client.receive(tunnel.data_to_send())
    return client, tunnel


class TestTunnel:
    def test_bytes_pass_both_ways(self, module_files: CertificateFiles) -> None:
        client, tunnel = opened(module_files)
        data = bytes(range(256)) * 200
        assert tunnel.receive_data(client.write(data)) == data
        tunnel.send(b"answer")
        client.receive(tunnel.data_to_send())
        assert client.tls.read(100) == b"answer"

    def test_byte_by_byte(self, module_files: CertificateFiles) -> None:
        client, tunnel = Client(module_files.client_context()), TlsTunnel(server_context(module_files))
        while not tunnel.is_open:
            for byte in client.shake():
                assert tunnel.receive_data(bytes([byte])) == b""
            client.receive(tunnel.data_to_send())
        wire = client.write(b"hello")
        assert b"".join(tunnel.receive_data(bytes([byte])) for byte in wire) == b"hello"

    def test_goodbye(self, module_files: CertificateFiles) -> None:
        client, tunnel = opened(module_files)
        with contextlib.suppress(ssl.SSLWantReadError):
            client.tls.unwrap()
        assert tunnel.receive_data(client.outgoing.read()) == b""
        assert tunnel.is_ended

    def test_goodbye_of_ours(self, module_files: CertificateFiles) -> None:
        client, tunnel = opened(module_files)
        tunnel.send(b"why")
        tunnel.end()
        client.receive(tunnel.data_to_send())
        assert client.tls.read(100) == b"why"
        assert client.tls.read(100) == b""

    @pytest.mark.parametrize(
        ("data", "words"),
        [
            (b"\x03" + bytes(1536), "plain RTMP on the RTMPS port: use rtmps://"),
            (b"GET / HTTP/1.1\r\n\r\n", "HTTP request on the RTMPS port"),
            (b"\xde\xad\xbe\xef", "not a TLS handshake: it starts with byte 0xde"),
            (b"\x16\xff\xff\xff\xff" + bytes(100), "TLS failed: "),
        ],
        ids=["RTMP", "HTTP", "garbage", "broken"],
    )
    def test_other_protocols_are_named(self, module_files: CertificateFiles, data: bytes, words: str) -> None:
        with pytest.raises(PeerError, match=words):
            TlsTunnel(server_context(module_files)).receive_data(data)

    def test_old_versions_are_refused(self, module_files: CertificateFiles) -> None:
        context = server_context(module_files)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        old = module_files.client_context()
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(PeerError, match="TLS failed: unsupported protocol"):
            TlsTunnel(context).receive_data(Client(old).shake())

    def test_client_that_does_not_trust_the_certificate(self, module_files: CertificateFiles) -> None:
        client = Client(ssl.create_default_context())
        tunnel = TlsTunnel(server_context(module_files))
        tunnel.receive_data(client.shake())
        client.receive(tunnel.data_to_send())
        with pytest.raises(ssl.SSLCertVerificationError):
            client.tls.do_handshake()
        with pytest.raises(PeerError, match="does not trust this server's certificate"):
            tunnel.receive_data(client.outgoing.read())

    @settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.binary(max_size=200), st.booleans())
    def test_only_peer_errors_leave_it(
        self, module_files: CertificateFiles, data: bytes, is_open: bool
    ) -> None:
        tunnel = opened(module_files)[1] if is_open else TlsTunnel(server_context(module_files))
        with contextlib.suppress(PeerError):
            tunnel.receive_data(data if is_open else b"\x16\x03\x01" + data)
            tunnel.send(b"answer") if is_open else None
        tunnel.end()


class Secure:
    """An RTMPS server whose certificate can be exchanged."""

    def __init__(self, gate: RecordingGate, files: CertificateFiles, limits: RtmpLimits) -> None:
        self.files = files
        self.context = server_context(files)
        self.server = RtmpServer(gate, "127.0.0.1", 0, limits, tls=TlsPort(0, lambda: self.context))


@pytest.fixture
async def secure(gate: RecordingGate, tmp_path: Path) -> AsyncIterator[Secure]:
    limits = RtmpLimits(linger_s=0.5, max_connections_per_address=3, handshake_timeout_s=5)
    house = Secure(gate, make_certificate(tmp_path), limits)
    await house.server.start()
    yield house
    await house.server.close()


async def test_publishes_over_tls_and_without_at_once(
    connect: Connect, secure: Secure, gate: RecordingGate
) -> None:
    for context in (secure.files.client_context(), None):
        encoder = await connect(secure.server, context)
        await encoder.publish()
        publication = await gate.next_publication()
        await encoder.send_media(3)
        await encoder.send(encoder.client.command("FCUnpublish", 6, None, "key"))
        assert await publication.closed is True
        assert len(publication.video) == 3


async def test_refusal_arrives_over_tls(connect: Connect, secure: Secure) -> None:
    encoder = await connect(secure.server, secure.files.client_context())
    await encoder.publish("bad")
    assert await encoder.last_words() == ("NetStream.Publish.BadName", "this stream key is not known")


async def test_new_certificate_leaves_connections_alone(
    connect: Connect, secure: Secure, gate: RecordingGate
) -> None:
    old = await connect(secure.server, secure.files.client_context())
    await old.publish()
    publication = await gate.next_publication()
    secure.files.renew("second")
    secure.context = server_context(secure.files)
    new = await connect(secure.server, secure.files.client_context())
    await new.publish("other")
    await gate.next_publication()
    await old.send_media(2)
    await publication.until(lambda: len(publication.video) == 2)


async def test_plain_rtmp_on_the_tls_port_is_logged(connect: Connect, secure: Secure) -> None:
    assert secure.server.tls_port is not None
    with capture_logs() as logs:
        reader, writer = await asyncio.open_connection("127.0.0.1", secure.server.tls_port)
        writer.write(b"\x03" + bytes(1536))
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()
    assert [entry["reason"] for entry in logs] == [
        "plain RTMP on the RTMPS port: use rtmps:// instead of rtmp:// in the server address"
    ]


async def test_tls_handshake_that_never_ends(gate: RecordingGate, tmp_path: Path) -> None:
    house = Secure(gate, make_certificate(tmp_path), RtmpLimits(handshake_timeout_s=0.05, linger_s=0.1))
    await house.server.start()
    with capture_logs() as logs:
        reader, writer = await asyncio.open_connection("127.0.0.1", house.server.tls_port)
        writer.write(Client(house.files.client_context()).shake()[:100])
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()
        await house.server.close()
    assert [entry["reason"] for entry in logs if "reason" in entry] == ["no TLS handshake within 0.05 s"]


async def test_connections_count_before_their_handshake(connect: Connect, secure: Secure) -> None:
    assert secure.server.tls_port is not None
    writers = []
    for _ in range(3):
        _, writer = await asyncio.open_connection("127.0.0.1", secure.server.tls_port)
        writers.append(writer)
    fourth = await connect(secure.server)
    assert await fourth.read_to_end() == b""
    for writer in writers:
        writer.close()


async def test_tls_port_in_use_is_one_sentence(secure: Secure, gate: RecordingGate) -> None:
    port = secure.server.tls_port
    assert port is not None
    second = RtmpServer(gate, "127.0.0.1", 0, tls=TlsPort(port, lambda: secure.context))
    with pytest.raises(ConfigError, match=rf"RTMPS_PORT={port}: cannot listen for RTMP on 127.0.0.1: "):
        await second.start()
    await second.close()
