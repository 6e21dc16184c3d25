"""What decoding and encoding will cost, and what a rung is worth: guesses for what has not run yet. Pure.

Costs are CPU seconds per second of media, which is cores. Whatever has run is measured (`transcode.speed`), and the
governor corrects these guesses by what it sees on this machine.
"""

from __future__ import annotations

from media.packet import VideoTrack
from transcode.rung import DEFAULT_FRAME_RATE, MAX_FRAME_RATE, PRESETS, RungSpec

NS_PER_PIXEL = {"ultrafast": 6.0, "superfast": 10.5, "veryfast": 19.0}
"""x264 with one thread, fitted to measurements from 144p to 2160p, which spread by a fifth around it."""

OTHER_NS_PER_PIXEL = 1.0
"""Another encoder's preset: it is hardware, and what the CPU does is to copy the picture."""

DECODE_NS_PER_PIXEL = {"h264": 4.0, "hevc": 6.0, "vp9": 6.0, "av1": 8.0}

SCALE_NS_PER_PIXEL = 1.1
"""Of the source's pixels, for all smaller rungs in a cascade."""

SOUND_COST = 0.03
"""Decoding and encoding sound, and Python's own share."""

QUALITY_WORTH = {
    "2160p": 2.6, "1440p": 2.3, "1080p": 2.0, "720p": 1.7, "480p": 1.4, "360p": 1.2, "240p": 1.0, "144p": 0.8,
}  # fmt: skip
"""What a viewer has of a rung. It rises far slower than the cost: 1440p costs eighty times what 144p does, and whoever
falls back to 480p still watches."""

MIN_WORTH = min(QUALITY_WORTH.values())

MAX_AUDIENCE = 1000
"""Requests of one rung that count: one popular rung must not outweigh every other broadcast."""


def encode_cost(spec: RungSpec) -> float:
    """Guess what a rung's encoder will cost."""
    pixels_per_s = spec.width * spec.height * float(spec.frame_rate)
    return pixels_per_s * NS_PER_PIXEL.get(spec.preset, OTHER_NS_PER_PIXEL) / 1e9


def decode_cost(video: VideoTrack) -> float:
    """Guess what decoding a source and scaling it for its rungs will cost."""
    rate = min(video.frame_rate, MAX_FRAME_RATE) if video.frame_rate else DEFAULT_FRAME_RATE
    per_pixel = DECODE_NS_PER_PIXEL.get(video.codec, max(DECODE_NS_PER_PIXEL.values())) + SCALE_NS_PER_PIXEL
    return SOUND_COST + video.width * video.height * float(rate) * per_pixel / 1e9


def preset_ratio(preset: str, other: str) -> float:
    """Tell how many times dearer `preset` is than `other`."""
    return NS_PER_PIXEL.get(preset, OTHER_NS_PER_PIXEL) / NS_PER_PIXEL.get(other, OTHER_NS_PER_PIXEL)


def cheaper_presets(preset: str) -> tuple[str, ...]:
    """List the presets that may replace one live, cheapest first, itself the last."""
    return PRESETS[: PRESETS.index(preset) + 1] if preset in PRESETS else (preset,)


def worth(quality: str, requests: float) -> float:
    """Say what a rung is worth to those who asked for it recently.

    Args:
        quality: name of the rung, without a codec.
        requests: how many there were lately, of any kind; a rung that nobody asked for yet counts as one.
    """
    audience = min(max(requests, 1.0), MAX_AUDIENCE)
    return audience * QUALITY_WORTH.get(quality, MIN_WORTH)
