from __future__ import annotations

import pytest

from media.packet import AudioTrack, Packet, VideoTrack
from rtmp.bitrate import BitrateLimit
from rtmp.overflow import Overflow

VIDEO = VideoTrack("h264", b"", "avc1.64001f", 320, 240)
AUDIO = AudioTrack("aac", b"", "mp4a.40.2", 48_000, 2)
KEY, DELTA, SOUND = (
    Packet(VIDEO, 0, 0, b"", True),
    Packet(VIDEO, 0, 0, b"", False),
    Packet(AUDIO, 0, 0, b"", True),
)
OTHER_TRACK = Packet(VIDEO, 0, 0, b"", True, track_id=1)


def test_nothing_is_dropped_before_it_is_full() -> None:
    overflow = Overflow()
    assert not any(overflow.drops(packet, is_ready=True) for packet in (KEY, DELTA, SOUND))
    assert not overflow.is_dropping


@pytest.mark.parametrize("packet", [KEY, DELTA, SOUND])
def test_everything_is_dropped_while_it_is_full(packet: Packet) -> None:
    overflow = Overflow()
    overflow.begin()
    assert overflow.drops(packet, is_ready=False)
    assert overflow.count == 1


def test_video_goes_on_at_a_keyframe_of_the_main_track() -> None:
    overflow = Overflow()
    overflow.drops(KEY, is_ready=True)
    overflow.begin()
    dropped = [
        overflow.drops(packet, is_ready=True) for packet in (DELTA, SOUND, OTHER_TRACK, KEY, DELTA, SOUND)
    ]
    assert dropped == [True, True, True, False, False, False]
    assert overflow.count == 3


def test_sound_alone_goes_on_at_once() -> None:
    overflow = Overflow()
    overflow.begin()
    assert [overflow.drops(SOUND, is_ready) for is_ready in (False, True)] == [True, False]


def test_each_overflow_is_counted_anew() -> None:
    overflow = Overflow()
    for _ in range(2):
        overflow.begin()
        overflow.drops(KEY, is_ready=False)
        overflow.drops(KEY, is_ready=True)
    assert overflow.count == 1


def test_bitrate_may_be_exceeded_for_the_window() -> None:
    limit = BitrateLimit(8000, 10, now=100)
    assert not limit.is_exceeded_by(10_000, 100)
    assert limit.is_exceeded_by(1, 100)


def test_bitrate_itself_may_last() -> None:
    limit = BitrateLimit(8000, 10, now=0)
    assert not any(limit.is_exceeded_by(1000, second) for second in range(1000))


def test_twice_the_bitrate_is_found_after_the_window() -> None:
    limit = BitrateLimit(8000, 10, now=0)
    exceeded = [limit.is_exceeded_by(2000, second) for second in range(20)]
    assert exceeded.index(True) == 9


def test_a_pause_makes_room_for_no_more_than_the_window() -> None:
    limit = BitrateLimit(8000, 10, now=0)
    assert limit.is_exceeded_by(10_001, 1000)
