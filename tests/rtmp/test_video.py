from __future__ import annotations

import pytest

from media.configuration import MAX_CONFIGURATION_BYTES
from media.error import PeerError
from media.h264 import join_annexb, join_length_prefixed, parse_avc_config
from media.nal import MAX_NALS
from media.packet import Packet, VideoTrack
from media.timing import TimestampUnwrapper
from rtmp.error import RefusedError
from rtmp.video import VideoTagReader
from tests.rtmp.client import IDR, SLICE, avc_config, video_frame, video_header

CONFIG = avc_config()
OTHER = avc_config(640, 480)


def opened(config: bytes = CONFIG) -> VideoTagReader:
    reader = VideoTagReader(TimestampUnwrapper())
    assert reader.read(video_header(config), 0) == []
    return reader


def read(reader: VideoTagReader, payload: bytes, time_ms: int = 0) -> Packet:
    (packet,) = reader.read(payload, time_ms)
    return packet


def size(packet: Packet) -> tuple[int, int]:
    assert isinstance(packet.track, VideoTrack)
    return packet.track.width, packet.track.height


@pytest.mark.parametrize(("composition_ms", "pts"), [(0, 90_000), (80, 97_200), (-40, 86_400)])
def test_frame_becomes_a_packet(composition_ms: int, pts: int) -> None:
    packet = read(opened(), video_frame(IDR, composition_ms=composition_ms), 1000)
    assert (packet.dts, packet.pts, packet.is_keyframe) == (90_000, pts, True)
    assert packet.data == join_length_prefixed([IDR])
    assert size(packet) == (320, 240)


def test_keyframe_is_an_idr_whatever_the_tag_says() -> None:
    reader = opened()
    assert not read(reader, b"\x17" + video_frame(SLICE)[1:]).is_keyframe
    assert read(reader, b"\x27" + video_frame(IDR)[1:]).is_keyframe


def test_nothing_comes_before_a_header() -> None:
    assert VideoTagReader(TimestampUnwrapper()).read(video_frame(IDR), 0) == []


def test_repeated_header_changes_nothing_and_another_one_does() -> None:
    reader = opened()
    first = read(reader, video_frame(IDR)).track
    reader.read(video_header(CONFIG), 0, bitrates_bps={0: 1})
    assert read(reader, video_frame(SLICE)).track is first
    reader.read(video_header(OTHER), 0, bitrates_bps={0: 2_000_000})
    packet = read(reader, video_frame(IDR))
    assert size(packet) == (640, 480)
    assert packet.track.bitrate_bps == 2_000_000


def test_parameter_sets_that_change_in_band_are_followed() -> None:
    reader = opened()
    same, other = parse_avc_config(CONFIG), parse_avc_config(OTHER)
    first = read(reader, video_frame(same.sps[0], same.pps[0], IDR)).track
    assert size(read(reader, video_frame(SLICE))) == (320, 240)
    assert read(reader, video_frame(same.sps[0], same.pps[0], IDR)).track is first
    assert size(read(reader, video_frame(other.sps[0], other.pps[0], IDR))) == (640, 480)
    assert size(read(reader, video_frame(SLICE))) == (640, 480)


def test_parameter_sets_in_band_are_bounded() -> None:
    other = parse_avc_config(OTHER)
    for sets in ([other.sps[0]] * 300, [other.sps[0] + bytes(70_000)]):
        with pytest.raises(PeerError, match=r"H\.264 configuration of"):
            opened().read(video_frame(*sets, other.pps[0], IDR), 0)


def test_units_of_a_frame_are_bounded() -> None:
    assert len(read(opened(), video_frame(*[SLICE[:2]] * MAX_NALS)).data) == 6 * MAX_NALS
    with pytest.raises(PeerError, match=f"more than {MAX_NALS} NAL units"):
        opened().read(video_frame(*[SLICE[:2]] * (MAX_NALS + 1)), 0)


def test_header_is_bounded() -> None:
    with pytest.raises(PeerError, match=r"H\.264 configuration of"):
        opened(CONFIG + bytes(MAX_CONFIGURATION_BYTES))


@pytest.mark.parametrize("length_size", [1, 2, 4])
def test_lengths_become_four_bytes(length_size: int) -> None:
    reader = opened(avc_config(length_size=length_size))
    body = b"".join(len(nal).to_bytes(length_size, "big") + nal for nal in (b"\x09\xf0", IDR))
    packet = read(reader, b"\x17\x01\0\0\0" + body)
    assert packet.data == join_length_prefixed([b"\x09\xf0", IDR])
    assert packet.track.config == CONFIG


@pytest.mark.parametrize("start_code", [b"\x00\x00\x01", b"\x00\x00\x00\x01"])
def test_annexb_payload_is_converted(start_code: bytes) -> None:
    packet = read(opened(), b"\x17\x01\0\0\0" + start_code + b"\x09\xf0" + start_code + IDR)
    assert packet.data == join_length_prefixed([b"\x09\xf0", IDR])
    assert packet.is_keyframe


def test_unit_of_256_bytes_is_not_taken_for_a_start_code() -> None:
    nal = b"\x65" + bytes(299)
    assert read(opened(), video_frame(nal)).data == join_length_prefixed([nal])
    assert join_annexb([nal])[:3] == b"\0\0\0"


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("empty message", b""),
        ("tag header only", b"\x17\x01\0\0\0"),
        ("cut tag header", b"\x17\x01\0"),
        ("empty units only", b"\x17\x01\0\0\0" + bytes(8)),
        ("end of sequence", b"\x17\x02\0\0\0"),
        ("unknown packet type", b"\x17\x09\0\0\0abc"),
        ("information frame", b"\x57\x00"),
        ("empty header", b"\x17\x00\0\0\0"),
    ],
)
def test_what_carries_no_picture_is_passed_over(name: str, payload: bytes) -> None:
    reader = opened()
    assert reader.read(payload, 0) == []
    assert read(reader, video_frame(IDR)).is_keyframe


def test_empty_units_are_left_out() -> None:
    packet = read(opened(), b"\x17\x01\0\0\0" + bytes(4) + join_length_prefixed([IDR]) + bytes(4))
    assert packet.data == join_length_prefixed([IDR])


@pytest.mark.parametrize("cut", [1, 3, 8])
def test_truncated_frame_is_refused(cut: int) -> None:
    with pytest.raises(PeerError, match="cut short"):
        opened().read(video_frame(SLICE, IDR)[:-cut], 0)


def test_damaged_header_is_refused() -> None:
    with pytest.raises(PeerError, match="avcC"):
        VideoTagReader(TimestampUnwrapper()).read(video_header(CONFIG[:20]), 0)


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"\x90vp08", "VP8 over Enhanced RTMP"),
        (b"\x91vvc1", "VVC over"),
        (b"\x90\xffzzz", "over Enhanced"),
        (b"\x96\x11vvc1\x00\x00\x00\x00", "VVC over"),
        (b"\x12abc", "H.263"),
        (b"\x1f", "number 15"),
    ],
)
def test_other_codecs_are_refused_by_name(payload: bytes, words: str) -> None:
    with pytest.raises(
        RefusedError, match=f"{words}.* is not supported: set the encoder to H.264, HEVC, AV1 or VP9"
    ) as caught:
        VideoTagReader(TimestampUnwrapper()).read(payload, 0)
    assert caught.value.code == "NetStream.Publish.Rejected"
