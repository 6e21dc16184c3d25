"""Codecs other than H.264, and several tracks."""

from __future__ import annotations

import contextlib
from fractions import Fraction
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.error import PeerError
from media.h264 import join_annexb, join_length_prefixed, split_annexb
from media.hevc import HevcConfig, nal_type
from media.packet import Packet, VideoTrack
from media.timing import TimestampUnwrapper
from rtmp.enhanced import MAX_TRACKS
from rtmp.error import RefusedError
from rtmp.video import VideoTagReader
from tests.media.encode import video_config
from tests.rtmp.client import IDR, SLICE, avc_config, video_frame, video_header

HEVC_IDR, HEVC_CRA, HEVC_TRAIL = b"\x26\x01idr", b"\x2a\x01cra", b"\x02\x01trail"
H264_DATA, HEVC_DATA = join_length_prefixed([IDR]), join_length_prefixed([HEVC_IDR])

# Written by SVT-AV1 for 320x240: the header in its stream differs from the one that it announces.
AV1_CONFIG = bytes.fromhex("81000c000a0b0200000521e7fde017c002")
AV1_HEADER = bytes.fromhex("0a0b0200000521e7fde257c802")
AV1_IN_BAND = AV1_CONFIG[:4] + AV1_HEADER
AV1_LARGER = bytes.fromhex("0a0b0000000cc4ff6700be0010")
DELIMITER, FRAME = b"\x12\x00", b"\x32\x05frame"

# Written by libvpx for 320x240.
VP9_CONFIG = bytes.fromhex("010000000014820202020000")
VP9_KEY = bytes.fromhex("824983420013f00ef6") + b"frame"
VP9_KEY_LARGER = bytes.fromhex("8249834200 27f01676".replace(" ", "")) + b"frame"
VP9_INTER = b"\x86frame"


@cache
def hevc_sets(width: int = 320, height: int = 240) -> tuple[bytes, ...]:
    """Return video, sequence and picture parameter set of libx265."""
    options = {"x265-params": "log-level=none:pools=1"}
    nals = split_annexb(video_config("libx265", width, height, rate=Fraction(25), options=options))
    return tuple(nal for nal in nals if nal_type(nal) in (32, 33, 34))


def hevc_config(width: int = 320, height: int = 240, length_size: int = 4) -> bytes:
    return HevcConfig(hevc_sets(width, height), length_size).serialize()


def opened(*tags: bytes) -> VideoTagReader:
    reader = VideoTagReader(TimestampUnwrapper())
    for tag in tags:
        assert reader.read(tag, 0) == []
    return reader


def read(reader: VideoTagReader, payload: bytes, time_ms: int = 0) -> Packet:
    (packet,) = reader.read(payload, time_ms)
    return packet


def track_of(packet: Packet) -> VideoTrack:
    assert isinstance(packet.track, VideoTrack)
    return packet.track


def size(packet: Packet) -> tuple[str, int, int]:
    track = track_of(packet)
    return track.codec, track.width, track.height


@pytest.mark.parametrize(
    ("name", "header", "frame", "codec", "pts"),
    [
        ("H.264", b"\x90avc1" + avc_config(), b"\x91avc1\x00\x00\x28" + H264_DATA, "h264", 5400),
        ("H.264 without times", b"\x90avc1" + avc_config(), b"\x93avc1" + H264_DATA, "h264", 1800),
        (
            "HEVC",
            b"\x90hvc1" + hevc_config(),
            b"\x91hvc1\xff\xff\xf6" + HEVC_DATA,
            "hevc",
            900,
        ),
        ("HEVC without times", b"\x90hvc1" + hevc_config(), b"\x93hvc1" + HEVC_DATA, "hevc", 1800),
        (
            "HEVC with codec id 12",
            b"\x1c\x00\0\0\0" + hevc_config(),
            b"\x1c\x01\0\0\x28" + HEVC_DATA,
            "hevc",
            5400,
        ),
        (
            "HEVC with codec id 7",
            b"\x17\x00\0\0\0" + hevc_config(),
            b"\x17\x01\0\0\x28" + HEVC_DATA,
            "hevc",
            5400,
        ),
        ("HEVC called H.264", b"\x90avc1" + hevc_config(), b"\x93avc1" + HEVC_DATA, "hevc", 1800),
        ("AV1", b"\x90av01" + AV1_CONFIG, b"\x91av01" + AV1_HEADER + FRAME, "av1", 1800),
        ("AV1 in the other form", b"\x90av01" + AV1_CONFIG, b"\x93av01" + AV1_HEADER + FRAME, "av1", 1800),
        ("VP9", b"\x90vp09" + VP9_CONFIG, b"\x91vp09" + VP9_KEY, "vp9", 1800),
    ],
)
def test_frame_becomes_a_packet(name: str, header: bytes, frame: bytes, codec: str, pts: int) -> None:
    packet = read(opened(header), frame, 20)
    assert (packet.dts, packet.pts, packet.is_keyframe, packet.track_id) == (1800, pts, True, 0)
    assert size(packet) == (codec, 320, 240)
    assert frame.endswith(packet.data)


@pytest.mark.parametrize(
    "payload",
    [
        b"\xd4hvc1\x02\x00\x09colorInfo",
        b"\x95av01\x80",
        b"\x92hvc1",
        b"\x9ehvc1",
        b"\x96\x14hvc1",
        b"\xd1hvc1\x00",
        b"\x91hvc1",
        b"\x91hvc1\x00\x00",
        b"\x90hvc1",
        b"\x93hvc1",
    ],
)
def test_what_carries_no_picture_is_passed_over(payload: bytes) -> None:
    reader = opened(b"\x90hvc1" + hevc_config())
    assert reader.read(payload, 0) == []
    assert read(reader, b"\x93hvc1" + HEVC_DATA).is_keyframe


@pytest.mark.parametrize("fourcc", [b"hvc1", b"avc1", b"av01", b"vp09"])
def test_nothing_comes_before_a_configuration(fourcc: bytes) -> None:
    assert opened().read(b"\x93" + fourcc + b"\x00\x00\x00\x02\x26\x01", 0) == []


class TestHevc:
    def test_track(self) -> None:
        packet = read(opened(b"\x90hvc1" + hevc_config()), b"\x93hvc1" + HEVC_DATA)
        track = track_of(packet)
        assert track.config == hevc_config()
        assert track.codec_string.startswith("hvc1.1.6.L")
        assert track.frame_rate == 25

    @pytest.mark.parametrize(
        ("nal", "is_keyframe"), [(HEVC_IDR, True), (HEVC_CRA, True), (HEVC_TRAIL, False)]
    )
    def test_keyframe_is_any_random_access_point_whatever_the_tag_says(
        self, nal: bytes, is_keyframe: bool
    ) -> None:
        reader = opened(b"\x90hvc1" + hevc_config())
        for first in (b"\x93", b"\xa3"):
            assert read(reader, first + b"hvc1" + join_length_prefixed([nal])).is_keyframe is is_keyframe

    @pytest.mark.parametrize("length_size", [1, 2, 4])
    def test_lengths_become_four_bytes(self, length_size: int) -> None:
        reader = opened(b"\x90hvc1" + hevc_config(length_size=length_size))
        body = b"".join(len(nal).to_bytes(length_size, "big") + nal for nal in (b"\x46\x01\x10", HEVC_IDR))
        packet = read(reader, b"\x93hvc1" + body)
        assert packet.data == join_length_prefixed([b"\x46\x01\x10", HEVC_IDR])
        assert track_of(packet).config == hevc_config()

    def test_annexb_payload_is_converted(self) -> None:
        packet = read(
            opened(b"\x90hvc1" + hevc_config()), b"\x93hvc1" + join_annexb([b"\x46\x01\x10", HEVC_IDR])
        )
        assert packet.data == join_length_prefixed([b"\x46\x01\x10", HEVC_IDR])

    def test_parameter_sets_that_change_in_band_are_followed(self) -> None:
        reader = opened(b"\x90hvc1" + hevc_config())
        first = read(reader, b"\x93hvc1" + join_length_prefixed([*hevc_sets(), HEVC_IDR])).track
        assert track_of(read(reader, b"\x93hvc1" + join_length_prefixed([HEVC_TRAIL]))) is first
        larger = read(reader, b"\x93hvc1" + join_length_prefixed([*hevc_sets(640, 480), HEVC_IDR]))
        assert size(larger) == ("hevc", 640, 480)
        assert track_of(larger).config == hevc_config(640, 480)
        assert read(reader, b"\x93hvc1" + join_length_prefixed([HEVC_TRAIL])).track is larger.track

    def test_video_parameter_set_may_stay(self) -> None:
        reader = opened(b"\x90hvc1" + hevc_config())
        packet = read(reader, b"\x93hvc1" + join_length_prefixed([*hevc_sets(640, 480)[1:], HEVC_IDR]))
        assert track_of(packet).config == HevcConfig((hevc_sets()[0], *hevc_sets(640, 480)[1:])).serialize()

    def test_parameter_sets_may_come_in_band_only(self) -> None:
        bare = bytearray(hevc_config()[:23])
        bare[22] = 0
        reader = opened(b"\x90hvc1" + bytes(bare))
        assert reader.read(b"\x93hvc1" + HEVC_DATA, 0) == []
        packet = read(reader, b"\x93hvc1" + join_length_prefixed([*hevc_sets(), HEVC_IDR]))
        assert track_of(packet).config == hevc_config()


class TestAv1:
    def test_delimiter_is_left_out_and_the_header_in_the_stream_counts(self) -> None:
        reader = opened(b"\x90av01" + AV1_CONFIG)
        packet = read(reader, b"\x91av01" + DELIMITER + AV1_HEADER + FRAME)
        assert packet.data == AV1_HEADER + FRAME
        assert track_of(packet).config == AV1_IN_BAND
        second = read(reader, b"\xa1av01" + DELIMITER + FRAME, 40)
        assert (second.data, second.is_keyframe, second.track) == (FRAME, False, packet.track)

    def test_another_header_is_another_track(self) -> None:
        reader = opened(b"\x90av01" + AV1_CONFIG)
        first = read(reader, b"\x91av01" + AV1_HEADER + FRAME)
        assert read(reader, b"\x91av01" + AV1_HEADER + FRAME).track is first.track
        assert size(read(reader, b"\x91av01" + AV1_LARGER + FRAME)) == ("av1", 640, 360)

    def test_repeated_configuration_changes_nothing(self) -> None:
        reader = opened(b"\x90av01" + AV1_CONFIG)
        first = read(reader, b"\x91av01" + AV1_HEADER + FRAME)
        assert reader.read(b"\x90av01" + AV1_CONFIG, 0, {0: 1}) == []
        assert read(reader, b"\x91av01" + FRAME).track is first.track

    def test_header_may_come_in_band_only(self) -> None:
        reader = opened(b"\x90av01" + AV1_CONFIG[:4])
        assert reader.read(b"\xa1av01" + FRAME, 0) == []
        assert track_of(read(reader, b"\x91av01" + AV1_HEADER + FRAME)).config == AV1_IN_BAND

    def test_unit_of_a_delimiter_alone_is_no_frame(self) -> None:
        assert opened(b"\x90av01" + AV1_CONFIG).read(b"\x91av01" + DELIMITER, 0) == []


class TestVp9:
    def test_track_comes_with_the_first_key_frame(self) -> None:
        reader = opened(b"\x90vp09" + VP9_CONFIG)
        assert reader.read(b"\xa1vp09" + VP9_INTER, 0) == []
        packet = read(reader, b"\x91vp09" + VP9_KEY)
        assert (packet.data, track_of(packet).codec_string) == (VP9_KEY, "vp09.00.20.08")
        second = read(reader, b"\x91vp09" + VP9_INTER)
        assert (second.is_keyframe, second.track) == (False, packet.track)

    def test_another_size_is_another_track(self) -> None:
        reader = opened(b"\x90vp09" + VP9_CONFIG)
        first = read(reader, b"\x91vp09" + VP9_KEY)
        assert read(reader, b"\x91vp09" + VP9_KEY).track is first.track
        assert size(read(reader, b"\x91vp09" + VP9_KEY_LARGER)) == ("vp9", 640, 360)

    def test_record_without_its_version_is_taken(self) -> None:
        packet = read(opened(b"\x90vp09" + VP9_CONFIG[4:]), b"\x91vp09" + VP9_KEY)
        assert track_of(packet).config == VP9_CONFIG

    def test_repeated_configuration_changes_nothing(self) -> None:
        reader = opened(b"\x90vp09" + VP9_CONFIG)
        first = read(reader, b"\x91vp09" + VP9_KEY)
        assert reader.read(b"\x90vp09" + VP9_CONFIG, 0, {0: 1}) == []
        assert read(reader, b"\x91vp09" + VP9_INTER).track is first.track


class TestTracks:
    def test_second_track_beside_a_legacy_one(self) -> None:
        reader = opened(video_header(avc_config()), b"\x96\x00avc1\x01" + avc_config(160, 120))
        main = read(reader, video_frame(IDR), 40)
        second = read(reader, b"\x96\x01avc1\x01\x00\x00\x28" + H264_DATA, 40)
        assert (main.track_id, size(main), main.pts) == (0, ("h264", 320, 240), 3600)
        assert (second.track_id, size(second), second.pts) == (1, ("h264", 160, 120), 7200)

    def test_tracks_of_several_codecs_in_one_tag(self) -> None:
        records = [(b"hvc1", 0, hevc_config()), (b"av01", 4, AV1_CONFIG), (b"vp09", 250, VP9_CONFIG)]
        frames = [
            (b"hvc1", 0, b"\x00\x00\x0a" + join_length_prefixed([HEVC_TRAIL])),
            (b"av01", 4, AV1_HEADER + FRAME),
            (b"vp09", 250, VP9_KEY),
        ]
        reader = opened(b"\x96\x20" + bodies(records))
        packets = reader.read(b"\x96\x21" + bodies(frames), 40)
        assert [(packet.track_id, packet.pts) for packet in packets] == [(0, 4500), (4, 3600), (250, 3600)]
        assert [size(packet) for packet in packets] == [
            ("hevc", 320, 240),
            ("av1", 320, 240),
            ("vp9", 320, 240),
        ]

    def test_bitrates_go_to_their_tracks(self) -> None:
        reader = VideoTagReader(TimestampUnwrapper())
        reader.read(
            b"\x96\x10avc1" + b"".join(sized(number, avc_config()) for number in (0, 1)), 0, {1: 500_000}
        )
        frame = b"\x00\x00\x00" + join_length_prefixed([SLICE])
        packets = reader.read(b"\x96\x11avc1" + sized(0, frame) + sized(1, frame), 0)
        assert [track_of(packet).bitrate_bps for packet in packets] == [None, 500_000]

    def test_more_tracks_than_a_publisher_may_send_are_refused(self) -> None:
        reader = opened(
            *(b"\x96\x00avc1" + bytes([track_id]) + avc_config() for track_id in range(MAX_TRACKS))
        )
        with pytest.raises(RefusedError, match="more than 8 video tracks are not supported"):
            reader.read(b"\x96\x00avc1\xff" + avc_config(), 0)

    def test_track_may_change_its_codec(self) -> None:
        reader = opened(b"\x90hvc1" + hevc_config(), video_header(avc_config()))
        assert size(read(reader, video_frame(IDR))) == ("h264", 320, 240)

    def test_nanoseconds_are_added_to_both_times(self) -> None:
        reader = opened(b"\x90hvc1" + hevc_config())
        offset = b"\x97\x02\x05\x16\x15\x01"  # 333,333 ns
        packet = read(reader, offset + b"hvc1\x00\x00\x0a" + HEVC_DATA, 1)
        assert (packet.dts, packet.pts) == (120, 1020)


def sized(track_id: int, data: bytes) -> bytes:
    return bytes([track_id]) + len(data).to_bytes(3, "big") + data


def bodies(tracks: list[tuple[bytes, int, bytes]]) -> bytes:
    return b"".join(fourcc + sized(track_id, data) for fourcc, track_id, data in tracks)


@pytest.mark.parametrize(
    ("name", "tags", "words"),
    [
        ("hvcC cut short", [b"\x90hvc1" + hevc_config()[:40]], "cut short"),
        ("hvcC of another version", [b"\x90hvc1\x02" + hevc_config()[1:]], "hvcC"),
        ("hvcC with lengths of three bytes", [b"\x90hvc1" + hevc_config()[:21] + b"\x0e\x00"], "3 bytes"),
        (
            "HEVC frame cut short",
            [b"\x90hvc1" + hevc_config(), b"\x93hvc1\x00\x00\x00\x09\x26\x01"],
            "cut short",
        ),
        ("av1C cut short", [b"\x90av01\x81\x00"], "av1C"),
        ("av1C of another version", [b"\x90av01\x82\x00\x0c\x00"], "av1C"),
        ("AV1 header cut short", [b"\x90av01" + AV1_CONFIG[:4] + b"\x0a\x02\x02\x00"], "cut short"),
        ("AV1 unit cut short", [b"\x90av01" + AV1_CONFIG, b"\x91av01\x32\x09frame"], "cut short"),
        ("AV1 size cut short", [b"\x90av01" + AV1_CONFIG, b"\x91av01\x32\x80"], "inside its size"),
        ("vpcC cut short", [b"\x90vp09" + VP9_CONFIG[:7]], "vpcC"),
        ("VP9 without marker", [b"\x90vp09" + VP9_CONFIG, b"\x91vp09\x00"], "frame marker"),
        (
            "VP9 without sync code",
            [b"\x90vp09" + VP9_CONFIG, b"\x91vp09\x82\x49\x83\x43" + bytes(9)],
            "sync code",
        ),
        ("VP9 cut short", [b"\x90vp09" + VP9_CONFIG, b"\x91vp09" + VP9_KEY[:6]], "cut short"),
    ],
)
def test_damaged_tags_are_refused(name: str, tags: list[bytes], words: str) -> None:
    reader = opened(*tags[:-1])
    with pytest.raises(PeerError, match=words):
        reader.read(tags[-1], 0)


HEADS = [
    b"\x90hvc1",
    b"\x90av01\x81",
    b"\x90vp09",
    b"\x91av01",
    b"\x91vp09",
    b"\x91hvc1",
    b"\x96\x21",
    b"\x97",
    b"\x1c",
]


@given(st.lists(st.tuples(st.sampled_from(HEADS), st.binary(max_size=40)), max_size=4))
def test_any_tags_are_read_or_are_the_peers_error(tags: list[tuple[bytes, bytes]]) -> None:
    reader = opened(
        b"\x90av01" + AV1_CONFIG, b"\x96\x00vp09\x01" + VP9_CONFIG, b"\x96\x00hvc1\x02" + hevc_config()
    )
    for head, body in tags:
        with contextlib.suppress(PeerError):
            reader.read(head + body, 0)
