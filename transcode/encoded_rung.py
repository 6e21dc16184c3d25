"""A rung while it is active: its encoder, the thread that runs it, and the IDR pictures ordered from it."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from transcode.message import EncodedFrame
from transcode.video_encoder import VideoEncoder

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from transcode.rung import RungSpec


class EncodedRung:
    """Encodes pictures with pts >= `from_pts`; the first one is an IDR.

    Opening the encoder takes 1 to 17 ms and gives the parameter sets before any picture.
    """

    def __init__(self, spec: RungSpec, from_pts: int) -> None:
        self.spec = spec
        self.from_pts = from_pts
        self.next_pts = from_pts
        self._encoder = VideoEncoder(spec)
        self._thread = ThreadPoolExecutor(1, f"encode-{spec.name}")
        self._keyframes = [from_pts]
        self._previous: EncodedRung | None = None

    @property
    def config(self) -> bytes:
        """The avcC record."""
        return self._encoder.config

    def take_over(self, previous: EncodedRung) -> None:
        """Let the rung's former encoder, of another preset, go on until `from_pts`."""
        self._previous = previous

    def wants(self, pts: int) -> bool:
        """Tell whether a picture at `pts` belongs to this rung."""
        return pts >= self.from_pts or (self._previous is not None and self._previous.wants(pts))

    def force_keyframe(self, pts: int) -> None:
        """Make the first picture with this pts or more an IDR."""
        heappush(self._keyframes, pts)
        if self._previous is not None:
            self._previous.force_keyframe(pts)

    def encode(self, picture: VideoFrame, pts: int) -> Future[EncodedFrame]:
        """Queue a picture for the encoder's thread; order is kept."""
        if self._previous is not None:
            if pts < self.from_pts:
                return self._previous.encode(picture, pts)
            self._previous.close()
            self._previous = None
        is_keyframe = False
        while self._keyframes and self._keyframes[0] <= pts:
            heappop(self._keyframes)
            is_keyframe = True
        self.next_pts = pts + 1
        return self._thread.submit(self._encode, picture, pts, is_keyframe)

    def close(self) -> None:
        """End the thread when the pictures that it has are done."""
        if self._previous is not None:
            self._previous.close()
        self._thread.shutdown(wait=False)

    def _encode(self, picture: VideoFrame, pts: int, is_keyframe: bool) -> EncodedFrame:
        return EncodedFrame(self.spec.name, is_keyframe, self._encoder.encode(picture, pts, is_keyframe))
