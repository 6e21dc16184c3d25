"""Which encoder makes a rung: the first of the hardware that works here, x264 when there is none or it fails."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

import av

from media.error import MediaServerError
from media.h264 import with_parameter_sets
from transcode.hardware import HARDWARE, HardwareEncoder
from transcode.message import EncodedFrame, EncoderFailed
from transcode.quality import QualityMeter
from transcode.video_encoder import VideoEncoder

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from transcode.rung import RungSpec

MIN_HARDWARE_PIXELS = 640 * 360 + 1
"""Smaller rungs are x264's: they cost it next to nothing, it makes better pictures of so few bits, some hardware takes
no picture as small as 144p in portrait, and graphics cards count their sessions (NVENC: eight on most)."""

FAULTS = (av.FFmpegError, MediaServerError, OSError, ValueError)
"""What an encoder's driver raises; anything else is a bug of ours."""

MAX_REASON = 200
"""Characters of a driver's words."""


def reason_of(error: Exception) -> str:
    """Say what a driver said."""
    words = error.strerror if isinstance(error, av.FFmpegError) else str(error)
    return (words or type(error).__name__)[:MAX_REASON]


class RungEncoder(Protocol):
    """Makes one access unit of each picture at once; `VideoEncoder` is the pattern."""

    @property
    def spec(self) -> RungSpec:
        """The rung."""

    @property
    def quality(self) -> QualityMeter:
        """How good its pictures are, where it says so."""

    @property
    def config(self) -> bytes:
        """The avcC record."""

    def encode(self, picture: VideoFrame, pts: int, is_keyframe: bool) -> bytes:
        """Encode a picture; an access unit with four-byte lengths."""


Open = Callable[["RungSpec"], RungEncoder]

OPENERS: dict[str, Open] = {name: partial(HardwareEncoder, codec=codec) for name, codec in HARDWARE.items()}
"""How each kind of hardware is opened."""


class EncoderChoice:
    """The encoders of one worker.

    Args:
        names: what may be used beside x264, the preferred one first; empty on a machine without hardware.
        openers: how each is opened.
        min_pixels: of a rung that hardware makes.
    """

    def __init__(
        self,
        names: Sequence[str] = (),
        openers: Mapping[str, Open] = OPENERS,
        min_pixels: int | None = None,
    ) -> None:
        self._openers = {name: openers[name] for name in names if name in openers}
        self._min_pixels = MIN_HARDWARE_PIXELS if min_pixels is None else min_pixels
        self._is_mixed = bool(names)
        self._failures: deque[EncoderFailed] = deque()

    def open(self, spec: RungSpec) -> SteadyEncoder:
        """Open the best encoder for a rung."""
        if spec.width * spec.height >= self._min_pixels:
            for name, opener in list(self._openers.items()):
                try:
                    return SteadyEncoder(opener(spec), partial(self.fail, spec.name, name), is_mixed=True)
                except FAULTS as error:
                    self.fail(spec.name, name, error)
        return SteadyEncoder(VideoEncoder(spec), None, is_mixed=self._is_mixed)

    def fail(self, rung: str, name: str, error: Exception) -> None:
        """Note that an encoder failed. This worker opens it no more; what it has open goes on while it can."""
        self._openers.pop(name, None)
        self._failures.append(EncoderFailed(rung, name, reason_of(error)))

    def take_failures(self) -> list[EncoderFailed]:
        """Return what has failed since the last call. Encoders fail in threads of their own."""
        return [self._failures.popleft() for _ in range(len(self._failures))]


class SteadyEncoder:
    """A rung's encoder that goes on with x264, from the same picture, when the hardware fails.

    Args:
        encoder: the one to begin with.
        on_failed: told why it failed; None for x264, behind which there is nothing.
        is_mixed: whether others may make pictures of the same rung: workers that take over, segments on request. Then
            each IDR brings its parameter sets along, since no initialization segment can begin in the middle.
    """

    def __init__(
        self, encoder: RungEncoder, on_failed: Callable[[Exception], None] | None, *, is_mixed: bool
    ) -> None:
        self._encoder = encoder
        self._on_failed = on_failed
        self._is_mixed = is_mixed

    @property
    def quality(self) -> QualityMeter:
        """How good the pictures of the encoder at work are."""
        return self._encoder.quality

    @property
    def config(self) -> bytes:
        """The avcC record of the encoder at work."""
        return self._encoder.config

    def encode(self, picture: VideoFrame, pts: int, is_keyframe: bool) -> EncodedFrame:
        """Encode a picture.

        Returns:
            The frame; with `config` when it is the first one of another encoder, and then an IDR.

        Raises:
            TranscodeError: x264 broke the order of pictures.
        """
        if self._on_failed is None:
            return self._frame(picture, pts, is_keyframe)
        try:
            return self._frame(picture, pts, is_keyframe)
        except FAULTS as error:
            self._on_failed(error)
        self._encoder, self._on_failed = VideoEncoder(self._encoder.spec), None
        return replace(self._frame(picture, pts, True), config=self._encoder.config)

    def _frame(self, picture: VideoFrame, pts: int, is_keyframe: bool) -> EncodedFrame:
        data = self._encoder.encode(picture, pts, is_keyframe)
        if is_keyframe and self._is_mixed:
            data = with_parameter_sets(self._encoder.config, data)
        return EncodedFrame(self._encoder.spec.name, is_keyframe, data)
