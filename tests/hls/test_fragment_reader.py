"""Segments read back: what was written comes out, whatever else is refused."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hls import fragment_reader as module
from hls.fragment import FragmentSample, fragment
from hls.fragment_reader import FragmentError, StoredSample, read_fragments

from . import boxes

SAMPLES = [
    FragmentSample(b"key", 3000, True, 0),
    FragmentSample(b"", 3001, False, 6000),
    FragmentSample(b"backward", 1, False, -3000),
]
SEGMENT = (
    fragment(7, 1 << 40, SAMPLES) + fragment(8, (1 << 40) + 6001, []) + fragment(9, 1 << 41, SAMPLES[:1])
)


def test_the_samples_of_all_fragments_in_their_order() -> None:
    start, later = 1 << 40, 1 << 41
    assert read_fragments(SEGMENT) == [
        StoredSample(start, start, 3000, memoryview(b"key"), True),
        StoredSample(start + 3000, start + 9000, 3001, memoryview(b""), False),
        StoredSample(start + 6001, start + 3001, 1, memoryview(b"backward"), False),
        StoredSample(later, later, 3000, memoryview(b"key"), True),
    ]


def test_nothing_has_no_samples() -> None:
    assert read_fragments(b"") == []


def test_nothing_is_copied_and_nothing_can_be_changed() -> None:
    data = bytearray(SEGMENT)
    first = read_fragments(memoryview(data))[0]
    assert first.data.obj is data
    assert first.data.readonly


LISTS = st.lists(
    st.builds(
        FragmentSample,
        st.binary(max_size=40),
        st.integers(0, (1 << 32) - 1),
        st.booleans(),
        st.integers(-(1 << 31), (1 << 31) - 1),
    ),
    max_size=6,
)


@given(st.lists(st.tuples(st.integers(0, (1 << 40)), LISTS), max_size=4))
def test_it_reads_as_a_demuxer_does(written: list[tuple[int, list[FragmentSample]]]) -> None:
    data = b"".join(fragment(number, start, samples) for number, (start, samples) in enumerate(written))
    theirs = boxes.read_fragments(data)
    assert [
        (item.dts, item.pts, item.duration, bytes(item.data), item.is_sync) for item in read_fragments(data)
    ] == [(item.dts, item.pts, item.duration, item.data, item.is_sync) for item in theirs]


@pytest.mark.parametrize("length", range(1, len(SEGMENT)))
def test_cut_short(length: int) -> None:
    borders = [len(fragment(7, 0, SAMPLES)), len(fragment(7, 0, SAMPLES) + fragment(8, 0, []))]
    if length in borders:
        assert len(read_fragments(SEGMENT[:length])) == len(SAMPLES)
    else:
        with pytest.raises(FragmentError):
            read_fragments(SEGMENT[:length])


@given(st.integers(0, len(SEGMENT) - 1), st.integers(1, 255))
def test_any_damage_is_refused_or_harmless(position: int, change: int) -> None:
    data = bytearray(SEGMENT)
    data[position] ^= change
    with suppress(FragmentError):
        # What is not refused is a number or a byte of media: still the same samples, all of them inside.
        samples = read_fragments(bytes(data))
        assert [len(item.data) for item in samples] == [3, 0, 8, 3]


@given(st.binary(max_size=300))
@example(b"\0\0\0\x08moof" + bytes(80))
def test_other_bytes_are_refused(data: bytes) -> None:
    if data:
        with pytest.raises(FragmentError):
            read_fragments(data)


def test_more_samples_than_a_segment_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SAMPLES", 3)
    with pytest.raises(FragmentError, match="more than 3"):
        read_fragments(SEGMENT)
