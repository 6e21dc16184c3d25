"""Recordings of what encoders send, replayed; `captures/README.md` says where they come from."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from media.packet import AudioTrack, Packet, VideoTrack
from rtmp.event import MetadataReceived, PublishRequested
from tests.rtmp.client import Driver

CAPTURES = Path(__file__).parent / "captures"


@pytest.mark.parametrize("size", [60_000, 4096, 1])
def test_obs_29_publishes(size: int) -> None:
    data = (CAPTURES / "obs29.bin").read_bytes()
    driver = Driver()
    driver.feed(*(data[start : start + size] for start in range(0, len(data), size)))

    request, metadata, *packets = driver.events
    assert isinstance(request, PublishRequested)
    assert (request.app, request.stream_key) == ("live", "sk_the_stream_key_of_this_recording")
    assert isinstance(metadata, MetadataReceived)
    assert "libobs version 29.0.2" in str(metadata.metadata["encoder"])

    media = [packet for packet in packets if isinstance(packet, Packet)]
    assert len(media) == len(packets)
    video = [packet for packet in media if packet.is_video]
    audio = [packet for packet in media if not packet.is_video]
    track, sound = video[0].track, audio[0].track
    assert isinstance(track, VideoTrack)
    assert (track.codec, track.width, track.height, track.frame_rate) == ("h264", 1280, 720, Fraction(30))
    assert track.bitrate_bps == 2_000_000
    assert isinstance(sound, AudioTrack)
    assert (sound.codec_string, sound.sample_rate, sound.channels) == ("mp4a.40.2", 48_000, 2)
    assert [packet.is_keyframe for packet in video] == [True] + [False] * (len(video) - 1)
    # Times are whole milliseconds: 30 frames a second are 33 or 34 ms apart.
    assert {after.dts - before.dts for before, after in pairwise(video)} <= {33 * 90, 34 * 90}
    assert {after.dts - before.dts for before, after in pairwise(audio)} <= {21 * 90, 22 * 90}

    statuses = driver.statuses()
    assert [code for code, _ in statuses] == ["NetStream.Publish.Start"]
