from __future__ import annotations

import pytest

from tests.webrtc.rtp.receiver import PLAIN, VARIANT, make_burst, make_flow
from webrtc.rtp.burst import MAX_RUN_BYTES
from webrtc.rtp.packet import parse_rtp

RUNS = [
    ("one", [100], [(0, 1)]),
    ("the same", [100, 100, 100], [(0, 3)]),
    ("the last is shorter", [100, 100, 50], [(0, 3)]),
    ("none behind the shorter one", [100, 50, 50], [(0, 2), (2, 3)]),
    ("none is longer", [50, 100, 100], [(0, 1), (1, 3)]),
    ("two slices", [100, 100, 90, 80, 80, 70], [(0, 3), (3, 6)]),
    ("as many as go at once", [100] * 24, [(0, 24)]),
    ("more than that", [100] * 25, [(0, 16), (16, 25)]),
    ("few that are long", [8000] * 8, [(0, 7), (7, 8)]),
]


@pytest.mark.parametrize(("sizes", "runs"), [case[1:] for case in RUNS], ids=[case[0] for case in RUNS])
def test_runs(sizes: list[int], runs: list[tuple[int, int]]) -> None:
    burst = make_burst(*sizes)
    assert burst.runs == runs
    assert [batch.count for batch in burst.batches(VARIANT)] == [stop - start for start, stop in runs]
    assert all(len(batch.joined(16)) <= MAX_RUN_BYTES for batch in burst.batches(VARIANT))


def test_packets_are_numbered_by_index() -> None:
    burst = make_burst(*[100] * 30, first_index=0x2FFFA)
    sequences = [parse_rtp(packet).sequence for packet in burst.packets(VARIANT)]
    assert sequences == [(0xFFFA + number) % 0x10000 for number in range(30)]
    assert [batch.first for batch in burst.batches(VARIANT)] == [0x2FFFA, 0x2FFFA + 16]


def test_only_the_last_packet_is_marked() -> None:
    burst = make_burst(100, 100, 50)
    assert [parse_rtp(packet).is_marked for packet in burst.packets(PLAIN)] == [False, False, True]


def test_variants_differ_in_their_headers_only() -> None:
    burst = make_burst(100, 50)
    for plain, stamped in zip(burst.packets(PLAIN), burst.packets(VARIANT), strict=True):
        first, second = parse_rtp(plain), parse_rtp(stamped)
        assert (first.payload_type, second.payload_type) == (96, 102)
        assert plain[first.payload_start :] == stamped[second.payload_start :]
        assert first[2:5] == second[2:5]
        assert second.extension[0] == 0x32


def test_a_batch_counts_payloads() -> None:
    burst = make_burst(100, 50)
    for variant in (PLAIN, VARIANT):
        (batch,) = burst.batches(variant)
        assert batch.payload_bytes == burst.size_bytes == 150


def test_batches_are_built_once() -> None:
    burst = make_burst(100, 50)
    assert burst.batches(PLAIN) is burst.batches(PLAIN)
    (batch,) = burst.batches(PLAIN)
    assert batch.joined(16) is batch.joined(16)
    assert batch.joined(2) == b"".join(packet + b"\0\0" for packet in batch.packets)


def test_the_send_time_is_the_planned_one() -> None:
    burst = make_flow().add([b"a" * 100] * 25, 0, 1.0, is_keyframe=True)
    burst.due = [1.0, 1.5]
    first, second = burst.batches(VARIANT)
    assert parse_rtp(first.packets[0]).extension[1:] == b"\x04\0\0"
    assert parse_rtp(second.packets[-1]).extension[1:] == b"\x06\0\0"
