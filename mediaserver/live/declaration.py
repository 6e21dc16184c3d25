"""Which renditions a broadcast has: said at the start of a run, kept to the broadcast's end.

A run that brings more than the ones before (a larger source, video after audio alone) adds rungs for newcomers; none is
ever taken away.
"""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction

from hls.output import HlsOutput
from hls.reader import AUDIO_BANDWIDTH_BPS
from hls.writer import VideoWriter
from media.aac import STEREO_48K
from media.packet import AudioTrack, VideoTrack
from media.rendition import LADDER, Rendition
from transcode.rung import DEFAULT_FRAME_RATE, MAX_FRAME_RATE, RungSpec, codec_string, peak_bitrate_bps

from .plan import Copy, Feed, Tracks, feed_of, renditions_of, spec_of
from .sound import Sound, suits_copy

COPY_HEADROOM = Fraction(5, 4)
"""BANDWIDTH of a copied rung over its announced rate: encoders hold a rate over seconds, not over a segment."""


class Declaration:
    """What the multivariant playlist lists, with what fills it; empty before the first run.

    Args:
        output: where renditions are published.
        quality: the best rung.
        wanted: the rungs to make at all, None for all. A source that would get none gets its best.
    """

    def __init__(self, output: HlsOutput, *, quality: str, wanted: Collection[str] | None) -> None:
        self._output = output
        self._quality = quality
        self._wanted = wanted
        self.renditions: dict[str, Rendition] = {}
        """The video rungs by name, best first."""
        self.writers: dict[str, VideoWriter] = {}
        self.sound: Sound | None = None

    def extend(self, tracks: Tracks) -> list[str]:
        """Declare what a run has beyond the ones before; its segment is open and has no part.

        What newcomers are told of the others is brought up to date.

        Returns:
            Names of the rungs that are new.
        """
        if self.sound is None:
            self.sound = Sound(self._output.add_audio(_audio_of(tracks.audio)))
        added = [rung for rung in self._renditions_of(tracks) if rung.name not in self.renditions]
        if tracks.video is not None:
            for rung in self.renditions.values():
                self._update(rung, tracks, tracks.video)
            for rung in added:
                self.writers[rung.name] = self._add(rung, tracks, tracks.video)
        rungs = [*self.renditions.values(), *added]
        rungs.sort(key=lambda rung: (LADDER.index(rung.quality), rung.codec != "h264"))
        self.renditions = {rung.name: rung for rung in rungs}
        return [rung.name for rung in added]

    def _renditions_of(self, tracks: Tracks) -> list[Rendition]:
        if tracks.video is None:
            return []
        rungs = renditions_of(tracks.video, self._quality)
        if self._wanted is None:
            return rungs
        wanted = [rung for rung in rungs if rung.quality in self._wanted]
        return wanted or ([] if self.renditions else rungs[:1])

    def _add(self, rung: Rendition, tracks: Tracks, video: VideoTrack) -> VideoWriter:
        spec = spec_of(rung, video)
        feed = feed_of(rung, tracks)
        return self._output.add_video(
            rung.name,
            width=rung.width,
            height=rung.height,
            frame_rate=_frame_rate(spec, feed),
            codec_string=feed.track.codec_string if isinstance(feed, Copy) else codec_string(spec),
            bandwidth_bps=self._bandwidth_bps(spec, feed),
        )

    def _update(self, rung: Rendition, tracks: Tracks, video: VideoTrack) -> None:
        feed = feed_of(rung, tracks)
        if feed is not None:
            carried = rung if isinstance(feed, Copy) else feed.rendition
            spec = spec_of(carried, video)
            self._output.redeclare(
                rung.name, frame_rate=_frame_rate(spec, feed), bandwidth_bps=self._bandwidth_bps(spec, feed)
            )

    def _bandwidth_bps(self, spec: RungSpec, feed: Feed) -> int:
        """Say the highest rate of a segment, audio included."""
        bandwidth = peak_bitrate_bps(spec, self._output.config.segment_s)
        if isinstance(feed, Copy) and feed.track.bitrate_bps is not None:
            bandwidth = int(feed.track.bitrate_bps * COPY_HEADROOM)
        return bandwidth + AUDIO_BANDWIDTH_BPS


def _frame_rate(spec: RungSpec, feed: Feed) -> Fraction:
    """Say how many frames a second there are: a copy has all of its source's, a small encoded rung may have half."""
    if not isinstance(feed, Copy):
        return spec.frame_rate
    return min(feed.track.frame_rate or DEFAULT_FRAME_RATE, MAX_FRAME_RATE)


def _audio_of(track: AudioTrack | None) -> AudioTrack:
    return track if track is not None and suits_copy(track) else STEREO_48K
