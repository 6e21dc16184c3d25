"""Bounds of what a frame or a configuration may be made of: a few bytes for each unit would cost far more to take."""

from __future__ import annotations

import pytest

from media.av1 import av1_config
from media.configuration import MAX_CONFIGURATION_BYTES
from media.error import PeerError
from media.flac import MIN_SAMPLE_RATE, flac_track
from media.h264 import MAX_PPS, MAX_SPS, AvcConfig, parse_avc_config
from media.hevc import HevcConfig
from media.nal import MAX_NALS, split_annexb, split_length_prefixed
from media.obu import MAX_OBUS, split_obus
from tests.rtmp.client import avc_config

EMPTY_OBU = b"\x32\x00"


def test_units_of_an_access_unit() -> None:
    assert len(split_length_prefixed(b"\0\0\0\1A" * MAX_NALS)) == MAX_NALS
    assert len(split_annexb(b"\0\0\1A" * MAX_NALS)) == MAX_NALS
    for one, split in ((b"\0\0\0\1A", split_length_prefixed), (b"\0\0\0\0", split_length_prefixed)):
        with pytest.raises(PeerError, match=f"more than {MAX_NALS} NAL units"):
            split(one * (MAX_NALS + 1))
    with pytest.raises(PeerError, match=f"more than {MAX_NALS} NAL units"):
        split_annexb(b"\0\0\1A" * (MAX_NALS + 1))


def test_units_of_a_temporal_unit() -> None:
    assert len(split_obus(EMPTY_OBU * MAX_OBUS)) == MAX_OBUS
    with pytest.raises(PeerError, match=f"more than {MAX_OBUS} units"):
        split_obus(EMPTY_OBU * (MAX_OBUS + 1))


def test_parameter_sets_of_h264() -> None:
    config = parse_avc_config(avc_config())
    (sps,), (pps,) = config.sps, config.pps
    full = AvcConfig((sps,) * MAX_SPS, (pps,) * MAX_PPS)
    assert parse_avc_config(full.serialize()) == full
    for sets in (
        ((sps,) * (MAX_SPS + 1), (pps,)),
        ((sps,), (pps,) * (MAX_PPS + 1)),
        ((sps + bytes(MAX_CONFIGURATION_BYTES),), (pps,)),
    ):
        with pytest.raises(PeerError, match=r"H\.264 configuration of"):
            AvcConfig(*sets).serialize()


def test_parameter_sets_of_the_others() -> None:
    with pytest.raises(PeerError, match="HEVC configuration of"):
        HevcConfig((b"\x42\x01" + bytes(MAX_CONFIGURATION_BYTES),)).serialize()
    with pytest.raises(PeerError, match="AV1 configuration of"):
        av1_config(bytes(MAX_CONFIGURATION_BYTES + 1))


def test_sample_rate_of_flac() -> None:
    streaminfo = bytes(2) + b"\xff\xff" + bytes(6)
    track = flac_track(streaminfo + (MIN_SAMPLE_RATE << 44).to_bytes(8, "big") + bytes(16))
    assert (track.sample_rate, track.frame_samples) == (MIN_SAMPLE_RATE, 65_535)
    with pytest.raises(PeerError, match="FLAC of 7999 Hz"):
        flac_track(streaminfo + (7999 << 44).to_bytes(8, "big") + bytes(16))
