"""Recordings of what encoders send, replayed; `captures/README.md` says where they come from."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from media.packet import AudioTrack, Packet, VideoTrack
from rtmp.event import MetadataReceived, PublishEnded, PublishRequested
from tests.rtmp.client import Driver

CAPTURES = Path(__file__).parent / "captures"


@dataclass(frozen=True, slots=True)
class Recording:
    """What a recording of one second has to turn into."""

    name: str
    encoder: str
    """Part of the encoder's name in `connect`."""
    video: str = "h264"
    audio: str = "aac"
    channels: int = 2
    sample_rate: int = 48_000
    frames_per_second: float = 48_000 / 1024
    video_tracks: int = 1


RECORDINGS = [
    Recording("ffmpeg51", "Lavf59"),
    Recording("ffmpeg", "Lavf63"),
    Recording("ffmpeg_hevc", "Lavf63", video="hevc"),
    Recording("ffmpeg_av1_opus", "Lavf63", "av1", "opus", channels=1, frames_per_second=50),
    Recording("ffmpeg_vp9_flac", "Lavf63", "vp9", "flac", channels=1),
    Recording("ffmpeg_ac3", "Lavf63", audio="ac3", channels=1, frames_per_second=48_000 / 1536),
    Recording("ffmpeg_eac3", "Lavf63", audio="eac3", channels=1, frames_per_second=48_000 / 1536),
    Recording(
        "ffmpeg_mp3",
        "Lavf63",
        audio="mp3",
        channels=1,
        sample_rate=44_100,
        frames_per_second=44_100 / 1152,
    ),
    Recording("ffmpeg_aac51", "Lavf63", channels=6),
    Recording("ffmpeg_multitrack", "Lavf63", video_tracks=2),
    Recording("gst_rtmp2sink", "LNX 10,0,32,18"),
    Recording("gst_rtmpsink", ""),
]


def replay(pieces: Iterator[bytes]) -> Driver:
    driver = Driver()
    driver.feed(*pieces)
    assert driver.connection.data_to_send() == b""
    return driver


def split(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def split_anywhere(data: bytes, source: random.Random) -> Iterator[bytes]:
    cuts = sorted(source.sample(range(1, len(data)), 40))
    return (data[start:end] for start, end in pairwise([0, *cuts, len(data)]))


def test_every_recording_is_replayed() -> None:
    known = {recording.name for recording in RECORDINGS} | {"obs29"}
    assert known == {path.stem for path in CAPTURES.glob("*.bin")}


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.name)
def test_a_whole_publication(recording: Recording) -> None:
    data = (CAPTURES / f"{recording.name}.bin").read_bytes()
    driver = replay(iter([data]))

    request, *media, end = driver.events
    assert isinstance(request, PublishRequested)
    assert (request.app, request.stream_key) == ("live", "key")
    assert recording.encoder in request.encoder
    assert isinstance(end, PublishEnded)
    assert [event for event in media if isinstance(event, MetadataReceived)]

    packets = [event for event in media if isinstance(event, Packet)]
    video = [packet for packet in packets if packet.is_video]
    assert {packet.track_id for packet in video} == set(range(recording.video_tracks))
    for track_id in range(recording.video_tracks):
        check_video(recording, [packet for packet in video if packet.track_id == track_id])
    check_audio(recording, [packet for packet in packets if not packet.is_video])
    assert driver.statuses()[0][0] == "NetStream.Publish.Start"


def check_video(recording: Recording, video: list[Packet]) -> None:
    track = video[0].track
    assert isinstance(track, VideoTrack)
    assert {packet.track for packet in video} == {track}
    assert (track.codec, track.height) == (recording.video, 240 if not video[0].track_id else 120)
    assert [packet.is_keyframe for packet in video] == [True] + [False] * 9
    assert {after.dts - before.dts for before, after in pairwise(video)} == {100 * 90}


def check_audio(recording: Recording, audio: list[Packet]) -> None:
    track = audio[0].track
    assert isinstance(track, AudioTrack)
    assert {packet.track for packet in audio} == {track}
    assert (track.codec, track.sample_rate) == (recording.audio, recording.sample_rate)
    assert track.channels == recording.channels
    assert abs(len(audio) - recording.frames_per_second) <= 3


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.name)
def test_a_publication_split_anywhere(recording: Recording) -> None:
    data = (CAPTURES / f"{recording.name}.bin").read_bytes()
    whole = replay(iter([data]))
    source = random.Random(recording.name)  # noqa: S311 repeatable, not secret
    for pieces in [split(data, 1), split(data, 1460), *(split_anywhere(data, source) for _ in range(10))]:
        again = replay(pieces)
        assert again.events == whole.events
        assert again.commands() == whole.commands()


@pytest.mark.parametrize("size", [60_000, 4096, 1])
def test_obs_29_publishes(size: int) -> None:
    data = (CAPTURES / "obs29.bin").read_bytes()
    driver = replay(split(data, size))

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
