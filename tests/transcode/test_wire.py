from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.error import TranscodeError
from media.packet import AudioTrack, VideoTrack
from transcode.message import (
    Activate,
    ActivateAudio,
    Deactivate,
    DeactivateAudio,
    DrawPicture,
    DrawSlate,
    EncodedAudio,
    EncodedFrame,
    EncoderFailed,
    EncoderTried,
    Failed,
    Flush,
    ForceKeyframe,
    Frames,
    LoudnessMeasured,
    MeasureLoudness,
    Media,
    Message,
    PictureDrawn,
    Ping,
    Progress,
    Quality,
    Ready,
    Reset,
    RungOpened,
    SetTrack,
    Skip,
    SlateDrawn,
    TryEncoder,
    UseEncoders,
)
from transcode.wire import MAX_MESSAGE_BYTES, MessageReader, serialize

from .source import spec

CASES: list[Message] = [
    SetTrack(
        VideoTrack("h264", b"\x01\x64", "avc1.64001f", 1280, 720, Fraction(30000, 1001), Fraction(4, 3))
    ),
    SetTrack(VideoTrack("h264", b"", "avc1.64001f", 2, 2)),
    SetTrack(AudioTrack("aac", b"\x11\x90", "mp4a.40.2", 48_000, 2)),
    Media(is_video=True, is_keyframe=True, pts=-1, dts=-(1 << 40), data=b"\0" * 9),
    Media(is_video=False, is_keyframe=False, pts=1 << 40, dts=0, data=b""),
    Activate(spec("480p", 854, 480), 90_000),
    Deactivate("480p"),
    ActivateAudio("opus", -(1 << 62)),
    ActivateAudio("aac", 5, ((90_000, 48_000), (91_890, 49_024))),
    DeactivateAudio("aac"),
    ForceKeyframe(180_000, None),
    ForceKeyframe(180_000, "144p"),
    Flush(3),
    Skip(-5),
    Ping(7),
    Ready(),
    RungOpened("144p", b"\x01avcC"),
    Frames(3600, ()),
    Frames(3600, (EncodedFrame("480p", True, b"abc"), EncodedFrame("144p", False, b""))),
    DrawSlate("We are back soon: ä", (spec("480p", 854, 480), spec("144p", 256, 144)), 20, 9000),
    SlateDrawn("480p", b"\x01avcC", (EncodedFrame("480p", True, b"abc"), EncodedFrame("480p", False, b"x"))),
    EncodedAudio("aac", 1920, b"sound", 1890, 1024),
    Progress(1, 2, 3, 4),
    Progress(1, 2, 3, 4, 1 << 40, (("480p", 1 << 40), ("144p", 0))),
    Failed("x264 went home: ä"),
    SetTrack(VideoTrack("h264", b"\x01", "avc1.64001f", 2, 2), threads=4, is_shrunk=True),
    Reset(),
    Quality(-180_000, (("480p", 38.25), ("144p", 99.0))),
    Quality(180_000, ()),
    Frames(3600, (EncodedFrame("480p", True, b"abc", b"\x01avcC"), EncodedFrame("144p", False, b"d"))),
    UseEncoders(("h264_nvenc", "h264_qsv")),
    UseEncoders(()),
    TryEncoder("h264_amf"),
    EncoderTried("h264_amf", ""),
    EncoderFailed("720p", "h264_qsv", "the device was removed"),
    DrawPicture(8, VideoTrack("h264", b"\x01\x64", "avc1.64001f", 1280, 720), b"\0\0\0\1e", 160),
    PictureDrawn(8, b"\xff\xd8\xff\xd9"),
    MeasureLoudness(7, AudioTrack("aac", b"\x11\x90", "mp4a.40.2", 48_000, 2), (b"abc", b"", b"d")),
    LoudnessMeasured(7, (-23.5, -24.0), -23.7, -1.5),
]


def read(data: bytes) -> list[Message]:
    reader = MessageReader()
    reader.receive_data(data)
    return list(reader.events())


@pytest.mark.parametrize("message", CASES, ids=repr)
def test_round_trip(message: Message) -> None:
    assert read(serialize(message)) == [message]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64])
def test_pieces_of_any_size(size: int) -> None:
    wire = b"".join(map(serialize, CASES))
    reader = MessageReader()
    messages = []
    for start in range(0, len(wire), size):
        reader.receive_data(wire[start : start + size])
        messages += list(reader.events())
    assert messages == CASES


@pytest.mark.parametrize(
    "wire",
    [
        b"\0\0\0\0",
        (MAX_MESSAGE_BYTES + 1).to_bytes(4, "big"),
        b"\0\0\0\1\xff",
        b"\0\0\0\2\x03{",
        b"\0\0\0\5\x02abcd",
        b"\0\0\0\3\x03{}",
        b"\0\0\0\x2d\x24" + bytes(32) + b"\1\4" + bytes(8) + b"48",
        serialize(CASES[18])[:3] + bytes([len(serialize(CASES[18])) - 5]) + serialize(CASES[18])[4:-1],
    ],
)
def test_broken_streams_are_refused(wire: bytes) -> None:
    with pytest.raises(TranscodeError):
        read(wire)


@given(st.binary(max_size=200), st.integers(min_value=0, max_value=40))
def test_any_body_is_parsed_or_refused(body: bytes, code: int) -> None:
    with suppress(TranscodeError):
        read((len(body) + 1).to_bytes(4, "big") + bytes([code]) + body)
