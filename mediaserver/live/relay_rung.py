"""One rung as WebRTC sees it: what its writer gets, and whether that can go there at all."""

from __future__ import annotations

from collections.abc import Callable

from hls.writer import Sample, VideoWriter
from media.packet import VideoTrack

from .plan import suits_copy_video
from .relay_flow import RelayFlow
from .reordering import Reordering


class RelayRung:
    """Takes a rung's samples as they are added to its writer.

    Args:
        writer: of the rung.
        flow: takes the samples.
        is_copied: tells whether the source's own bits fill it now.
        on_change: called when the rung can go to WebRTC, or cannot any more; and with each keyframe.
    """

    def __init__(
        self,
        writer: VideoWriter,
        flow: RelayFlow,
        is_copied: Callable[[], bool],
        on_change: Callable[[], None],
    ) -> None:
        self.flow = flow
        self._writer = writer
        self._is_copied = is_copied
        self._on_change = on_change
        self._track: VideoTrack | None = None
        self._has_fit_track = False
        self._reordering = Reordering()
        writer.on_sample = self.receive

    @property
    def is_in_order(self) -> bool:
        """Whether its pictures are H.264 that any browser decodes, shown in the order in which they come."""
        return self._reordering.is_in_order

    @property
    def is_reordered(self) -> bool:
        """Whether its pictures would be fit in another order."""
        return self._reordering.is_reordered

    def want(self) -> None:
        """Let it flow: first the pictures since the newest keyframe, where they are kept."""
        self.flow.want(is_fit=self.is_in_order)

    def receive(self, sample: Sample) -> None:
        """Take a sample."""
        track = self._writer.newest_track
        if track is not self._track and track is not None:
            self._begin(track, sample.dts)
        was = self.is_in_order, self.is_reordered
        if self._has_fit_track:
            self._reordering.look(sample.dts, sample.pts)
        if sample.is_sync or was != (self.is_in_order, self.is_reordered):
            self._on_change()
        self.flow.add(sample, is_fit=self.is_in_order)

    def _begin(self, track: VideoTrack, at: int) -> None:
        self._track = track
        self._has_fit_track = suits_copy_video(track)
        if self._has_fit_track:
            self.flow.set_track(track)
            self._reordering.begin(track, at, is_ours=not self._is_copied())
        else:
            self._reordering = Reordering()
