from __future__ import annotations

import pytest

from webrtc.rate import RequestRate


def test_so_many_at_once_and_so_many_in_the_long_run() -> None:
    rate = RequestRate(per_s=2, burst=3)
    assert [rate.take("8.8.8.8", 0.0) for _ in range(3)] == [0, 0, 0]
    assert rate.take("8.8.8.8", 0.0) == pytest.approx(0.5)
    assert rate.take("8.8.4.4", 0.0) == 0
    assert rate.take("8.8.8.8", 0.5) == 0
    assert rate.take("8.8.8.8", 0.5) > 0
    assert [rate.take("8.8.8.8", 100.0) for _ in range(3)] == [0, 0, 0]


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "10.1.2.3", "fd00::1", "::ffff:192.168.0.1", None, "x"]
)
def test_near_addresses_speak_for_everybody(address: str | None) -> None:
    rate = RequestRate(per_s=1, burst=1)
    assert [rate.take(address, 0.0) for _ in range(9)] == [0] * 9


def test_a_customer_has_many_ipv6_addresses() -> None:
    rate = RequestRate(per_s=1, burst=1)
    assert rate.take("2a00:1:2:3::1", 0.0) == 0
    assert rate.take("2a00:1:2:3:4::9", 0.0) > 0
    assert rate.take("2a00:1:2:4::1", 0.0) == 0
