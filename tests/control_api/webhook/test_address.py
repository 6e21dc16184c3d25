"""Which addresses may be called: a row for each kind, its edges, and each way of writing it inside IPv6."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_api.webhook.address import refusal

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "93.184.215.14",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "168.63.129.17",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.0.3.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "198.51.99.255",
    "198.51.101.0",
    "203.0.112.255",
    "203.0.114.0",
    "223.255.255.255",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2001:db7:ffff::1",
    "2001:db9::1",
    "2606:4700:4700::1111",
    "2a00:1450:4001::1",
    "3ffe::1",
    "3fff:1000::1",
    # These carry a public IPv4 address.
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
    "2a00::5efe:8.8.8.8",
]
LOCAL = [
    ("127.0.0.0", "a loopback address"),
    ("127.0.0.1", "a loopback address"),
    ("127.8.8.8", "a loopback address"),
    ("127.255.255.255", "a loopback address"),
    ("::1", "a loopback address"),
    ("10.0.0.0", "a private address"),
    ("10.0.0.1", "a private address"),
    ("10.255.255.255", "a private address"),
    ("172.16.0.0", "a private address"),
    ("172.17.0.1", "a private address"),
    ("172.31.255.255", "a private address"),
    ("192.168.0.0", "a private address"),
    ("192.168.1.1", "a private address"),
    ("192.168.255.255", "a private address"),
    ("fc00::", "a private address"),
    ("fd00::1", "a private address"),
    ("fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "a private address"),
    ("fec0::1", "a private address"),
    ("169.254.0.0", "a link-local address"),
    ("169.254.1.1", "a link-local address"),
    ("169.254.255.255", "a link-local address"),
    ("fe80::", "a link-local address"),
    ("fe80::1", "a link-local address"),
    ("fe80::1%eth0", "a link-local address"),
    ("febf:ffff::1", "a link-local address"),
    ("100.64.0.0", "a carrier's shared address"),
    ("100.100.100.100", "a carrier's shared address"),
    ("100.127.255.255", "a carrier's shared address"),
    ("198.18.0.0", "an address for benchmarks"),
    ("198.19.255.255", "an address for benchmarks"),
    # The same inside IPv6.
    ("::ffff:127.0.0.1", "a loopback address"),
    ("::ffff:7f00:1", "a loopback address"),
    ("::ffff:10.0.0.1", "a private address"),
    ("::ffff:172.16.0.1", "a private address"),
    ("::ffff:192.168.1.1", "a private address"),
    ("::ffff:169.254.1.1", "a link-local address"),
    ("::ffff:100.64.0.1", "a carrier's shared address"),
    ("::ffff:198.18.0.1", "an address for benchmarks"),
    ("64:ff9b::127.0.0.1", "a loopback address"),
    ("64:ff9b::7f00:1", "a loopback address"),
    ("64:ff9b::10.0.0.1", "a private address"),
    ("64:ff9b::192.168.1.1", "a private address"),
    ("64:ff9b::169.254.1.1", "a link-local address"),
    ("64:ff9b::100.64.0.1", "a carrier's shared address"),
    ("2002:7f00:1::", "a loopback address"),
    ("2002:7f00:1::7f00:1", "a loopback address"),
    ("2002:a00:1::1", "a private address"),
    ("2002:ac10:1::1", "a private address"),
    ("2002:c0a8:101::1", "a private address"),
    ("2002:a9fe:101::1", "a link-local address"),
    ("2002:6440:1::1", "a carrier's shared address"),
    ("2a00::5efe:127.0.0.1", "a loopback address"),
    ("2a00::5efe:10.0.0.1", "a private address"),
    ("2a00::200:5efe:192.168.1.1", "a private address"),
    ("fe80::5efe:8.8.8.8", "a link-local address"),
]
NEVER = [
    ("169.254.169.254", "a cloud's metadata service"),
    ("169.254.170.2", "a cloud's metadata service"),
    ("169.254.170.23", "a cloud's metadata service"),
    ("100.100.100.200", "a cloud's metadata service"),
    ("168.63.129.16", "a cloud's metadata service"),
    ("192.0.0.192", "a cloud's metadata service"),
    ("fd00:ec2::254", "a cloud's metadata service"),
    ("fd00:ec2::23", "a cloud's metadata service"),
    ("fd20:ce::254", "a cloud's metadata service"),
    ("::ffff:169.254.169.254", "a cloud's metadata service"),
    ("::ffff:a9fe:a9fe", "a cloud's metadata service"),
    ("64:ff9b::169.254.169.254", "a cloud's metadata service"),
    ("2002:a9fe:a9fe::1", "a cloud's metadata service"),
    ("2a00::5efe:169.254.169.254", "a cloud's metadata service"),
    ("0.0.0.0", "an unspecified address"),  # noqa: S104
    ("0.1.2.3", "an unspecified address"),
    ("0.255.255.255", "an unspecified address"),
    ("::", "an unspecified address"),
    ("::ffff:0.0.0.0", "an unspecified address"),
    ("64:ff9b::", "an unspecified address"),
    ("2002::1", "an unspecified address"),
    ("224.0.0.0", "a multicast address"),
    ("239.255.255.250", "a multicast address"),
    ("239.255.255.255", "a multicast address"),
    ("ff02::1", "a multicast address"),
    ("ff0e::1", "a multicast address"),
    ("::ffff:224.0.0.1", "a multicast address"),
    ("64:ff9b::224.0.0.1", "a multicast address"),
    ("2002:e000:1::1", "a multicast address"),
    ("192.0.2.0", "an address for documentation"),
    ("192.0.2.255", "an address for documentation"),
    ("198.51.100.7", "an address for documentation"),
    ("203.0.113.7", "an address for documentation"),
    ("2001:db8::1", "an address for documentation"),
    ("2001:db8:ffff::1", "an address for documentation"),
    ("3fff::1", "an address for documentation"),
    ("3fff:fff:ffff::1", "an address for documentation"),
    ("192.0.0.0", "a reserved address"),
    ("192.0.0.9", "a reserved address"),
    ("192.0.0.255", "a reserved address"),
    ("192.88.99.1", "a reserved address"),
    ("240.0.0.0", "a reserved address"),
    ("255.255.255.254", "a reserved address"),
    ("255.255.255.255", "a reserved address"),
    ("::ffff:255.255.255.255", "a reserved address"),
    ("2001::1", "a reserved address"),  # Teredo, and below what else the IETF has there
    ("2001:0:7f00:1::", "a reserved address"),
    ("2001:1::1", "a reserved address"),
    ("2001:10::1", "a reserved address"),
    ("2001:20::1", "a reserved address"),
    ("2001:1ff:ffff::1", "a reserved address"),
    ("::2", "a reserved address"),
    ("::127.0.0.1", "a reserved address"),
    ("::8.8.8.8", "a reserved address"),
    ("::ffff:0:127.0.0.1", "a reserved address"),
    ("64:ff9b::1:0:0", "a reserved address"),
    ("64:ff9b:1::1", "a reserved address"),
    ("64:ff9b:1::127.0.0.1", "a reserved address"),
    ("100::1", "a reserved address"),
    ("200::1", "a reserved address"),
    ("400::1", "a reserved address"),
    ("1fff:ffff::1", "a reserved address"),
    ("4000::1", "a reserved address"),
    ("5f00::1", "a reserved address"),
    ("8000::1", "a reserved address"),
    ("fbff::1", "a reserved address"),
    ("fe00::1", "a reserved address"),
    ("127.1", "no address"),
    ("0x7f000001", "no address"),
    ("0177.0.0.1", "no address"),
    ("2130706433", "no address"),
    ("localhost", "no address"),
    ("[::1]", "no address"),
    ("", "no address"),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    assert refusal(address, allow_private=False) is None
    assert refusal(address, allow_private=True) is None


@pytest.mark.parametrize(("address", "words"), LOCAL)
def test_local_addresses(address: str, words: str) -> None:
    assert refusal(address, allow_private=False) == words
    assert refusal(address, allow_private=True) is None


@pytest.mark.parametrize(("address", "words"), NEVER)
def test_what_is_never_called(address: str, words: str) -> None:
    assert refusal(address, allow_private=False) == words
    assert refusal(address, allow_private=True) == words


def test_a_local_address_may_carry_what_is_never_called() -> None:
    assert refusal("fe80::5efe:169.254.169.254", allow_private=True) == "a cloud's metadata service"


@given(st.ip_addresses())
def test_nothing_is_let_through_that_python_knows_as_not_global(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if refusal(address, allow_private=False) is None:
        carried = getattr(address, "ipv4_mapped", None) or address
        assert carried.is_global or carried in ipaddress.ip_network("64:ff9b::/96")
        assert not carried.is_multicast


@given(st.ip_addresses(v=4))
def test_an_address_is_judged_alike_wherever_it_is_carried(address: ipaddress.IPv4Address) -> None:
    expected = refusal(address, allow_private=False)
    number = int(address)
    assert refusal(f"::ffff:{address}", allow_private=False) == expected
    assert refusal(f"64:ff9b::{address}", allow_private=False) == expected
    assert refusal(f"2002:{number >> 16:x}:{number & 0xFFFF:x}::1", allow_private=False) == expected
    assert refusal(f"2a00::5efe:{address}", allow_private=False) == expected
