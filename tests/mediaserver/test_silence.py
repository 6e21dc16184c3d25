"""Silence on the sample grid."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.aac import STEREO_48K, silent_frame
from media.packet import CLOCK_HZ, AudioTrack
from mediaserver.live.silence import silent_packets

from .scene import AAC_44


@pytest.mark.parametrize("track", [STEREO_48K, AAC_44], ids=["48000", "44100"])
@given(start=st.integers(0, 10**9), length=st.integers(0, 10 * CLOCK_HZ), cut=st.integers(0, 10 * CLOCK_HZ))
def test_two_stretches_are_one(track: AudioTrack, start: int, length: int, cut: int) -> None:
    middle, end = start + min(cut, length), start + length
    whole = list(silent_packets(track, start, end))
    assert whole == [*silent_packets(track, start, middle), *silent_packets(track, middle, end)]
    assert all(start <= packet.pts < end and packet.data == silent_frame(2) for packet in whole)
    frame = track.frame_samples * CLOCK_HZ / track.sample_rate
    assert all(abs(b.pts - a.pts - frame) <= 1 for a, b in itertools.pairwise(whole))
    assert abs(len(whole) - length / frame) <= 1
