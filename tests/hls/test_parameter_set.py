import struct

import pytest

from hls.initialization import video_init
from hls.parameter_set import complete_arrays, parameter_sets
from media.packet import VideoTrack

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
    strict = hvcc((0x80 | 32, [VPS]), (0x80 | 33, [SPS, OTHER_SPS]), (0x80 | 34, [PPS]), (39, [SEI]))
    assert complete_arrays(LOOSE) == strict
    assert complete_arrays(strict) == strict
    description = find(video_init(VideoTrack("hevc", LOOSE, "hvc1", 64, 36)), b"stsd")
    assert b"hvcC" + strict in description
