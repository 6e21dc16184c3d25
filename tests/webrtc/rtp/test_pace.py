from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.webrtc.rtp.receiver import VARIANT, make_flow
from webrtc.rtp.burst import Burst
from webrtc.rtp.flow import Flow
from webrtc.rtp.pace import MAX_BEHIND_S, Pacer, Piece

SMALL, LARGE = 10, 64
FRAME_TICKS = 3000


def frame(flow: Flow, count: int, number: int, now: float = 0.0) -> Burst:
    return flow.add([b"a" * 100] * count, FRAME_TICKS * number, now, is_keyframe=count > SMALL)


def test_a_small_frame_goes_at_once() -> None:
    pacer, flow = Pacer(), make_flow()
    burst = frame(flow, SMALL, 0)
    pacer.add(burst, 5.0)
    assert pacer.get_timer() == 5.0
    assert pacer.due(5.0) == [Piece(burst, 0, 1)]
    assert (pacer.get_timer(), pacer.next_index, pacer.due(9.0)) == (None, None, [])


def test_a_large_frame_is_spread() -> None:
    pacer, flow = Pacer(), make_flow()
    burst = frame(flow, LARGE, 0)
    pacer.add(burst, 1.0)
    sent: list[tuple[float, int]] = []
    while (now := pacer.get_timer()) is not None:
        for piece in pacer.due(now):
            sent += [(now, batch.count) for batch in piece.batches(VARIANT)]
    assert [count for _, count in sent] == [16] * 4
    assert [when for when, _ in sent] == pytest.approx([1.0, 1.005, 1.01, 1.015])


def test_what_is_late_catches_up() -> None:
    pacer, flow = Pacer(), make_flow()
    burst = frame(flow, LARGE, 0)
    pacer.add(burst, 1.0)
    assert pacer.due(1.0) == [Piece(burst, 0, 1)]
    assert pacer.next_index == 16
    assert pacer.due(1.011) == [Piece(burst, 1, 3)]
    assert pacer.due(9.0) == [Piece(burst, 3, 4)]


def test_the_next_frame_waits_for_its_turn() -> None:
    pacer, flow = Pacer(), make_flow()
    large, small = frame(flow, LARGE, 0), frame(flow, SMALL, 1)
    pacer.add(large, 1.0)
    pacer.add(small, 1.001)
    assert pacer.due(1.002) == [Piece(large, 0, 1)]
    assert small.due == [pytest.approx(1.02)]
    assert pacer.due(1.03) == [Piece(large, 1, 4), Piece(small, 0, 1)]


def test_the_interval_is_that_of_the_frames() -> None:
    pacer, flow = Pacer(), make_flow()
    pacer.add(frame(flow, SMALL, 0), 1.0)
    pacer.add(flow.add([b"a"], 1500, 1.0, is_keyframe=False), 1.0)
    burst = flow.add([b"a" * 100] * LARGE, 3000, 1.0, is_keyframe=True)
    pacer.add(burst, 1.0)
    assert burst.due == [pytest.approx(1.0 + number * 0.0025) for number in range(4)]


def test_after_a_pause_a_frame_is_not_slow() -> None:
    pacer, flow = Pacer(), make_flow()
    pacer.add(frame(flow, SMALL, 0), 1.0)
    burst = frame(flow, LARGE, 1000)
    pacer.add(burst, 40.0)
    assert burst.due[-1] < 40.0 + 0.06


def test_a_heap_of_frames_is_not_held_back_for_long() -> None:
    pacer, flow = Pacer(), make_flow()
    for number in range(30):
        pacer.add(frame(flow, LARGE, number), 1.0)
    sent = pacer.due(1.0 + MAX_BEHIND_S + 0.021)
    assert sum(piece.stop - piece.start for piece in sent) == 4 * 30


def test_the_plan_is_in_the_packets() -> None:
    pacer, flow = Pacer(), make_flow()
    burst = frame(flow, LARGE, 0)
    pacer.add(burst, 1.0)
    assert len({packet[17:20] for packet in burst.packets(VARIANT)}) == 4


@given(st.lists(st.tuples(st.sampled_from([1, SMALL, LARGE, 200]), st.floats(0, 0.1)), max_size=30))
def test_everything_goes_once_and_in_order(frames: list[tuple[int, float]]) -> None:
    pacer, flow, now = Pacer(), make_flow(keep_s=60.0), 1.0
    sent: list[tuple[int, int]] = []

    def advance(until: float) -> None:
        while (due := pacer.get_timer()) is not None and due <= until:
            pieces = pacer.due(due)
            assert pieces
            sent.extend(
                (piece.burst.pts, number) for piece in pieces for number in range(piece.start, piece.stop)
            )

    for number, (count, pause) in enumerate(frames):
        pacer.add(frame(flow, count, number, now), now)
        timer = pacer.get_timer()
        assert timer is not None
        assert timer <= now + MAX_BEHIND_S
        advance(now)
        now += pause
        advance(now)
    advance(now + 1.0)
    assert sent == [(burst.pts, number) for burst in flow.bursts for number in range(len(burst.runs))]
