from __future__ import annotations

import contextlib

import pytest
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from media.error import PeerError
from tests.webrtc.transport.client import Client
from webrtc.sdp.description import IceCredentials
from webrtc.transport.stun import MAX_REQUEST_BYTES, find_username, parse_request, write_success

SERVER = IceCredentials("serverfragment", "p" * 24)
CHECK = Client(SERVER).check(username="serverfragment:peer")


def request_with(attributes: bytes) -> bytes:
    return b"\x00\x01" + len(attributes).to_bytes(2) + CHECK[4:20] + attributes


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(request_with(b""), id="only a header"),
        pytest.param(CHECK[:-4], id="cut"),
        pytest.param(CHECK + b"\0", id="one byte more"),
        pytest.param(CHECK[:4] + b"\0\0\0\0" + CHECK[8:], id="another cookie"),
        pytest.param(b"\x01\x01" + CHECK[2:], id="a response"),
        pytest.param(b"\x00\x11" + CHECK[2:], id="an indication"),
        pytest.param(request_with(b"\x00\x06\x00\x04peer"), id="no colon"),
        pytest.param(request_with(b"\x00\x24\xff\xff"), id="an attribute beyond the end"),
        pytest.param(request_with(b"\x80\x22\x00\x00" * 100), id="no username among many attributes"),
        pytest.param(request_with(b"\x00\x06\x00\x04a:bc" + b"\x80\x22\x00\x00" * 200), id="too long"),
    ],
)
def test_what_is_no_check_is_seen_before_anything_is_computed(data: bytes) -> None:
    assert find_username(data) is None


def test_the_username_is_found_wherever_it_stands() -> None:
    assert find_username(CHECK) == ("serverfragment", "peer")
    assert find_username(request_with(b"\x80\x22\x00\x03abc\0\x00\x06\x00\x03a:b\0")) == ("a", "b")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(request_with(b"\x00\x06\x00\x04a:bc"), "without credentials", id="not signed"),
        pytest.param(request_with(b"\x00\x24\x00\x01\x01\0\0\0"), "STUN", id="a number too short"),
        pytest.param(request_with(b"\x00\x06\x00\x01\xff\0\0\0"), "STUN", id="text that is none"),
        pytest.param(CHECK[:-1] + bytes([CHECK[-1] ^ 1]), "fingerprint", id="another fingerprint"),
    ],
)
def test_a_malformed_check_is_the_peers_fault(data: bytes, words: str) -> None:
    with pytest.raises(PeerError, match=words):
        parse_request(data)


@given(st.binary(max_size=600))
def test_any_bytes_are_a_check_or_the_peers_fault(data: bytes) -> None:
    find_username(data)
    with contextlib.suppress(PeerError):
        parse_request(data)


@given(st.binary(max_size=MAX_REQUEST_BYTES - 20).map(lambda data: data[: len(data) // 4 * 4]))
def test_any_attributes_are_a_check_or_the_peers_fault(attributes: bytes) -> None:
    data = request_with(attributes)
    find_username(data)
    with contextlib.suppress(PeerError):
        parse_request(data)


@pytest.mark.parametrize("address", [("192.0.2.1", 1), ("2001:db8::1", 65535)])
def test_the_answer_says_where_the_check_came_from(address: tuple[str, int]) -> None:
    answer = stun.parse_message(write_success(parse_request(CHECK), address, SERVER.pwd))
    assert answer.transaction_id == CHECK[8:20]
    assert answer.attributes["XOR-MAPPED-ADDRESS"] == address
    assert answer.check_message_integrity(SERVER.pwd.encode())
