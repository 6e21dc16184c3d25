"""One broadcast on its way to the WebRTC processes: each gets what its viewers want, once. Pure but for the sending."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

from webrtc.gop import RecentGop
from webrtc.message import Audio, Declare, Forget, Message, Video
from webrtc.port import Rung, Source, VideoFrame
from webrtc.wire import serialize


class Taker(Protocol):
    """A WebRTC process."""

    def send(self, message: Message) -> None:
        """Tell it something."""

    def send_media(self, data: bytes) -> bool:
        """Give it a serialized frame; False when it is too slow."""


class _Share:
    """What one process gets."""

    def __init__(self) -> None:
        self.sessions = 0
        self.rungs: Mapping[str, int] = {}
        self.audio = False
        self.broken: set[str] = set()
        """Rungs of which it has missed a frame: it gets them again from their next keyframe on."""


class Outlet:
    """Gives a broadcast's frames to the processes; implements `Sink`.

    Args:
        stream_id: of the stream.
        source: the broadcast.
    """

    def __init__(self, stream_id: str, source: Source) -> None:
        self.stream_id = stream_id
        self.rungs: tuple[Rung, ...] = ()
        self.is_closed = False
        self._source = source
        self._shares: dict[Taker, _Share] = {}
        self._gops: dict[str, RecentGop] = {}
        source.attach(self)

    # What the broadcast tells.

    def declare(self, rungs: Sequence[Rung]) -> None:
        """Learn which rungs there are."""
        self.rungs = tuple(rungs)
        for taker in self._shares:
            taker.send(Declare(self.stream_id, self.rungs))

    def receive_video(self, rung: str, frame: VideoFrame) -> None:
        """Take a frame of a rung."""
        self._gops.setdefault(rung, RecentGop()).receive(frame)
        data = None
        for taker, share in self._shares.items():
            if rung in share.rungs:
                data = data or serialize(Video(self.stream_id, rung, frame))
                self._give(taker, share, rung, data, is_keyframe=frame.is_keyframe)

    def receive_audio(self, pts: int, data: bytes) -> None:
        """Take an Opus packet."""
        message = serialize(Audio(self.stream_id, pts, data))
        for taker, share in self._shares.items():
            if share.audio:
                taker.send_media(message)

    def close(self) -> None:
        """Learn that the broadcast is over."""
        self.is_closed = True
        for taker in self._shares:
            taker.send(Forget(self.stream_id))
        self._shares.clear()
        self._gops.clear()

    # What the processes tell.

    def enter(self, taker: Taker) -> None:
        """Take note of a viewer at a process, which learns of this stream with its first one."""
        if taker not in self._shares:
            self._shares[taker] = _Share()
            taker.send(Declare(self.stream_id, self.rungs))
        self._shares[taker].sessions += 1

    def leave(self, taker: Taker) -> None:
        """Let a viewer go; with the last one of all nothing is wanted any more."""
        share = self._shares.get(taker)
        if share is None:
            return
        share.sessions -= 1
        if not share.sessions:
            del self._shares[taker]
            taker.send(Forget(self.stream_id))
            if self._shares:
                self._want()
            else:
                self.close()
                self._source.detach()

    def want(self, taker: Taker, rungs: Mapping[str, int], *, audio: bool) -> None:
        """Learn what the viewers of a process want."""
        share = self._shares.get(taker)
        if share is None:
            return
        added = [rung for rung in rungs if rung not in share.rungs]
        held = {rung: self._gops[rung].frames for rung in added if rung in self._gops}
        share.rungs, share.audio = rungs, audio
        share.broken.update(added)
        for rung, frames in held.items():
            # Others watch it already: the source sends nothing anew.
            for frame in frames:
                data = serialize(Video(self.stream_id, rung, frame))
                self._give(taker, share, rung, data, is_keyframe=frame.is_keyframe)
        self._want()

    def force_keyframe(self, rung: str, after_pts: int) -> None:
        """Ask for a keyframe."""
        self._source.force_keyframe(rung, after_pts)

    # Within.

    def _give(self, taker: Taker, share: _Share, rung: str, data: bytes, *, is_keyframe: bool) -> None:
        if is_keyframe:
            share.broken.discard(rung)
        if rung not in share.broken and not taker.send_media(data):
            share.broken.add(rung)

    def _want(self) -> None:
        if self.is_closed:
            return
        total: Counter[str] = Counter()
        for share in self._shares.values():
            total.update(share.rungs)
        for rung in self._gops.keys() - total.keys():
            del self._gops[rung]
        self._source.want(total, audio=any(share.audio for share in self._shares.values()))
