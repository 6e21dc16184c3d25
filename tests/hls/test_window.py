from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest

from hls.archive import Archive
from hls.config import HlsConfig
from hls.output import HlsOutput
from hls.restored import Restored
from hls.timeline import Checkpoint
from hls.view import RenditionView
from hls.writer import Sample, VideoWriter
from media.packet import VideoTrack

from .conftest import NOW

S = 90_000
FIRST, SECOND = (
    bytes.fromhex("014d001fffe10004") + b"\x67\x4d\x00" + end + b"\x01\x00\x02\x68\xee"
    for end in (b"1", b"2")
)
TRACK = VideoTrack("h264", FIRST, "avc1.64001f", 64, 36)
CONFIG = HlsConfig(window_s=20.0)


class Rungs:
    """A broadcast of two rungs with segments of 2 s and four frames a second."""

    def __init__(
        self,
        config: HlsConfig = CONFIG,
        checkpoint: Checkpoint | None = None,
        size: int = 100,
        archive: Archive | None = None,
        past: Restored | None = None,
    ) -> None:
        self.output = HlsOutput(config, checkpoint, archive, past)
        self.size = size
        self.timeline = self.output.timeline
        self.timeline.begin(self.timeline.position, NOW)
        self.writers = [self.declare("720p"), self.declare("480p")]

    def declare(self, name: str) -> VideoWriter:
        writer = self.output.add_video(
            name, width=64, height=36, frame_rate=Fraction(4), codec_string="avc1.64001f", bandwidth_bps=1000
        )
        writer.set_track(TRACK, self.timeline.position)
        return writer

    def run(self, segments: int, writers: list[VideoWriter] | None = None) -> None:
        """Complete a number of segments."""
        assert self.timeline.open_segment is not None
        start = self.timeline.open_segment.start
        for index in range(8 * segments + 1):
            dts = start + index * S // 4
            self.timeline.advance(dts, index % 8 == 0)
            for writer in self.writers if writers is None else writers:
                if index < 8 * segments:
                    writer.add(Sample(dts, dts, bytes(self.size), index % 8 == 0))
                writer.advance(self.timeline.frontier)

    def reconnect(self) -> None:
        """Lose the source at the start of the open segment's second frame, and get it back."""
        at = self.timeline.position
        self.timeline.end_segment(at)
        for writer in self.writers:
            writer.advance(at)
        self.timeline.begin(at, NOW + 100)

    def view(self, name: str = "720p") -> RenditionView:
        view = self.output.view(name)
        assert view is not None
        return view

    def msns(self, name: str = "720p") -> list[int]:
        return [segment.msn for segment in self.view(name).segments if segment.is_complete]

    async def held(self, name: str = "720p") -> list[int]:
        return [msn for msn in range(100) if await self.output.get(name, 1, msn, None)]


async def test_the_playlist_slides_and_bytes_stay_for_one_more_playlist() -> None:
    rungs = Rungs()
    rungs.run(30)
    assert rungs.msns() == rungs.msns("480p") == list(range(20, 30))
    assert rungs.view().media_sequence == rungs.view("480p").media_sequence == 20
    assert await rungs.held() == list(range(9, 30))
    assert len(rungs.timeline.segments) == 11


async def test_a_short_window_still_lists_six_segments() -> None:
    rungs = Rungs(replace(CONFIG, window_s=3.0))
    rungs.run(20)
    assert rungs.msns() == list(range(14, 20))


async def test_the_byte_budget_takes_removed_segments_first_and_then_shortens_the_playlist() -> None:
    segment_bytes = 8 * 10_000
    plenty = Rungs(replace(CONFIG, window_bytes=2 * 14 * segment_bytes), size=10_000)
    plenty.run(30)
    assert plenty.msns() == list(range(20, 30))
    assert (await plenty.held())[0] == 30 - 13
    assert plenty.output.size_bytes <= 2 * 14 * segment_bytes

    scarce = Rungs(replace(CONFIG, window_bytes=2 * 9 * segment_bytes), size=10_000)
    scarce.run(30)
    assert scarce.msns()[-1] == 29
    assert len(scarce.msns()) == 8
    assert scarce.output.size_bytes <= 2 * 9 * segment_bytes

    # Never below three target durations, whatever the budget.
    starved = Rungs(replace(CONFIG, window_bytes=1000), size=10_000)
    starved.run(30)
    assert len(starved.msns()) == 8
    assert await starved.held() == starved.msns()


def test_discontinuities_are_counted_when_they_leave() -> None:
    rungs = Rungs()
    sequences: list[tuple[int, int, list[int]]] = []
    for _ in range(4):
        rungs.run(3)
        rungs.reconnect()
    for _ in range(14):
        rungs.run(1)
        view = rungs.view()
        tags = [segment.msn for segment in view.segments if segment.is_discontinuity]
        sequences.append((view.media_sequence, view.discontinuity_sequence, tags))
    total = {sequence + len(tags) for _, sequence, tags in sequences}
    assert total == {4}
    assert sequences[-1][1:] == (4, [])
    for (first, before, tags), (_, after, _) in pairwise(sequences):
        assert after - before in (0, 1)
        assert (after > before) <= (first in tags)


def test_a_new_process_continues_sequence_and_discontinuities() -> None:
    rungs = Rungs()
    rungs.run(5)
    rungs.reconnect()
    rungs.run(2)
    checkpoint = rungs.timeline.checkpoint()
    newest = rungs.timeline.segments[-1].msn
    again = Rungs(checkpoint=checkpoint)
    again.run(1)
    view = again.view()
    assert view.media_sequence == newest + 1
    assert view.discontinuity_sequence == 1
    assert view.segments[0].is_discontinuity
    assert view.segments[0].generation > checkpoint.generation
    assert again.view().newest_msn == view.media_sequence


def test_a_rung_that_stalls_gets_gaps_when_its_segments_leave() -> None:
    rungs = Rungs()
    rungs.run(30, rungs.writers[:1])
    stalled = rungs.view("480p")
    assert stalled.media_sequence == 20
    assert stalled.segments == ()
    assert len(rungs.timeline.segments) == 11
    rungs.writers[1].advance(rungs.timeline.frontier)
    assert [segment.is_gap for segment in rungs.view("480p").segments] == [True] * 10


def test_init_segments_go_with_the_last_segment_that_needs_them() -> None:
    rungs = Rungs()
    rungs.run(3)
    rungs.reconnect()
    for writer in rungs.writers:
        writer.set_track(replace(TRACK, config=SECOND), rungs.timeline.position)
    rungs.run(19)
    assert rungs.output.init("720p", 1) is not None
    rungs.run(10)
    assert rungs.output.init("720p", 1) is None
    assert rungs.output.init("720p", 2) is not None


@pytest.fixture
def ended() -> Rungs:
    rungs = Rungs()
    rungs.run(3)
    rungs.output.finish()
    return rungs


def test_an_ended_broadcast_keeps_its_playlists(ended: Rungs) -> None:
    assert ended.view().is_ended
    assert ended.msns() == [0, 1, 2]
    assert ended.output.multivariant() is not None


def test_bandwidth_is_never_below_what_was_measured() -> None:
    rungs = Rungs(size=10_000)
    rungs.run(1)
    master = rungs.output.multivariant()
    assert master is not None
    measured = rungs.writers[0].rendition.peak_bps
    assert measured > 8 * 10_000 * 4
    assert master.variants[0].bandwidth_bps == measured
    assert master.variants[0].average_bandwidth_bps == 1000
    rungs.size = 5_000
    rungs.run(9)
    master = rungs.output.multivariant()
    assert master is not None
    assert master.variants[0].bandwidth_bps == measured
    assert measured / 2 < master.variants[0].average_bandwidth_bps < measured
