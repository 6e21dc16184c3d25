"""The one audio rendition of a broadcast: the source's AAC-LC as it is, an encoded one, or silence.

Audio is published behind the video's frontier, since only the video says where segments end.
"""

from __future__ import annotations

from hls.audio_writer import AudioWriter
from hls.writer import Sample
from media.aac import AAC_LC, STEREO_48K, parse_audio_specific_config
from media.packet import CLOCK_HZ, AudioTrack, Packet

from .silence import silent_packets

MAX_LAG = 3 * CLOCK_HZ // 2
"""How far audio may be behind video before silence takes its place: parts of the audio rendition, and with them
every player, would have to wait for it."""

REJOIN_LAG = CLOCK_HZ // 2
"""How far silence that took the place of missing audio stays behind video, so that audio that comes back is in time."""

MIN_COPIED_RATE = 22_050
"""In Hz. At lower rates a frame of AAC lasts 64 ms and more: parts of whole frames would miss 85 % of their target."""


def suits_copy(track: AudioTrack) -> bool:
    """Tell whether an audio track goes out as it came: AAC-LC with at most two channels."""
    if track.codec != "aac" or track.channels > 2 or track.sample_rate < MIN_COPIED_RATE:
        return False
    config = parse_audio_specific_config(track.config)
    return config.object_type == AAC_LC and not config.has_sbr


class Sound:
    """Feeds the audio writer and fills what is missing with silence."""

    def __init__(self, writer: AudioWriter) -> None:
        self._writer = writer
        self._track = STEREO_48K
        self._end = 0
        self._is_silent = True
        self._run_end: int | None = None  # of a run whose last encoded frames have not come
        self.is_encoded = False
        """Whether what it takes comes from our encoder, which makes `STEREO_48K`."""
        self.is_missing = False
        """Whether the run has an audio track of which nothing has come for a while."""

    def begin(self, track: AudioTrack | None, at: int) -> None:
        """Start a run of the source at a timeline position; no track means silence until the next run."""
        self.finish_run()
        self._is_silent = track is None
        self.is_encoded = track is not None and not suits_copy(track)
        self.is_missing = False
        if track is not None:
            self._track = STEREO_48K if self.is_encoded else track
        self._writer.set_track(self._track, at)
        self._end = at

    def receive(self, packet: Packet) -> None:
        """Take a packet on the timeline; what comes too late for its place is dropped."""
        if packet.track != self._track:
            return
        self.is_missing = False
        if packet.pts >= self._end - self._frame // 2:
            self._write(packet)

    def advance(self, frontier: int) -> None:
        """Publish what lies before the video's frontier, with silence for what is missing."""
        if self._is_silent:
            self._fill(frontier)
        elif self.is_missing or frontier - self._end > MAX_LAG:
            self.is_missing = True
            self._fill(frontier - REJOIN_LAG)
        self._writer.advance(frontier, self._end)

    def end_run(self, at: int) -> None:
        """End a run of the source at `at`. Encoded audio is some frames behind: it waits for `finish_run`."""
        self._run_end = at
        if not self.is_encoded:
            self.finish_run()

    def finish_run(self) -> None:
        """Publish what there is of a run that has ended: nothing more will come."""
        at, self._run_end = self._run_end, None
        if at is not None:
            self._fill(at)
            self._writer.advance(at, max(at, self._end))

    @property
    def _frame(self) -> int:
        return self._track.frame_samples * CLOCK_HZ // self._track.sample_rate

    def _fill(self, until: int) -> None:
        for packet in silent_packets(self._track, self._end, until):
            self._write(packet)

    def _write(self, packet: Packet) -> None:
        self._writer.add(Sample(packet.dts, packet.pts, packet.data, is_sync=True))
        self._end = packet.pts + self._frame
