"""Takes what a broadcast has for WebRTC, and remembers it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from webrtc.port import Rung, VideoFrame


@dataclass
class Diary:
    """A sink. What comes is kept in its order."""

    told: list[tuple[Rung, ...]] = field(default_factory=list)
    frames: list[tuple[str, VideoFrame]] = field(default_factory=list)
    sounds: list[tuple[int, bytes]] = field(default_factory=list)
    is_closed: bool = False

    def declare(self, rungs: Sequence[Rung]) -> None:
        self.told.append(tuple(rungs))

    def receive_video(self, rung: str, frame: VideoFrame) -> None:
        assert rung in self.names, "a frame of a rung that there is not"
        self.frames.append((rung, frame))

    def receive_audio(self, pts: int, data: bytes) -> None:
        self.sounds.append((pts, data))

    def close(self) -> None:
        self.is_closed = True

    @property
    def names(self) -> list[str]:
        """The rungs that there are now."""
        return [rung.name for rung in self.told[-1]]

    def rung(self, name: str) -> Rung:
        """How a rung is described now."""
        return next(rung for rung in self.told[-1] if rung.name == name)

    def pts(self, name: str) -> list[int]:
        """Places of a rung's frames."""
        return [frame.pts for rung, frame in self.frames if rung == name]

    def keyframes(self, name: str) -> list[int]:
        """Places of its keyframes."""
        return [frame.pts for rung, frame in self.frames if rung == name and frame.is_keyframe]

    def text(self, name: str) -> list[str]:
        """Read what the frames of a scene say that they are."""
        data = b"".join(frame.data for rung, frame in self.frames if rung == name)
        return [found.decode() for found in re.findall(rb"<(\w+@-?\d+!?)>", data)]
