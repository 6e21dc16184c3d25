"""H.264, HEVC, AV1 or VP9 in, whole pictures in display order out. A broken access unit costs pictures, no process."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import av
from av.codec.context import ThreadType

from media.packet import VideoTrack
from transcode.deinterlace import Deinterlacer
from transcode.filter import TIME_BASE

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame

DECODERS = {"h264": "h264", "hevc": "hevc", "av1": "libdav1d", "vp9": "vp9"}
"""FFmpeg's names; its own `av1` knows nothing but the decoders of graphics cards."""

DEBLOCKED = ("h264", "hevc")
"""Whose decoders can leave out deblocking."""

MAX_ERRORS_IN_A_ROW = 8
"""The decoder conceals a damaged picture, which looks better than none; when it takes nothing any more, it starts
over at the next keyframe."""

MAX_WITHOUT_PICTURE = 24
"""Reordering holds back 16 pictures at most (H.264, A.3.1; HEVC, A.4.2), and behind a random access point of HEVC
fewer leading pictures than that are left out; beyond nothing is coming."""

SAID_EVERY = 8


class VideoDecoder:
    """Decodes one track after the other.

    Live with slice threads and a count of one: frame threads add a frame of delay each, which does not matter to
    whoever waits for the last picture of a segment. With one thread dav1d has no delay either.
    """

    def __init__(self) -> None:
        self._codec: VideoCodecContext | None = None
        self._fields = Deinterlacer()
        self._needs_keyframe = True
        self._has_stopped = False
        self._errors_in_a_row = 0
        self._without_picture = 0
        self._last_pts: int | None = None
        self.errors = 0
        """Access units that the decoder refused."""
        self.dropped = 0
        """Pictures before the last one: the stream understates its reordering. Or before what has been given up."""
        self.aspect = Fraction(1)
        """Sample aspect ratio of the track."""

    def set_track(self, track: VideoTrack, threads: int = 1, *, is_shrunk: bool = False) -> None:
        """Start over with another configuration; drain the old one first.

        Args:
            track: what is decoded.
            threads: see `message.SetTrack`, like the next one.
            is_shrunk: leave out the deblocking of pictures that no other refers to: a fifth of the work, and scaled
                down nobody sees it.
        """
        codec = cast("VideoCodecContext", av.CodecContext.create(DECODERS[track.codec], "r"))
        codec.extradata = track.config
        codec.thread_count = threads
        codec.thread_type = ThreadType.FRAME if threads > 1 else ThreadType.SLICE
        if is_shrunk and track.codec in DEBLOCKED:
            codec.options = {"skip_loop_filter": "noref"}
        self._codec = codec
        self._needs_keyframe = True
        self.aspect = track.sample_aspect_ratio

    def decode(self, pts: int, dts: int, data: bytes, is_keyframe: bool) -> Iterator[VideoFrame]:
        """Feed an access unit, as in `Packet.data`, and yield the pictures that are complete, pts in ticks."""
        self._without_picture += 1
        if self._codec is None or not data or (self._needs_keyframe and not is_keyframe):
            # Empty data would mean the end of the stream to the decoder, for good.
            return
        packet = av.Packet(data)
        packet.pts, packet.dts, packet.time_base = pts, dts, TIME_BASE
        packet.is_keyframe = is_keyframe
        self._needs_keyframe = False
        if self._has_stopped:
            # Leading pictures of this keyframe lie in what has been given up, or in the run that has ended.
            self._has_stopped = False
            self.discard_before(pts)
        yield from self._run(packet)

    def drain(self) -> Iterator[VideoFrame]:
        """Yield what the decoder still holds; the next access unit has to be a keyframe."""
        if self._codec is None:
            return
        if not self._needs_keyframe:
            yield from self._run(None)
        yield from self._fields.drain()
        self._restart()

    @property
    def is_blind(self) -> bool:
        """Whether so many access units gave no picture that it has to be said; true now and then while it lasts."""
        return self._without_picture >= MAX_WITHOUT_PICTURE and self._without_picture % SAID_EVERY == 0

    def discard_before(self, pts: int) -> None:
        """Drop pictures before this from now on: somebody has been told that they will not come."""
        self._last_pts = pts - 1 if self._last_pts is None else max(self._last_pts, pts - 1)
        self._fields.discard()

    def _run(self, packet: Any | None) -> Iterator[VideoFrame]:
        assert self._codec is not None  # noqa: S101 - `decode` and `drain` have looked
        try:
            frames = self._codec.decode(packet)
            self._errors_in_a_row = 0
        except av.FFmpegError:
            self._count_error()
            return
        for frame in frames:
            if frame.pts is None or (self._last_pts is not None and frame.pts <= self._last_pts):
                self.dropped += 1
                continue
            self._last_pts = frame.pts
            self._without_picture = 0
            yield from self._fields.receive(frame)

    def _count_error(self) -> None:
        self.errors += 1
        self._errors_in_a_row += 1
        if self._errors_in_a_row >= MAX_ERRORS_IN_A_ROW:
            self._restart()

    def _restart(self) -> None:
        if self._codec is not None:
            self._codec.flush_buffers()
        self._needs_keyframe = self._has_stopped = True
        self._errors_in_a_row = 0
