from __future__ import annotations

import base64

import pytest

from media.error import PeerError
from media.h264 import parse_avc_config
from media.nal import split_length_prefixed
from webrtc.ingest.packet import AccessUnit
from webrtc.ingest.picture import PictureAssembler

from .sender import pictures

SLICE, IDR, AUD, FILLER, SEI = b"\x41slice", b"\x65idr", b"\x09\xf0", b"\x0c\xff", b"\x06sei"


def sets_of(width: int, height: int) -> tuple[bytes, bytes]:
    """Return the parameter sets of a real stream, which begins with a STAP-A of both."""
    payload = pictures(1, width, height)[0].payloads[0]
    found, position = [], 1
    while position < len(payload):
        end = position + 2 + int.from_bytes(payload[position : position + 2], "big")
        found.append(payload[position + 2 : end])
        position = end
    return next(nal for nal in found if nal[0] & 31 == 7), next(nal for nal in found if nal[0] & 31 == 8)


SPS, PPS = sets_of(320, 180)
OTHER_SPS, OTHER_PPS = sets_of(640, 360)


def unit(*nals: bytes) -> AccessUnit:
    types = {nal[0] & 31 for nal in nals}
    return AccessUnit(0, nals, bool(types & {1, 5}), 5 in types, 0.0)


def test_sets_become_the_track_and_leave_the_keyframe() -> None:
    frame = PictureAssembler().take(unit(AUD, SPS, PPS, SEI, IDR, FILLER))
    assert frame is not None
    assert (frame.track.width, frame.track.height) == (320, 180)
    config = parse_avc_config(frame.track.config)
    assert (config.sps, config.pps) == ((SPS,), (PPS,))
    assert split_length_prefixed(frame.data) == [SEI, IDR]


def test_sets_may_come_before_the_picture() -> None:
    assembler = PictureAssembler()
    assert assembler.take(unit(SPS, PPS)) is None
    assert assembler.take(unit(IDR)) is not None


def test_without_sets_there_is_no_picture() -> None:
    assembler = PictureAssembler()
    assert assembler.take(unit(IDR)) is None
    assert assembler.take(unit(SLICE)) is None
    assert assembler.take(unit(SPS, IDR)) is None


def test_the_same_sets_again_are_the_same_track() -> None:
    assembler = PictureAssembler()
    first, second = assembler.take(unit(SPS, PPS, IDR)), assembler.take(unit(SPS, PPS, IDR))
    assert first is not None
    assert second is not None
    assert first.track is second.track


def test_another_size_is_another_track_from_the_keyframe_on() -> None:
    assembler = PictureAssembler()
    assembler.take(unit(SPS, PPS, IDR))
    sizes = [
        frame.track.width
        for nals in [(SLICE,), (OTHER_SPS, OTHER_PPS, SLICE), (IDR,), (SLICE,)]
        if (frame := assembler.take(unit(*nals))) is not None
    ]
    assert sizes == [320, 320, 640, 640]


def test_sets_between_keyframes_stay_in_the_stream() -> None:
    assembler = PictureAssembler()
    assembler.take(unit(SPS, PPS, IDR))
    frame = assembler.take(unit(AUD, PPS, SLICE))
    assert frame is not None
    assert split_length_prefixed(frame.data) == [PPS, SLICE]


def test_sets_may_be_announced() -> None:
    sets = ",".join(base64.b64encode(nal).decode() for nal in (SPS, PPS))
    fmtp = f"packetization-mode=1; sprop-parameter-sets={sets};profile-level-id=42e01f"
    frame = PictureAssembler(fmtp).take(unit(IDR))
    assert frame is not None
    assert frame.track.width == 320


@pytest.mark.parametrize("value", ["", "%", "AA==", "Z2Rh,", "===", "Zw==,aA=="])
def test_malformed_announcements_say_nothing(value: str) -> None:
    assert PictureAssembler(f"sprop-parameter-sets={value}").take(unit(IDR)) is None


def test_sets_that_nobody_can_read_are_the_end() -> None:
    with pytest.raises(PeerError):
        PictureAssembler().take(unit(b"\x67\x42\x00\x1f\xff", PPS, IDR))
