"""One encoder of a rung at work, and the thread that runs it."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from transcode.encoder_choice import EncoderChoice

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from transcode.message import EncodedFrame
    from transcode.rung import RungSpec


class EncodedRung:
    """Encodes pictures with pts >= `from_pts`.

    Opening the encoder takes 1 to 17 ms and gives the parameter sets before any picture.
    """

    def __init__(self, spec: RungSpec, from_pts: int, choice: EncoderChoice | None = None) -> None:
        self.spec = spec
        self.from_pts = from_pts
        self._encoder = (choice or EncoderChoice()).open(spec)
        self.cost_us = 0
        """CPU time that its pictures have taken; x264 has no threads of its own here."""
        self._thread = ThreadPoolExecutor(1, f"encode-{spec.name}")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of its pictures."""
        return self.spec.width, self.spec.height

    @property
    def config(self) -> bytes:
        """The avcC record."""
        return self._encoder.config

    def encode(self, picture: VideoFrame, pts: int, is_keyframe: bool) -> Future[EncodedFrame]:
        """Queue a picture for the encoder's thread; order is kept."""
        return self._thread.submit(self._encode, picture, pts, is_keyframe)

    def measure(self) -> Future[float | None]:
        """Ask for the PSNR in dB of the pictures queued since the last call, None when nobody knows it."""
        return self._thread.submit(self._encoder.quality.take)

    def close(self) -> None:
        """End the thread when the pictures that it has are done."""
        self._thread.shutdown(wait=False)

    def _encode(self, picture: VideoFrame, pts: int, is_keyframe: bool) -> EncodedFrame:
        began = time.thread_time_ns()
        frame = self._encoder.encode(picture, pts, is_keyframe)
        self.cost_us += (time.thread_time_ns() - began) // 1000
        return frame
