from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.aac import AudioSpecificConfig, aac_track, parse_audio_specific_config, silent_frame, strip_adts
from media.error import LocalStateError, PeerError
from tests.media.encode import decode_aac, encode_aac

CONFIGS = [
    ("LC 44.1 kHz stereo", AudioSpecificConfig(2, 44_100, 2, core_sample_rate=44_100), "1210"),
    ("LC 48 kHz stereo", AudioSpecificConfig(2, 48_000, 2, core_sample_rate=48_000), "1190"),
    ("LC 48 kHz mono", AudioSpecificConfig(2, 48_000, 1, core_sample_rate=48_000), "1188"),
    ("LC 48 kHz 5.1", AudioSpecificConfig(2, 48_000, 6, core_sample_rate=48_000), "11b0"),
    ("LC 48 kHz 7.1", AudioSpecificConfig(2, 48_000, 8, core_sample_rate=48_000), "11b8"),
    ("LC 960 samples", AudioSpecificConfig(2, 48_000, 2, 960, core_sample_rate=48_000), "1194"),
    ("HE 44.1 kHz", AudioSpecificConfig(5, 44_100, 2, 2048, True, 22_050), "2b920800"),
    ("HE 48 kHz", AudioSpecificConfig(5, 48_000, 2, 2048, True, 24_000), "2b118800"),
    ("HE v2 48 kHz", AudioSpecificConfig(29, 48_000, 2, 2048, True, 24_000), "eb098800"),
    ("rate written out", AudioSpecificConfig(2, 47_999, 2, core_sample_rate=47_999), "17805dbf90"),
]


@pytest.mark.parametrize(("name", "value", "wire"), CONFIGS, ids=[case[0] for case in CONFIGS])
def test_config_parses_and_serialises(name: str, value: AudioSpecificConfig, wire: str) -> None:
    assert parse_audio_specific_config(bytes.fromhex(wire)) == value
    assert parse_audio_specific_config(value.serialize()) == value
    assert value.serialize().hex() == wire


@pytest.mark.parametrize(
    ("wire", "rate", "object_type"),
    [
        ("121056e500", 44_100, 2),  # LC as ffmpeg writes it: the extension says "no SBR"
        ("131056e598", 48_000, 5),  # backward-compatible SBR over a 24 kHz core
        ("139056e5a0", 44_100, 5),
    ],
)
def test_backward_compatible_sbr(wire: str, rate: int, object_type: int) -> None:
    facts = parse_audio_specific_config(bytes.fromhex(wire))
    assert (facts.sample_rate, facts.object_type, facts.has_sbr) == (rate, object_type, object_type == 5)
    assert facts.frame_samples == (2048 if object_type == 5 else 1024)


def test_program_config_element_tells_the_channels() -> None:
    fields = [(2, 5), (3, 4), (0, 4), (0, 3), (0, 10), (2, 4), (0, 4), (1, 4), (1, 2), (0, 3), (0, 4), (0, 3)]
    fields += [(0b0_0000, 5), (0b1_0000, 5), (0b1_0001, 5), (0, 4)]  # centre, front pair, back pair, effects
    text = "".join(f"{value:0{width}b}" for value, width in fields)
    text += "0" * (-len(text) % 8) + "00000000"
    facts = parse_audio_specific_config(int(text, 2).to_bytes(len(text) // 8, "big"))
    assert (facts.channels, facts.sample_rate) == (6, 48_000)


@pytest.mark.parametrize("wire", ["", "12", "0a10", "1a10", "1680", "1280", "178000000190", "f8e0"])
def test_unusable_config_is_the_peers_error(wire: str) -> None:
    with pytest.raises(PeerError):
        parse_audio_specific_config(bytes.fromhex(wire))


def test_channels_without_a_configuration_cannot_be_written() -> None:
    with pytest.raises(LocalStateError):
        AudioSpecificConfig(2, 48_000, 7).serialize()


@pytest.mark.parametrize(
    ("rate", "layout", "channels"), [(44_100, "mono", 1), (48_000, "stereo", 2), (48_000, "5.1", 6)]
)
def test_track_of_a_real_encoder(rate: int, layout: str, channels: int) -> None:
    config, _ = encode_aac(rate, layout)
    track = aac_track(config, bitrate_bps=128_000)
    assert (track.sample_rate, track.channels, track.codec_string) == (rate, channels, "mp4a.40.2")
    assert (track.codec, track.config, track.frame_samples, track.bitrate_bps) == (
        "aac",
        config,
        1024,
        128_000,
    )


@pytest.mark.parametrize("rate", [44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_silent_frame_decodes_to_silence(rate: int, channels: int) -> None:
    config = AudioSpecificConfig(2, rate, channels).serialize()
    samples = decode_aac(config, [silent_frame(channels)] * 10)
    assert samples.shape == (channels, 10 * 1024)
    assert not samples.any()


def test_silence_between_frames_of_a_real_encoder() -> None:
    config, frames = encode_aac(48_000, "stereo")
    samples = decode_aac(config, [*frames, *[silent_frame(2)] * 5, *frames])
    first_silent = (len(frames) + 1) * 1024  # one frame of overlap fades out
    assert not samples[:, first_silent : first_silent + 3 * 1024].any()
    assert np.abs(samples[:, -4 * 1024 : -2 * 1024]).max() > 0.3


def test_adts_header_is_stripped() -> None:
    payload = silent_frame(2)
    for has_crc, header in ((1, b""), (0, b"\x12\x34")):
        length = 7 + len(header) + len(payload)
        head = bytes(
            [0xFF, 0xF0 | has_crc, 0x4C, 0x80 | length >> 11, length >> 3 & 0xFF, (length & 7) << 5, 0xFC]
        )
        assert strip_adts(head + header + payload) == payload
        assert strip_adts(head + header + payload + b"x") == head + header + payload + b"x"
    assert strip_adts(payload) == payload
    assert strip_adts(b"") == b""


@given(st.binary(max_size=40))
def test_any_bytes_parse_or_are_the_peers_error(data: bytes) -> None:
    strip_adts(data)
    with contextlib.suppress(PeerError):
        aac_track(data)
