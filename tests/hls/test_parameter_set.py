import struct
from fractions import Fraction

import pytest

from hls.initialization import video_init
from hls.parameter_set import parameter_sets
from media.hevc import hevc_track, nal_type
from media.nal import split_annexb
from media.packet import VideoTrack
from tests.media.encode import video_config

from .boxes import find

VPS, SPS, OTHER_SPS, PPS, SEI = b"\x40\x01v", b"\x42\x01s", b"\x42\x01S", b"\x44\x01p", b"\x4e\x01i"
HEAD = b"\x01" + bytes(21)


def hvcc(*arrays: tuple[int, list[bytes]]) -> bytes:
    """Build an hvcC record; the first byte of each array stands as given."""
    record = HEAD + bytes([len(arrays)])
    for first, nals in arrays:
        record += struct.pack(">BH", first, len(nals))
        record += b"".join(struct.pack(">H", len(nal)) + nal for nal in nals)
    return record


LOOSE = hvcc((32, [VPS]), (0x80 | 33, [SPS, OTHER_SPS]), (34, [PPS]), (39, [SEI]))
AVCC = bytes.fromhex("014d001fffe10004674d003101000268ee")


@pytest.mark.parametrize(
    ("codec", "config", "expected"),
    [
        ("h264", AVCC, [b"\x67\x4d\x00\x31", b"\x68\xee"]),
        ("hevc", LOOSE, [VPS, SPS, OTHER_SPS, PPS]),
        ("hevc", hvcc(), []),
        ("av1", bytes.fromhex("81010c000a0b0000000cc4ff6700be0010"), []),
    ],
)
def test_parameter_sets_by_codec(codec: str, config: bytes, expected: list[bytes]) -> None:
    assert parameter_sets(VideoTrack(codec, config, "", 64, 36)) == expected


def test_a_record_says_that_its_parameter_sets_are_all_there_are() -> None:
    """Whatever the encoder's record said: `hevc_track` writes its own, and packaging takes it as it is."""
    options = {"x265-params": "log-level=none:pools=1"}
    sets = split_annexb(video_config("libx265", 64, 64, rate=Fraction(25), options=options))
    vps, sps, pps = (next(nal for nal in sets if nal_type(nal) == kind) for kind in (32, 33, 34))
    loose = hvcc((32, [vps]), (0x80 | 33, [sps]), (34, [pps]), (39, [SEI]))
    strict = hvcc((0x80 | 32, [vps]), (0x80 | 33, [sps]), (0x80 | 34, [pps]), (39, [SEI]))
    arrays = slice(len(HEAD), None)
    track = hevc_track(loose)
    assert track.config[arrays] == strict[arrays]
    assert hevc_track(track.config).config == track.config
    description = find(video_init(track), b"stsd")
    assert b"hvcC" + track.config in description
