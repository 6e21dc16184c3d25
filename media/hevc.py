"""HEVC facts: NAL unit types, the hvcC record (ISO/IEC 14496-15, 8.3.3.1) and the track it describes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from media.bit import BitReader
from media.configuration import check_configuration_size
from media.error import PeerError
from media.hevc_sps import parse_hevc_sps
from media.packet import VideoTrack

NAL_IRAP = frozenset(range(16, 22))
"""Pictures at which decoding can begin (ITU-T H.265, table 7-1): BLA, IDR and CRA."""
NAL_VPS = 32
NAL_SPS = 33
NAL_PPS = 34
NAL_SEI = 39

PARAMETER_SETS = (NAL_VPS, NAL_SPS, NAL_PPS)

MAX_RECORD_SETS = 64
"""NAL units in an hvcC record: 16 parameter sets of each kind may exist (7.4.2.4), and some SEI messages."""


def nal_type(nal: bytes) -> int:
    """Return the nal_unit_type of a NAL unit that is not empty."""
    return nal[0] >> 1 & 0x3F


@dataclass(frozen=True, slots=True)
class HevcConfig:
    """HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, 8.3.3.1.2)."""

    nals: tuple[bytes, ...]
    """Parameter sets and SEI messages, in the order of the record; none is empty."""
    length_size: int = 4
    """Bytes of the length before each NAL unit: 1, 2 or 4."""

    def of_type(self, kind: int) -> tuple[bytes, ...]:
        """Return the NAL units of a type."""
        return tuple(nal for nal in self.nals if nal_type(nal) == kind)

    def serialize(self) -> bytes:
        """Write the record; what it says about the picture is taken from the first sequence parameter set.

        Raises:
            PeerError: there is none, it is damaged, or all is too large.
        """
        check_configuration_size("HEVC", sum(map(len, self.nals)))
        sets = self.of_type(NAL_SPS)
        if not sets:
            raise PeerError("HEVC configuration (hvcC) holds no sequence parameter set")
        sps = parse_hevc_sps(sets[0])
        layers = sps.temporal_layers << 3 | sps.is_temporally_nested << 2 | self.length_size - 1
        depths = bytes([0xF8 | sps.bit_depth - 8, 0xF8 | sps.bit_depth_chroma - 8])
        # No minimum of spatial segmentation, parallelism and average frame rate unknown.
        head = b"\x01" + sps.profile_tier_level + b"\xf0\x00\xfc" + bytes([0xFC | sps.chroma_format_idc])
        head += depths + b"\x00\x00" + bytes([layers])
        kinds = sorted({nal_type(nal) for nal in self.nals})
        return head + bytes([len(kinds)]) + b"".join(self._array(kind) for kind in kinds)

    def _array(self, kind: int) -> bytes:
        nals = self.of_type(kind)
        body = b"".join(len(nal).to_bytes(2, "big") + nal for nal in nals)
        # SEI messages may come in the stream too; parameter sets are all here, as `hvc1` demands (8.4.1.1).
        is_complete = kind in PARAMETER_SETS
        return bytes([is_complete << 7 | kind]) + len(nals).to_bytes(2, "big") + body


def parse_hevc_config(data: bytes) -> HevcConfig:
    """Parse an hvcC record. It may hold no parameter sets: some encoders send them in the stream only.

    Raises:
        PeerError: it is cut short, of another version, or over a bound.
    """
    # Version 0 was written before the record was settled, and still is by some encoders.
    if len(data) < 23 or data[0] > 1:
        raise PeerError("HEVC configuration (hvcC) is missing or cut short")
    length_size = (data[21] & 3) + 1
    if length_size == 3:
        raise PeerError("HEVC configuration (hvcC) has NAL unit lengths of 3 bytes, which do not exist")
    return HevcConfig(_read_nals(BitReader(data[22:])), length_size)


def _read_nals(reader: BitReader) -> tuple[bytes, ...]:
    nals: list[bytes] = []
    for _ in range(reader.read(8)):
        reader.skip(8)  # array_completeness, NAL_unit_type
        for _ in range(reader.read(16)):
            length = reader.read(16)
            nals.append(reader.read(8 * length).to_bytes(length, "big"))
            if len(nals) > MAX_RECORD_SETS:
                raise PeerError(f"HEVC configuration (hvcC) holds more than {MAX_RECORD_SETS} NAL units")
    return tuple(nal for nal in nals if nal)


def is_hevc_config(data: bytes) -> bool:
    """Tell an hvcC record from an avcC one by its reserved bits and the type of its first array."""
    if len(data) < 24 or data[0] > 1:
        return False
    reserved = (data[13] >> 4, data[15] >> 2, data[16] >> 2, data[17] >> 3, data[18] >> 3)
    return reserved == (0xF, 0x3F, 0x3F, 0x1F, 0x1F) and data[23] & 0x3F in (*PARAMETER_SETS, NAL_SEI)


def hevc_track(config: bytes, bitrate_bps: int | None = None) -> VideoTrack:
    """Describe the track of an hvcC record.

    Returns:
        A track whose `config` says four-byte lengths, whatever the record said, as packets here have them.

    Raises:
        PeerError: the record is damaged or holds no sequence parameter set.
    """
    record = replace(parse_hevc_config(config), length_size=4)
    config = record.serialize()
    sps = parse_hevc_sps(record.of_type(NAL_SPS)[0])
    return VideoTrack(
        codec="hevc",
        config=config,
        codec_string=codec_string(config),
        width=sps.width,
        height=sps.height,
        frame_rate=sps.frame_rate,
        sample_aspect_ratio=sps.sample_aspect_ratio,
        bit_depth=sps.bit_depth,
        chroma_format_idc=sps.chroma_format_idc,
        bitrate_bps=bitrate_bps,
    )


def codec_string(config: bytes) -> str:
    """Name the profile of an hvcC record for CODECS, such as `hvc1.1.6.L93.B0` (14496-15, E.3)."""
    space = ("", "A", "B", "C")[config[1] >> 6]
    tier = "H" if config[1] & 0x20 else "L"
    # The compatibility flags are written with their bits in reverse order, without leading zeros.
    compatibility = int(f"{int.from_bytes(config[2:6], 'big'):032b}"[::-1], 2)
    constraints = config[6:12].rstrip(b"\x00")
    fields = [f"hvc1.{space}{config[1] & 0x1F}", f"{compatibility:X}", f"{tier}{config[12]}"]
    return ".".join(fields + [f"{byte:X}" for byte in constraints])
