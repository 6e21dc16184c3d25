from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.av1 import av1_track
from media.error import PeerError
from media.h264 import split_annexb
from media.hevc import hevc_track, nal_type
from media.opus import opus_track
from tests.media.encode import video_config

# Written by SVT-AV1 for 640x360, 8 bits.
AV1_CONFIG = "81010c000a0b0000000cc4ff6700be0010"


def hvcc(nals: list[bytes]) -> bytes:
    """Build an hvcC record around the parameter sets of an encoder."""
    sps = next(nal for nal in nals if nal_type(nal) == 33)
    profile = sps.replace(b"\x00\x00\x03", b"\x00\x00")[3:15]
    head = b"\x01" + profile + bytes.fromhex("f000fcfdf8f800000f")
    arrays = b"".join(bytes([nal_type(nal)]) + struct.pack(">HH", 1, len(nal)) + nal for nal in nals)
    return head + bytes([len(nals)]) + arrays


@pytest.mark.parametrize(
    ("width", "height", "pix_fmt", "depth", "profile"),
    [(1920, 1080, "yuv420p", 8, "hvc1.1.6.L"), (638, 358, "yuv420p10le", 10, "hvc1.2.4.L")],
)
def test_hevc_track_of_libx265(width: int, height: int, pix_fmt: str, depth: int, profile: str) -> None:
    options = {"x265-params": "log-level=none:pools=1"}
    nals = split_annexb(video_config("libx265", width, height, pix_fmt=pix_fmt, options=options))
    track = hevc_track(hvcc([nal for nal in nals if nal_type(nal) in (32, 33, 34)]))
    assert (track.codec, track.width, track.height, track.bit_depth) == ("hevc", width, height, depth)
    assert track.chroma_format_idc == 1
    assert track.codec_string.startswith(profile)


def test_av1_track() -> None:
    track = av1_track(bytes.fromhex(AV1_CONFIG), bitrate_bps=1_000_000)
    assert (track.codec, track.width, track.height, track.bit_depth) == ("av1", 640, 360, 8)
    assert (track.codec_string, track.chroma_format_idc) == ("av01.0.01M.08", 1)


@pytest.mark.parametrize("channels", [1, 2])
def test_opus_track_configures_a_decoder(channels: int) -> None:
    track = opus_track(channels)
    assert (track.sample_rate, track.channels, track.frame_samples) == (48_000, channels, 960)
    assert struct.unpack(">BBHIhB", track.config) == (0, channels, 312, 48_000, 0, 0)


@given(st.binary(max_size=60))
def test_any_bytes_parse_or_are_the_peers_error(data: bytes) -> None:
    with contextlib.suppress(PeerError):
        hevc_track(b"\x01" + data)
    with contextlib.suppress(PeerError):
        av1_track(b"\x81" + data)
