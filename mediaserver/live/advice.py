"""What an encoder's figures mean, in words for the streamer, each with its remedy."""

from __future__ import annotations

from collections.abc import Iterator

from media.packet import CLOCK_HZ, VideoTrack

from .pace import Cadence, Rates

MAX_KEYFRAME_INTERVAL = 4 * CLOCK_HZ
"""A source without an IDR for so long does not suit as the top rung: its segments would pass the constant
EXT-X-TARGETDURATION. OBS sends one every 8.3 s unless told otherwise."""

MAX_SPREAD_S = 0.5
"""A part: what comes later than others by more uses up players' buffers, which are three parts."""

SLOW = 0.9
"""Share of the frames, or of the time, that has to arrive."""

FAR_ABOVE, FAR_BELOW = 1.5, 0.4
"""Shares of the announced bit rate that are worth a word: CBR holds it within a tenth."""

MAX_IRREGULAR = 0.1
"""Share of frames with another duration that makes a frame rate variable."""

MAX_FRAME_RATE = 240
"""A higher declared rate is a damaged one, often that of the encoder's clock."""


def about_keyframes(cadence: Cadence) -> Iterator[str]:
    """Speak of keyframes that are too far apart, while the next one is still waited for too."""
    interval = max(cadence.keyframe_interval or 0, cadence.since_keyframe)
    if interval > MAX_KEYFRAME_INTERVAL:
        seconds = interval / CLOCK_HZ
        yield f"Keyframe interval is {seconds:.1f} s; set 2 s in OBS → Settings → Output → Keyframe Interval."


def about_frames(video: VideoTrack, rates: Rates, cadence: Cadence) -> Iterator[str]:
    """Speak of frames that are missing, late or irregular."""
    declared = _declared_rate(video)
    wanted = declared or CLOCK_HZ / (cadence.frame_ticks or CLOCK_HZ)
    arrives = f"The video arrives with {rates.fps:.0f} of {wanted:.0f} frames per second: "
    is_regular = cadence.irregular <= MAX_IRREGULAR
    if rates.speed < SLOW:
        yield (
            arrives + "the connection, or the encoder, is too slow. "
            "Lower the bitrate (OBS → Settings → Output → Bitrate)."
        )
    elif declared is not None and rates.fps < SLOW * declared and not is_regular:
        yield (
            arrives + "the encoder skips some. Choose a faster preset, or a smaller picture "
            "(OBS → Settings → Video → Output Resolution)."
        )
    elif declared is not None and rates.fps < SLOW * declared:
        yield (
            f"The video declares {declared:.0f} frames per second and has {rates.fps:.0f}: set the encoder "
            "to the frame rate of its source."
        )
    elif not is_regular:
        yield (
            "The frame rate varies: motion is uneven, and qualities cost more to encode. "
            "Set a constant frame rate in the encoder."
        )


def about_bitrate(video: VideoTrack, rates: Rates) -> Iterator[str]:
    """Speak of a rate that is not what was announced."""
    announced = video.bitrate_bps
    if not announced:
        return
    figures = f"{rates.video_bps / 1e6:.1f} of the announced {announced / 1e6:.1f} Mbit/s"
    if rates.video_bps > FAR_ABOVE * announced:
        yield (
            f"The video has {figures}: viewers' players plan with the lower one. "
            "Set constant bitrate (OBS → Settings → Output → Rate Control: CBR)."
        )
    elif rates.video_bps < FAR_BELOW * announced:
        yield (
            f"The video has only {figures}: if the picture is not a still one, the connection is too slow. "
            "Lower the bitrate (OBS → Settings → Output → Bitrate)."
        )


def about_arrival(rates: Rates) -> Iterator[str]:
    """Speak of frames that come in bursts, unless all of them come late anyway."""
    if rates.spread_s > MAX_SPREAD_S and rates.speed >= SLOW:
        yield (
            f"Frames arrive in bursts, up to {rates.spread_s:.1f} s late: use a cable instead of wireless, "
            "or lower the bitrate (OBS → Settings → Output → Bitrate)."
        )


def _declared_rate(video: VideoTrack) -> float | None:
    rate = video.frame_rate
    return float(rate) if rate is not None and 1 <= rate <= MAX_FRAME_RATE else None
