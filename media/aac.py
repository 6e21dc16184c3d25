"""AAC facts at bit level: AudioSpecificConfig, ADTS headers and a frame of silence.

Source: ISO/IEC 14496-3 (1.6.2.1 AudioSpecificConfig, 1.6.5 signalling of SBR, 4.4.2.1 raw_data_block,
1.A.2 ADTS).
"""

from __future__ import annotations

from dataclasses import dataclass

from media.bit import BitReader
from media.error import LocalStateError, PeerError
from media.packet import AudioTrack

AAC_LC = 2
SBR = 5
PARAMETRIC_STEREO = 29

SAMPLE_RATES = (
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
)  # fmt: skip
"""In Hz, by samplingFrequencyIndex; index 15 means that the rate itself follows."""

# Channels by channelConfiguration (table 1.19); 0 means that a program_config_element tells.
_CHANNELS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 8, 11: 7, 12: 8, 14: 8}
_CONFIGURATIONS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 8: 7}

_SYNC_EXTENSION_SBR = 0x2B7

# raw_data_block with all spectra empty (max_sfb is 0), the same at every sample rate:
# an element id and tag, window and gain fields, no data, ID_END.
_SILENCE = {1: bytes.fromhex("00c80007"), 2: bytes.fromhex("21000320641c")}


@dataclass(frozen=True, slots=True)
class AudioSpecificConfig:
    """How an AAC stream is coded."""

    object_type: int
    """2 AAC-LC, 5 with SBR (HE-AAC), 29 with SBR and parametric stereo (HE-AAC v2)."""
    sample_rate: int
    """Of the decoded signal in Hz: with SBR usually twice the core coder's."""
    channels: int
    """Of the decoded signal."""
    frame_samples: int = 1024
    """Decoded samples per channel in a frame."""
    has_sbr: bool = False
    core_sample_rate: int = 0
    """In Hz; 0 means `sample_rate`."""

    def serialize(self) -> bytes:
        """Write the record, SBR signalled explicitly at its head.

        Raises:
            LocalStateError: no channelConfiguration has this number of channels.
        """
        core_rate = self.core_sample_rate or self.sample_rate
        channels = 1 if self.object_type == PARAMETRIC_STEREO else self.channels
        if channels not in _CONFIGURATIONS:
            raise LocalStateError(f"AAC has no channel configuration for {channels} channels")
        bits = _join((self.object_type, 5)) + _rate_bits(core_rate) + _join((_CONFIGURATIONS[channels], 4))
        if self.has_sbr:
            bits += _rate_bits(self.sample_rate) + _join((AAC_LC, 5))
        core_samples = self.frame_samples * core_rate // self.sample_rate
        bits += _join((1 if core_samples == 960 else 0, 1), (0, 2))
        bits += "0" * (-len(bits) % 8)
        return int(bits, 2).to_bytes(len(bits) // 8, "big")


def _join(*fields: tuple[int, int]) -> str:
    return "".join(f"{value:0{width}b}" for value, width in fields)


def _rate_bits(sample_rate: int) -> str:
    if sample_rate in SAMPLE_RATES:
        return _join((SAMPLE_RATES.index(sample_rate), 4))
    return _join((15, 4), (sample_rate, 24))


def parse_audio_specific_config(data: bytes) -> AudioSpecificConfig:
    """Parse an AudioSpecificConfig of AAC-LC, HE-AAC or HE-AAC v2.

    Raises:
        PeerError: it is cut short, or of a kind of AAC that players do not take.
    """
    reader = BitReader(data)
    object_type = _read_object_type(reader)
    core_rate = sample_rate = _read_rate(reader)
    configuration = reader.read(4)
    core_type = object_type
    if object_type in (SBR, PARAMETRIC_STEREO):
        sample_rate = _read_rate(reader)
        core_type = _read_object_type(reader)
    if core_type != AAC_LC:
        raise PeerError(f"AAC object type {core_type} is not supported; use AAC-LC")
    core_samples, channels = _read_coder(reader, configuration)
    if object_type == AAC_LC and reader.remaining >= 16 and reader.read(11) == _SYNC_EXTENSION_SBR:
        object_type, sample_rate = _read_sync_extension(reader, core_rate)
    return AudioSpecificConfig(
        object_type=object_type,
        sample_rate=sample_rate,
        channels=2 if object_type == PARAMETRIC_STEREO else channels,
        frame_samples=core_samples * sample_rate // core_rate,
        has_sbr=object_type != AAC_LC,
        core_sample_rate=core_rate,
    )


def _read_object_type(reader: BitReader) -> int:
    object_type = reader.read(5)
    return 32 + reader.read(6) if object_type == 31 else object_type


def _read_rate(reader: BitReader) -> int:
    index = reader.read(4)
    if index == 15:
        sample_rate = reader.read(24)
    elif index < len(SAMPLE_RATES):
        sample_rate = SAMPLE_RATES[index]
    else:
        raise PeerError(f"AAC sampling frequency index {index} does not exist")
    if not SAMPLE_RATES[-1] <= sample_rate <= SAMPLE_RATES[0]:
        raise PeerError(f"AAC sample rate of {sample_rate} Hz; 7350 to 96000 are accepted")
    return sample_rate


def _read_coder(reader: BitReader, configuration: int) -> tuple[int, int]:
    """Read GASpecificConfig (4.4.1); return the core's samples per frame and its channels."""
    core_samples = 960 if reader.read_flag() else 1024
    if reader.read_flag():
        reader.skip(14)  # coreCoderDelay
    reader.skip(1)  # extensionFlag
    channels = _CHANNELS.get(configuration, 0) if configuration else _read_program_channels(reader)
    if not channels:
        raise PeerError(f"AAC channel configuration {configuration} is not supported")
    return core_samples, channels


def _read_program_channels(reader: BitReader) -> int:
    """Read a program_config_element (4.4.1.1) and count its channels."""
    reader.skip(4 + 2 + 4)  # element_instance_tag, object_type, sampling_frequency_index
    front, side, back = reader.read(4), reader.read(4), reader.read(4)
    effects, data, couplings = reader.read(2), reader.read(3), reader.read(4)
    for width in (4, 4, 3):  # mono mix-down, stereo mix-down, matrix mix-down
        if reader.read_flag():
            reader.skip(width)
    channels = effects
    for _ in range(front + side + back):
        channels += 2 if reader.read_flag() else 1
        reader.skip(4)
    reader.skip(4 * effects + 4 * data + 5 * couplings)
    reader.skip(reader.remaining % 8)
    reader.skip(8 * reader.read(8))  # comment
    return channels


def _read_sync_extension(reader: BitReader, core_rate: int) -> tuple[int, int]:
    """Read the backward-compatible signalling of SBR; return the object type and the decoded sample rate."""
    if _read_object_type(reader) != SBR or not reader.remaining or not reader.read_flag():
        return AAC_LC, core_rate
    return SBR, _read_rate(reader)


def aac_track(config: bytes, bitrate_bps: int | None = None) -> AudioTrack:
    """Describe the track of an AudioSpecificConfig."""
    facts = parse_audio_specific_config(config)
    return AudioTrack(
        codec="aac",
        config=config,
        codec_string=f"mp4a.40.{facts.object_type}",
        sample_rate=facts.sample_rate,
        channels=facts.channels,
        frame_samples=facts.frame_samples,
        bitrate_bps=bitrate_bps,
    )


STEREO_48K = aac_track(bytes.fromhex("1190"))
"""AAC-LC, 48 kHz, stereo (ISO/IEC 14496-3, 1.6.2.1): what our own encoder makes, and silence where there is nothing."""


def silent_frame(channels: int) -> bytes:
    """Return an AAC-LC raw_data_block of silence for one or two channels, good at any sample rate."""
    return _SILENCE[channels]


def strip_adts(data: bytes) -> bytes:
    """Return an AAC frame without its ADTS header, or as it is when it has none.

    Some encoders leave the header in RTMP. Only a header whose frame length matches is taken for one.
    """
    if len(data) < 7 or data[0] != 0xFF or data[1] & 0xF6 != 0xF0:
        return data
    length = (data[3] & 3) << 11 | data[4] << 3 | data[5] >> 5
    return data[7 if data[1] & 1 else 9 :] if length == len(data) else data
