from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.error import PeerError
from tests.webrtc.transport.client import RTP, DtlsClient, server_certificate
from webrtc.transport import record
from webrtc.transport.dtls import FIRST_REPETITION_S, LAST_REPETITION_S, DtlsServer
from webrtc.transport.srtp import PROFILES, Profile


def make_server() -> DtlsServer:
    return DtlsServer(server_certificate())


def send(server: DtlsServer, datagrams: list[bytes], now: float = 0.0) -> list[bytes]:
    for datagram in datagrams:
        server.receive_datagram(datagram, now)
    return server.take_datagrams()


def receive(client: DtlsClient, datagrams: list[bytes]) -> list[bytes]:
    return [answer for datagram in datagrams for answer in client.receive(datagram)]


def shake_hands(server: DtlsServer, client: DtlsClient) -> None:
    to_server = client.start()
    while to_server:
        to_server = receive(client, send(server, to_server))
    assert server.is_done
    assert client.is_done


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name.decode())
def test_both_get_the_same_keys(profile: Profile) -> None:
    server, client = make_server(), DtlsClient(profile.name)
    shake_hands(server, client)
    ours, theirs = server.make_srtp(), client.make_srtp()
    assert theirs.unprotect_rtp(ours.protect_rtp(RTP)) == RTP
    assert ours.unprotect_rtp(theirs.protect_rtp(RTP)) == RTP
    assert ours.overhead == len(ours.protect_rtp(RTP)) - len(RTP)


def test_the_fastest_protection_is_chosen_whatever_the_client_likes_best() -> None:
    server = make_server()
    client = DtlsClient(b"SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_256_GCM:SRTP_AEAD_AES_128_GCM")
    shake_hands(server, client)
    assert client.connection.get_selected_srtp_profile() == b"SRTP_AEAD_AES_128_GCM"
    assert client.connection.get_protocol_version_name() == "DTLSv1.2"


def test_a_client_without_srtp_is_of_no_use() -> None:
    server = make_server()
    shake_hands(server, DtlsClient(b""))
    with pytest.raises(PeerError, match="no SRTP profile in common"):
        server.make_srtp()


def test_the_clients_certificate_is_known_by_its_hash() -> None:
    server, client = make_server(), DtlsClient()
    assert server.digest("sha-256") is None
    shake_hands(server, client)
    assert server.digest("sha-256") == client.fingerprint.value
    assert server.digest("SHA-512") is not None
    assert server.digest("md5") is None


@pytest.mark.parametrize("mtu", [300, 1200])
def test_no_datagram_is_longer_than_a_path_is_wide(mtu: int) -> None:
    server, client = make_server(), DtlsClient(mtu=mtu)
    flight = send(server, client.start())
    assert flight
    assert all(len(datagram) <= record.MAX_DATAGRAM_BYTES for datagram in flight)
    assert all(len(datagram) <= mtu for datagram in client.start())


def test_a_hello_may_come_in_pieces() -> None:
    server, client = make_server(), DtlsClient(mtu=256)
    client.connection.set_alpn_protos([b"long" * 50])
    hello = record.split_records(b"".join(client.start()))
    assert len(hello) > 1
    receive(client, send(server, receive(client, send(server, hello))))
    assert client.is_done


def test_a_flight_that_got_lost_is_repeated_with_new_numbers() -> None:
    server, client = make_server(), DtlsClient()
    lost = send(server, client.start(), now=5.0)
    assert server.get_timer() == 5.0 + FIRST_REPETITION_S
    server.handle_timer(5.0 + FIRST_REPETITION_S / 2)
    assert server.take_datagrams() == []
    server.handle_timer(5.0 + FIRST_REPETITION_S)
    again = server.take_datagrams()
    assert [len(item) for item in again] == [len(item) for item in lost]
    numbers = [part[5:11] for item in lost + again for part in record.split_records(item)]
    assert numbers == sorted(set(numbers))
    # The client sees the second copy only, and the rest goes on with numbers behind it.
    answer = send(server, receive(client, again))
    assert server.is_done
    assert server.get_timer() is None
    receive(client, answer)
    assert client.is_done


def test_a_flight_that_came_after_all_does_no_harm() -> None:
    server, client = make_server(), DtlsClient()
    first = send(server, client.start())
    server.handle_timer(FIRST_REPETITION_S)
    again = server.take_datagrams()
    to_server = receive(client, first)
    receive(client, again)
    receive(client, send(server, to_server))
    assert client.is_done
    assert server.is_done


def test_repetitions_become_rarer() -> None:
    server = make_server()
    send(server, DtlsClient().start())
    now, waits = 0.0, []
    for _ in range(6):
        due = server.get_timer()
        assert due is not None
        waits.append(due - now)
        now = due
        server.handle_timer(now)
        assert server.take_datagrams()
    assert waits == [0.25, 0.5, 1.0, 2.0, LAST_REPETITION_S, LAST_REPETITION_S]


def test_a_clients_flight_that_is_lost_in_part_is_taken_when_it_comes_again() -> None:
    server, client = make_server(), DtlsClient(mtu=300)
    flight = receive(client, send(server, client.start()))
    assert len(record.split_records(b"".join(flight))) > 2
    parts = record.split_records(b"".join(flight))
    assert send(server, parts[1:]) == []
    assert server.get_timer() is not None
    again = [
        record.with_sequence(item, 100 + place) for place, item in enumerate(parts) if record.is_clear(item)
    ]
    receive(client, send(server, again + [item for item in parts if not record.is_clear(item)]))
    assert server.is_done
    assert client.is_done


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("empty", b""),
        ("random", bytes(range(20, 120))),
        ("an alert", bytes.fromhex("15fefd000000000000000000020228")),
        ("encrypted data", bytes.fromhex("17fefd00010000000000000004") + b"data"),
        ("another version", bytes.fromhex("16030100000000000000000004010000")),
        ("a server's hello", bytes.fromhex("16fefd0000000000000000000402000000")),
        ("longer than it is", bytes.fromhex("16fefd0000000000000000ffff01")),
    ],
)
def test_what_begins_no_handshake_never_reaches_openssl(name: str, data: bytes) -> None:
    server, client = make_server(), DtlsClient()
    assert server.receive_datagram(data, 0.0) is False
    assert server.take_datagrams() == []
    shake_hands(server, client)


def test_a_broken_hello_ends_with_a_reason() -> None:
    server = make_server()
    hello = DtlsClient().start()[0]
    broken = hello[:60] + b"\xff" * (len(hello) - 60)
    with pytest.raises(PeerError, match="DTLS: "):
        server.receive_datagram(broken, 0.0)
    assert server.take_datagrams(), "the client gets an alert"


def test_replayed_and_broken_records_have_no_effect_afterwards() -> None:
    server, client = make_server(), DtlsClient()
    sent = client.start()
    flight = receive(client, send(server, sent))
    receive(client, send(server, flight))
    assert client.is_done
    alert = client.close()[0]
    broken = alert[:-1] + bytes([alert[-1] ^ 1])
    for datagram in [*sent, *flight, broken, *sent * 20, *flight * 20]:
        server.receive_datagram(datagram, 1.0)
        assert server.take_datagrams() == []
    assert not server.is_closed
    server.receive_datagram(alert, 2.0)
    assert server.is_closed


def test_the_client_hears_of_the_end() -> None:
    server, client = make_server(), DtlsClient()
    shake_hands(server, client)
    server.close()
    receive(client, server.take_datagrams())
    assert client.is_closed


def test_an_end_during_the_handshake_is_silent() -> None:
    server = make_server()
    send(server, DtlsClient().start())
    server.close()
    assert server.take_datagrams() == []
    assert server.get_timer() is None


def test_application_data_is_dropped() -> None:
    server, client = make_server(), DtlsClient()
    shake_hands(server, client)
    client.connection.send(b"a data channel's")
    assert send(server, client._take()) == []
    assert not server.is_closed


HELLO = b"".join(DtlsClient().start())


@given(st.integers(0, len(HELLO) - 1), st.integers(0, 255), st.integers(1, len(HELLO)))
def test_a_hello_with_a_wrong_byte_is_the_clients_fault(place: int, value: int, length: int) -> None:
    server = make_server()
    data = HELLO[:place] + bytes([value]) + HELLO[place + 1 :]
    try:
        server.receive_datagram(data[:length], 0.0)
    except PeerError:
        assert not server.is_done


@given(st.binary(max_size=1500), st.booleans())
def test_any_bytes_are_dropped_or_the_clients_fault(data: bytes, is_begun: bool) -> None:
    server = make_server()
    if is_begun:
        server.receive_datagram(HELLO, 0.0)
    header = b"\x16\xfe\xfd" + bytes(8) + len(data).to_bytes(2)
    for datagram in (data, header + data):
        try:
            server.receive_datagram(datagram, 0.0)
        except PeerError:
            break
    assert not server.is_done
