"""The encoder table: what each of the eight rungs costs in bits and in CPU, and what it says about itself.

Everything that a player reads before a rung has ever run (CODECS, BANDWIDTH, level) is a function of the picture's
size and frame rate alone, so it is computed here and never asked of an encoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import NamedTuple

from media.error import LocalStateError
from media.packet import CLOCK_HZ
from media.rendition import SHORT_SIDE, Rendition

DEFAULT_FRAME_RATE = Fraction(30)
"""Assumed where a source does not say; a wrong guess only shifts the rate control."""

MAX_FRAME_RATE = Fraction(120)
"""What a source claims above this is noise in its SPS, not a frame rate."""

FULL_RATE_SIDE = 720
"""Shorter side in pixels from which on a rung has every frame of its source; smaller ones aim at 30 in a second: on a
small picture that is seen less than the bits that each frame would lack."""

MIN_REDUCED_RATE = Fraction(23)
"""Fewer frames in a second (than film's 23.976) look like a fault: a source of 31 to 45 keeps its rate."""


class Effort(NamedTuple):
    """A row of the table."""

    bitrate_bps: int
    """What demanding content takes, 16:9 at up to 30 frames per second; the cap is `MAX_OVER_MEAN` times that."""
    crf: int
    """x264's constant rate factor with superfast: the quality aimed at. Content that needs less bits gets less."""
    preset: str
    reason: str


TABLE: dict[str, Effort] = {
    "2160p": Effort(16_000_000, 23, "ultrafast", "1.5 cores even so; superfast takes 2.9"),
    "1440p": Effort(9_000_000, 22, "ultrafast", "0.8 core; superfast would take a second one"),
    "1080p": Effort(
        5_000_000, 22, "ultrafast", "0.3 core; superfast takes 0.6 and leaves none for the rest of two"
    ),
    "720p": Effort(
        2_800_000, 23, "superfast", "what most people watch: 3 to 4 dB over ultrafast for 0.13 core"
    ),
    "480p": Effort(1_200_000, 24, "superfast", "an eighth of a core; sharp on a telephone"),
    "360p": Effort(700_000, 25, "superfast", "fits 3G and crowded WLAN with audio"),
    "240p": Effort(300_000, 27, "superfast", "the last one in which faces are told apart"),
    "144p": Effort(150_000, 27, "superfast", "keeps sound and motion going where nothing else passes"),
}
"""CPU seconds per second of media at 30 frames per second; `docs/transcode.md` has the measurements.

Each rate factor is the one with which a clip of natural motion takes its rung's rate; a lower one would live at the
cap, where x264 starves IDR pictures and the whole gets worse, not better.
"""

PRESETS = ("ultrafast", "superfast", "veryfast")
"""x264 presets that give byte-identical parameter sets under `PINNED`: cheaper ones may replace each other live."""

ULTRAFAST_CRF = 3
"""What ultrafast adds to the rate factor: it takes the same rate then, for 3 to 4 dB less."""

DEAR_SOURCE_PIXELS = 1920 * 1080
"""From this source size on decoding and scaling take what a superfast 720p rung would need."""

MAX_OVER_MEAN = Fraction(6, 5)
BUFFER_S = Fraction(1, 2)
"""VBV: bursts to 1.2 times the mean rate out of a buffer of half a second. An IDR picture fits, BANDWIDTH stays within
1.5 times the mean, and a WebRTC viewer's queue never holds more than half a second."""

HIGH_FRAME_RATE_FACTOR = Fraction(3, 2)
"""Above 30 frames per second: twice the frames, but each one changes less."""

PINNED = "cabac=1:8x8dct=1:ref=1:weightp=0:bframes=0:deblock=0,0:stitchable=1"
"""x264 options that presets disagree on and that the parameter sets carry. `stitchable` holds pic_init_qp, which would
follow the rate factor."""

PROFILE_IDC = 100
"""High: what `8x8dct` makes it, constraint flags 0."""


class _Level(NamedTuple):
    idc: int
    max_macroblocks_per_s: int
    max_macroblocks: int
    max_bitrate_bps: int


# ISO/IEC 14496-10 table A-1; bit rates are those of the High profile (1.25 times Baseline's).
_LEVELS = (
    _Level(10, 1_485, 99, 80_000),
    _Level(11, 3_000, 396, 240_000),
    _Level(12, 6_000, 396, 480_000),
    _Level(13, 11_880, 396, 960_000),
    _Level(21, 19_800, 792, 5_000_000),
    _Level(22, 20_250, 1_620, 5_000_000),
    _Level(30, 40_500, 1_620, 12_500_000),
    _Level(31, 108_000, 3_600, 17_500_000),
    _Level(32, 216_000, 5_120, 25_000_000),
    _Level(40, 245_760, 8_192, 25_000_000),
    _Level(42, 522_240, 8_704, 62_500_000),
    _Level(50, 589_824, 22_080, 168_750_000),
    _Level(51, 983_040, 36_864, 300_000_000),
    _Level(52, 2_073_600, 36_864, 300_000_000),
    _Level(60, 4_177_920, 139_264, 300_000_000),
    _Level(61, 8_355_840, 139_264, 600_000_000),
    _Level(62, 16_711_680, 139_264, 1_000_000_000),
)


@dataclass(frozen=True, slots=True)
class RungSpec:
    """How to encode one rung; equal specs give equal parameter sets."""

    name: str
    width: int
    height: int
    """Pixels, both even; samples are square."""
    frame_rate: Fraction
    bitrate_bps: int
    """What demanding content takes; an encoder without constant quality aims at it."""
    max_bitrate_bps: int
    """The cap, over `BUFFER_S`."""
    crf: int
    """x264's constant rate factor, for superfast."""
    preset: str
    level: int
    """level_idc: ten times the level's number."""
    min_frame_ticks: int = 0
    """A frame that comes sooner than this after the one before is left out; 0 keeps all."""

    @property
    def rate_factor(self) -> int:
        """What x264 is told: a cheaper preset may take over live and has no more bits."""
        return self.crf + (ULTRAFAST_CRF if self.preset == "ultrafast" else 0)

    @property
    def buffer_bits(self) -> int:
        """Size of the VBV buffer."""
        return int(self.max_bitrate_bps * BUFFER_S)


def rung_spec(
    rendition: Rendition, frame_rate: Fraction | None, preset: str | None = None, source_pixels: int = 0
) -> RungSpec:
    """Look up how to encode a rendition.

    Args:
        rendition: name and size; an odd side is rounded up, since 4:2:0 has no half chroma samples.
        frame_rate: of the source, None when it does not say.
        preset: instead of the table's.
        source_pixels: size of the source's picture; a large one makes the 720p rung ultrafast.
    """
    rate, min_frame_ticks = _pace(rendition.name, frame_rate)
    width, height = rendition.width + rendition.width % 2, rendition.height + rendition.height % 2
    bitrate = _bitrate_bps(rendition.name, width * height, rate)
    max_bitrate = int(bitrate * MAX_OVER_MEAN)
    return RungSpec(
        name=rendition.name,
        width=width,
        height=height,
        frame_rate=rate,
        bitrate_bps=bitrate,
        max_bitrate_bps=max_bitrate,
        crf=TABLE[rendition.name].crf,
        preset=preset or _preset(rendition.name, source_pixels),
        level=_level(width, height, rate, max_bitrate),
        min_frame_ticks=min_frame_ticks,
    )


def codec_string(spec: RungSpec) -> str:
    """Name the codec as CODECS wants it (RFC 6381, 3.3); no encoder is asked."""
    return f"avc1.{PROFILE_IDC:02x}00{spec.level:02x}"


def peak_bitrate_bps(spec: RungSpec, segment_s: float) -> int:
    """Bound the rate of any segment: a full VBV buffer and the maximum rate for its duration."""
    return int(spec.max_bitrate_bps + spec.buffer_bits / segment_s)


def _pace(name: str, source_rate: Fraction | None) -> tuple[Fraction, int]:
    """Return a rung's frame rate, and how soon a frame may follow another, in ticks."""
    rate = min(source_rate, MAX_FRAME_RATE) if source_rate else DEFAULT_FRAME_RATE
    if SHORT_SIDE[name] >= FULL_RATE_SIDE:
        return rate, 0
    step = ceil(rate / DEFAULT_FRAME_RATE)
    if step > 1 and rate / step < MIN_REDUCED_RATE:
        step -= 1
    # Every `step`th frame, whatever its time is rounded to: the middle between that one and the one before. Where
    # nothing should be left out, two thirds: of 60 frames that claim to be 30, or claim nothing, every other one.
    least = Fraction(2 * step - 1, 2 * step) if step > 1 else Fraction(2, 3)
    rate /= step
    return rate, int(CLOCK_HZ * least / max(rate, MIN_REDUCED_RATE))


def _preset(name: str, source_pixels: int) -> str:
    if name == "720p" and source_pixels >= DEAR_SOURCE_PIXELS:
        return "ultrafast"
    return TABLE[name].preset


def _bitrate_bps(name: str, pixels: int, frame_rate: Fraction) -> int:
    # Bits grow slower than pixels do: detail of a larger picture is smoother per pixel.
    nominal_pixels = SHORT_SIDE[name] * SHORT_SIDE[name] * 16 / 9
    scale = min(1.5, max(0.5, (pixels / nominal_pixels) ** 0.75))
    factor = HIGH_FRAME_RATE_FACTOR if frame_rate > DEFAULT_FRAME_RATE else 1
    return round(float(TABLE[name].bitrate_bps * factor * scale) / 1000) * 1000


def _level(width: int, height: int, frame_rate: Fraction, max_bitrate_bps: int) -> int:
    columns, rows = -(-width // 16), -(-height // 16)
    size = columns * rows
    for level in _LEVELS:
        fits = size <= level.max_macroblocks and max(columns, rows) ** 2 <= 8 * level.max_macroblocks
        if (
            fits
            and size * frame_rate <= level.max_macroblocks_per_s
            and max_bitrate_bps <= level.max_bitrate_bps
        ):
            return level.idc
    raise LocalStateError(f"no H.264 level holds {width}x{height} at {frame_rate} frames per second")
