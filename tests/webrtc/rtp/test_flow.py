from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.error import LocalStateError
from tests.webrtc.rtp.receiver import PLAIN, make_flow
from webrtc.rtp.flow import MAX_KEPT_BYTES, MAX_PACKET_PAYLOAD, Flow
from webrtc.rtp.packet import parse_rtp

FRAME = [b"a" * 100, b"b" * 60]


@pytest.mark.parametrize(
    ("pts", "timestamp"),
    [(0, 1000), (3000, 4000), ((1 << 32) - 1000, 0), ((1 << 33) + 7, 1007)],
)
def test_timestamps_of_video(pts: int, timestamp: int) -> None:
    assert make_flow().add(FRAME, pts, 0.0, is_keyframe=True).timestamp == timestamp


@pytest.mark.parametrize(
    ("pts", "timestamp"), [(0, 5), (1800, 965), (1801, 966), (90_000 * 100_000, 505_032_709)]
)
def test_timestamps_of_audio(pts: int, timestamp: int) -> None:
    flow = Flow(1, 5, 48_000, first_index=0, keep_s=1, max_bytes=0)
    burst = flow.add([b"opus"], pts, 0.0, is_keyframe=False)
    assert burst.timestamp == timestamp
    assert not parse_rtp(burst.packets(PLAIN)[0]).is_marked


def test_counts() -> None:
    flow = make_flow(first_index=7)
    flow.add(FRAME, 0, 0.0, is_keyframe=True)
    flow.add(FRAME, 3000, 0.03, is_keyframe=False)
    assert (flow.next_index, flow.packet_count, flow.octet_count) == (11, 4, 320)


def test_packets_are_found_by_index() -> None:
    flow = make_flow(first_index=0x1_0000_FFFF)
    first = flow.add(FRAME, 0, 0.0, is_keyframe=True)
    second = flow.add(FRAME, 3000, 0.03, is_keyframe=False)
    assert [flow.find(0x1_0000_FFFF + number) for number in range(-1, 5)] == [
        None, (first, 0), (first, 1), (second, 0), (second, 1), None,
    ]  # fmt: skip


def test_an_empty_flow_has_nothing() -> None:
    flow = make_flow()
    assert flow.find(0) is None
    assert flow.since_keyframe() == []
    assert flow.bursts == []


def test_old_frames_go() -> None:
    flow = make_flow(keep_s=1.0, max_bytes=0)
    for number in range(40):
        flow.add(FRAME, 3000 * number, number / 10, is_keyframe=number == 0)
    assert [burst.pts // 3000 for burst in flow.bursts] == list(range(29, 40))
    assert flow.find(57) is None
    assert flow.since_keyframe() == []


def test_a_keyframe_and_what_follows_stay() -> None:
    flow = make_flow(keep_s=0.1, max_bytes=5 * 160)
    for number in range(5):
        flow.add(FRAME, 3000 * number, number, is_keyframe=number == 0)
    assert [burst.pts // 3000 for burst in flow.since_keyframe()] == [0, 1, 2, 3, 4]
    flow.add(FRAME, 15_000, 5, is_keyframe=False)
    assert flow.since_keyframe() == []
    assert len(flow.bursts) == 1


def test_a_new_keyframe_lets_the_old_one_go() -> None:
    flow = make_flow(keep_s=0.1)
    for number in range(6):
        flow.add(FRAME, 3000 * number, number, is_keyframe=number in {0, 4})
    assert [burst.pts // 3000 for burst in flow.bursts] == [4, 5]
    assert flow.since_keyframe() == flow.bursts


def test_memory_is_bounded_however_much_comes() -> None:
    flow = make_flow(keep_s=1e9, max_bytes=1 << 40)
    frame = [bytes(8000)] * 100
    for number in range(50):
        flow.add(frame, number, 0.0, is_keyframe=number == 0)
    assert sum(burst.size_bytes for burst in flow.bursts) <= MAX_KEPT_BYTES
    assert flow.since_keyframe() == []


def test_a_payload_that_no_fanout_has_room_for_is_a_bug() -> None:
    with pytest.raises(LocalStateError):
        make_flow().add([bytes(MAX_PACKET_PAYLOAD + 1)], 0, 0.0, is_keyframe=True)


steps = st.lists(st.tuples(st.integers(1, 5), st.booleans(), st.floats(0, 0.7)), min_size=1, max_size=60)


@given(steps, st.integers(0, 1 << 20), st.integers(0, 1500))
def test_what_is_kept_is_what_may_be_needed(
    frames: list[tuple[int, bool, float]], first_index: int, max_bytes: int
) -> None:
    flow, now, all_bursts = make_flow(first_index, 1.0, max_bytes), 0.0, []
    for number, (count, is_keyframe, pause) in enumerate(frames):
        now += pause
        all_bursts.append(flow.add([b"a" * 50] * count, number, now, is_keyframe=is_keyframe))
        keyframes = [place for place, burst in enumerate(all_bursts) if burst.is_keyframe]
        group = all_bursts[keyframes[-1] :] if keyframes else []
        if sum(burst.size_bytes for burst in group) > max_bytes:
            group = []
        young = [burst for burst in all_bursts if now - burst.built_at <= 1.0]
        kept = list(flow.bursts)
        assert kept == all_bursts[-max(len(young), len(group)) :]
        assert all(
            flow.find(burst.index + place) == (burst, place) for burst in kept for place in range(burst.count)
        )
        assert flow.find(kept[0].index - 1) is None
        since = flow.since_keyframe()
        assert since == (
            all_bursts[keyframes[-1] :] if keyframes and all_bursts[keyframes[-1]] in kept else []
        )
