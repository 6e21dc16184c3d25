"""One worker at work on one broadcast: its window, and the tracks that it has been told of."""

from __future__ import annotations

from collections.abc import Iterable

from media.packet import AudioTrack, Packet, VideoTrack
from transcode.backlog import NOTHING_DELIVERED, Backlog
from transcode.message import Media, Message, Progress, SetTrack
from transcode.process import WorkerProcess
from transcode.speed import Meters

WINDOW = 64
"""Media packets on their way to the worker: about a second of a broadcast with audio. More would hide from us that
the worker is slow, in buffers where nothing can be dropped."""


MAX_SINGLE_PIXELS = 2560 * 1440
"""Of a source that one thread decodes and scales in time, without delay. 2160p takes a core or more of it: two threads
are a picture later, and in time."""


class WorkerSession:
    """Sends a backlog through a window. A take-over is a new session on the same backlog."""

    def __init__(self, worker: WorkerProcess, backlog: Backlog, *, with_video: bool) -> None:
        self.worker = worker
        self.with_video = with_video
        self._backlog = backlog
        self._tracks: dict[bool, VideoTrack | AudioTrack] = {}
        self._sent = 0
        self._consumed = 0
        self.progress = Progress(0, 0, 0, 0)
        self.meters = Meters()
        self.has_begun = False
        """Whether a frame has come."""

    def begin(self, commands: Iterable[Message]) -> None:
        """Tell the worker what is wanted, and start to send."""
        for command in commands:
            self.worker.send(command)
        self.pump()

    def pump(self) -> None:
        """Send what waits, as far as the window is open."""
        while self._sent - self._consumed < WINDOW:
            entry = self._backlog.next_unsent()
            if entry is None:
                return
            if not isinstance(entry, Packet):
                self.worker.send(entry)
            elif self.with_video or not entry.is_video:
                self._send_media(entry)

    def advance(self, progress: Progress) -> None:
        """Open the window: the worker has taken packets from its queue."""
        self._consumed = progress.consumed
        self.progress = progress
        if self._backlog.delivered_pts != NOTHING_DELIVERED:
            self.meters.add(self._backlog.delivered_pts, progress)
        self.pump()

    def _send_media(self, packet: Packet) -> None:
        if self._tracks.get(packet.is_video) != packet.track:
            self._tracks[packet.is_video] = packet.track
            self.worker.send(SetTrack(packet.track, _threads(packet.track)))
        self._sent += 1
        self.worker.send(Media(packet.is_video, packet.is_keyframe, packet.pts, packet.dts, packet.data))


def _threads(track: VideoTrack | AudioTrack) -> int:
    """Say how many threads decode a live source."""
    is_large = isinstance(track, VideoTrack) and track.width * track.height > MAX_SINGLE_PIXELS
    return 2 if is_large else 1
