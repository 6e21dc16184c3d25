from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webrtc.ingest.bandwidth import FIRST_BPS, MAX_BPS, MIN_BPS, START_S, Bandwidth, find_send_time


def send(
    bandwidth: Bandwidth, start: float, seconds: float, rate_bps: float, path_bps: float
) -> list[tuple[float, int]]:
    """Send packets of 1200 bytes over a path with a queue; return when the bound fell, and to what."""
    falls, free_at = [], 0.0
    interval_s = 1200 * 8 / rate_bps
    for index in range(int(seconds / interval_s)):
        sent_at = start + index * interval_s
        free_at = max(free_at, sent_at) + 1200 * 8 / path_bps
        if bandwidth.receive(1200, int(sent_at * (1 << 18)) & 0xFFFFFF, free_at + 0.02):
            falls.append((free_at - start, bandwidth.bound_bps))
    return falls


def test_the_first_bound_is_generous() -> None:
    bandwidth = Bandwidth()
    assert bandwidth.bound_bps == FIRST_BPS
    assert send(bandwidth, 50.0, START_S / 3, 2_500_000, 1_000_000) == []


def test_a_path_that_is_wide_enough_is_left_alone() -> None:
    bandwidth = Bandwidth()
    assert send(bandwidth, 50.0, 60.0, 2_500_000, 20_000_000) == []
    assert FIRST_BPS < bandwidth.bound_bps <= MAX_BPS


def test_what_queues_up_is_too_much() -> None:
    bandwidth = Bandwidth()
    send(bandwidth, 50.0, 5.0, 1_000_000, 20_000_000)
    falls = send(bandwidth, 55.0, 4.0, 2_500_000, 1_000_000)
    assert falls
    assert falls[0][0] < 2.0
    assert falls[0][1] == pytest.approx(850_000, rel=0.15)


def test_the_bound_grows_again() -> None:
    bandwidth = Bandwidth()
    send(bandwidth, 50.0, 3.0, 1_000_000, 20_000_000)
    send(bandwidth, 53.0, 4.0, 2_500_000, 1_000_000)
    low = bandwidth.bound_bps
    send(bandwidth, 60.0, 30.0, 500_000, 20_000_000)
    assert bandwidth.bound_bps > 2 * low


def test_the_bound_never_falls_below_what_a_picture_takes() -> None:
    bandwidth = Bandwidth()
    send(bandwidth, 50.0, 20.0, 300_000, 20_000)
    assert bandwidth.bound_bps >= MIN_BPS


@given(st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 0xFFFFFF), st.floats(0, 100))))
def test_anything_may_come(packets: list[tuple[int, int, float]]) -> None:
    bandwidth, now = Bandwidth(), 0.0
    for size, send_time, elapsed_s in packets:
        now += elapsed_s
        bandwidth.receive(size, send_time, now)
        assert MIN_BPS <= bandwidth.bound_bps <= MAX_BPS


EXTENSIONS = [
    ("none", None, b"", None),
    ("one-byte", 0xBEDE, b"\x22\x01\x02\x03", 0x010203),
    ("behind-another", 0xBEDE, b"\x10\xff\x22\x01\x02\x03\x00\x00", 0x010203),
    ("behind-padding", 0xBEDE, b"\x00\x00\x22\x01\x02\x03", 0x010203),
    ("two-bytes", 0x1000, b"\x02\x03\x01\x02\x03\x00\x00\x00", 0x010203),
    ("two-bytes-behind-another", 0x1003, b"\x01\x00\x02\x03\x01\x02\x03\x00", 0x010203),
    ("another-size", 0xBEDE, b"\x21\x01\x02\x00", None),
    ("cut-short", 0xBEDE, b"\x22\x01\x02", None),
    ("another-number", 0xBEDE, b"\x32\x01\x02\x03", None),
    ("another-profile", 0x1234, b"\x22\x01\x02\x03", None),
]


@pytest.mark.parametrize("case", [case[1:] for case in EXTENSIONS], ids=[case[0] for case in EXTENSIONS])
def test_send_times(case: tuple[int | None, bytes, int | None]) -> None:
    profile, extension, expected = case
    assert find_send_time(profile, extension, 2) == expected


@given(st.sampled_from([0xBEDE, 0x1000]), st.binary(max_size=40))
def test_send_times_of_garbage(profile: int, extension: bytes) -> None:
    found = find_send_time(profile, extension, 2)
    assert found is None or 0 <= found < 1 << 24
