"""Pictures of keyframes for people: drawn by one worker for all broadcasts, apart from those that encode."""

from __future__ import annotations

from media.error import TranscodeError
from media.packet import VideoTrack
from transcode.inquiry import Inquiry
from transcode.message import DrawPicture, PictureDrawn
from transcode.pool import WorkerPool

MAX_WAITING = 50
"""Pictures that wait: each takes 10 to 40 ms, and who moves along a seek bar has moved on after a second or two."""

DRAW_TIMEOUT_S = 5.0

IDLE_S = 30.0
"""How long the worker is kept without work; it has 60 MB."""


class PictureProbe:
    """Draws pictures, one after the other.

    Args:
        pool: where its worker comes from.
    """

    def __init__(self, pool: WorkerPool) -> None:
        self._inquiry = Inquiry(
            pool, PictureDrawn, max_waiting=MAX_WAITING, timeout_s=DRAW_TIMEOUT_S, idle_s=IDLE_S
        )

    async def draw(self, track: VideoTrack, keyframe: bytes, side: int) -> bytes:
        """Make a JPEG of a keyframe whose longer side is `side` pixels.

        Raises:
            TranscodeError: it cannot be decoded, the worker died on it, or too many are waiting.
        """
        answer = await self._inquiry.ask(lambda number: DrawPicture(number, track, keyframe, side))
        if not answer.jpeg:
            raise TranscodeError("the keyframe cannot be decoded")
        return answer.jpeg

    def close(self) -> None:
        """End the worker; the pool waits for its end."""
        self._inquiry.close()
