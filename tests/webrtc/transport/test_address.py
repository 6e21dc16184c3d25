from __future__ import annotations

from ipaddress import ip_address

import ifaddr
import pytest

from webrtc.transport import address as module
from webrtc.transport.address import MAX_ADDRESSES, local_addresses

ALL_IPV4 = "0.0.0.0"  # noqa: S104


def adapter(name: str, *addresses: str) -> ifaddr.Adapter:
    ips = [
        ifaddr.IP((item, 0, 0) if ":" in item else item, 64 if ":" in item else 24, name)
        for item in addresses
    ]
    return ifaddr.Adapter(name, name, ips)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> list[ifaddr.Adapter]:
    adapters = [
        adapter("lo", "127.0.0.1", "::1"),
        adapter("docker0", "172.17.0.1"),
        adapter("eth0", "192.0.2.5", "2001:db8::5", "2001:db8::dead", "fe80::5"),
        adapter("down0", "198.51.100.1"),
    ]
    tables = {
        "/proc/net/route": [
            ["Iface", "Destination"],
            ["eth0", "00000000", "010200C0", *["0"] * 4, "00000000"],
        ],
        "/proc/net/ipv6_route": [["0" * 32, "00", *["0"] * 7, "eth0"]],
        "/proc/net/if_inet6": [
            ["20010db8000000000000000000000005", "02", "40", "00", "80", "eth0"],
            ["20010db800000000000000000000dead", "02", "40", "00", "21", "eth0"],
        ],
        "/sys/class/net/down0/flags": [["0x1002"]],
        "/sys/class/net/eth0/flags": [["0x1003"]],
    }
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: adapters)
    monkeypatch.setattr(module, "_words", lambda path: tables.get(str(path), []))
    return adapters


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.0.2.7", ["192.0.2.7"]),
        ("127.0.0.1", ["127.0.0.1"]),
        ("fe80::1%eth0", ["fe80::1"]),
        (ALL_IPV4, ["192.0.2.5", "172.17.0.1"]),
        ("::", ["192.0.2.5", "2001:db8::5", "172.17.0.1"]),
    ],
)
def test_what_is_announced(machine: list[ifaddr.Adapter], host: str, expected: list[str]) -> None:
    assert local_addresses(host) == expected


def test_loopback_is_announced_where_there_is_nothing_else(machine: list[ifaddr.Adapter]) -> None:
    del machine[1:]
    assert local_addresses("::") == ["127.0.0.1", "::1"]
    assert local_addresses(ALL_IPV4) == ["127.0.0.1"]


def test_a_machine_with_many_addresses_announces_some(machine: list[ifaddr.Adapter]) -> None:
    machine.insert(0, adapter("many", *(f"10.0.0.{number}" for number in range(1, 100))))
    found = local_addresses(ALL_IPV4)
    assert len(found) == MAX_ADDRESSES
    assert found[0] == "192.0.2.5"


@pytest.mark.parametrize("host", [ALL_IPV4, "::"])
def test_this_machine_has_addresses(host: str) -> None:
    found = local_addresses(host)
    assert found
    assert len(found) == len(set(found))
    for item in found:
        assert not ip_address(item).is_link_local
