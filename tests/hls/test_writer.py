from dataclasses import replace
from fractions import Fraction

import pytest

from hls.audio_writer import AudioWriter
from hls.config import HlsConfig
from hls.output import HlsOutput
from hls.view import PartAddress, RenditionView
from hls.writer import Sample, VideoWriter
from media.error import LocalStateError
from media.opus import opus_track
from media.packet import AudioTrack, VideoTrack

from .boxes import read_fragments
from .conftest import NOW

S = 90_000
STEP = S // 10
FIRST, SECOND = (
    bytes.fromhex("014d001fffe10004") + b"\x67\x4d\x00" + end + b"\x01\x00\x02\x68\xee"
    for end in (b"1", b"2")
)
TRACK = VideoTrack("h264", FIRST, "avc1.64001f", 64, 36)
OTHER = VideoTrack("h264", SECOND, "avc1.4d401f", 64, 36)
SOUND = AudioTrack("aac", b"\x11\x90", "mp4a.40.2", 48_000, 2)


def view_of(output: HlsOutput, name: str = "720p") -> RenditionView:
    view = output.view(name)
    assert view is not None
    return view


def shape(output: HlsOutput, name: str = "720p") -> list[str]:
    """Show each segment as its number and a letter for each part: I independent, p dependent, - gap."""
    letters = [
        f"{segment.msn}"
        + "".join("-" if p.is_gap else "I" if p.is_independent else "p" for p in segment.parts)
        for segment in view_of(output, name).segments
    ]
    return [
        text + ("" if seg.is_complete else "…")
        for text, seg in zip(letters, view_of(output, name).segments, strict=True)
    ]


def declare(output: HlsOutput, name: str = "720p", codec_string: str = "avc1.64001f") -> VideoWriter:
    return output.add_video(
        name, width=64, height=36, frame_rate=Fraction(10), codec_string=codec_string, bandwidth_bps=1000
    )


@pytest.fixture
def output() -> HlsOutput:
    output = HlsOutput(HlsConfig())
    output.timeline.begin(0, NOW)
    return output


def run(
    output: HlsOutput, start_s: float, end_s: float, *writers: VideoWriter, origin_s: float | None = None
) -> None:
    """Feed ten frames a second with a keyframe every two seconds from `origin_s` on."""
    start = round(start_s * S)
    origin = start if origin_s is None else round(origin_s * S)
    for dts in range(start, round(end_s * S), STEP):
        is_sync = (dts - origin) % (2 * S) == 0
        output.timeline.advance(dts, is_sync)
        for writer in writers:
            writer.add(Sample(dts, dts, b"%d" % dts, is_sync))
            writer.advance(output.timeline.frontier)


def test_parts_appear_as_they_close(output: HlsOutput) -> None:
    writer = declare(output)
    writer.set_track(TRACK, 0)
    run(output, 0, 2.4, writer)
    assert shape(output) == ["0Ippp"]
    run(output, 2.4, 2.6, writer)
    assert shape(output) == ["0Ippp", "1I…"]


async def test_a_lagging_rung_follows_with_its_own_cursor(output: HlsOutput) -> None:
    copied, encoded = declare(output), declare(output, "480p")
    copied.set_track(TRACK, 0)
    run(output, 0, 4, copied)
    assert shape(output, "480p") == []
    encoded.set_track(OTHER, 0)
    for dts in range(0, round(2.5 * S), STEP):
        encoded.add(Sample(dts, dts, b"e", dts % (2 * S) == 0))
        encoded.advance(dts)
    assert shape(output, "480p") == ["0Ippp"]
    assert shape(output) == ["0Ippp", "1Ipp…"]
    lengths = [
        [part.duration_s for part in view_of(output, name).segments[0].parts] for name in ("720p", "480p")
    ]
    assert lengths[0] == lengths[1]


async def test_lost_frames_are_a_gap_and_keep_their_place(output: HlsOutput) -> None:
    writer = declare(output)
    writer.set_track(TRACK, 0)
    for dts in range(0, 5 * S, STEP):
        output.timeline.advance(dts, dts % (2 * S) == 0)
    for dts in range(0, round(0.7 * S), STEP):
        writer.add(Sample(dts, dts, b"x", dts == 0))
        writer.advance(dts)
    writer.advance(4 * S)  # nothing will come before
    assert shape(output) == ["0Ip--", "1----"]
    assert view_of(output).segments[1].is_gap
    writer.add(Sample(4 * S, 4 * S, b"y", True))
    writer.add(Sample(5 * S, 5 * S, b"z", False))
    writer.advance(5 * S)
    assert shape(output) == ["0Ip--", "1----", "2I…"]
    assert await output.get("720p", 1, 1, None) is None
    data = await output.get("720p", 1, 0, None)
    assert data is not None
    # The last frame before the loss ends with its part.
    assert [s.dts + s.duration for s in read_fragments(data)][-1] == S


def test_a_new_track_takes_effect_at_its_place_behind_a_discontinuity(output: HlsOutput) -> None:
    writer = declare(output)
    writer.set_track(TRACK, 0)
    run(output, 0, 3)
    for dts in range(0, 3 * S, STEP):
        writer.add(Sample(dts, dts, b"x", dts % (2 * S) == 0))
    output.timeline.end_segment(3 * S)
    output.timeline.begin(3 * S, NOW + 9)
    writer.set_track(OTHER, 3 * S)  # known before the old run is published
    run(output, 3, 5)
    writer.advance(3 * S)
    for dts in range(3 * S, 5 * S, STEP):
        writer.add(Sample(dts, dts, b"x", dts == 3 * S))
    writer.advance(output.timeline.frontier)
    segments = view_of(output).segments
    assert [(s.generation, s.is_discontinuity) for s in segments] == [(1, False), (1, False), (2, True)]
    assert FIRST in (output.init("720p", 1) or b"")
    assert SECOND in (output.init("720p", 2) or b"")
    assert output.init("720p", 3) is None


def test_the_same_track_keeps_its_generation(output: HlsOutput) -> None:
    writer = declare(output)
    writer.set_track(TRACK, 0)
    run(output, 0, 2, writer)
    output.timeline.end_segment(2 * S)
    writer.advance(2 * S)
    output.timeline.begin(2 * S, NOW + 9)
    writer.set_track(replace(TRACK), 2 * S)
    run(output, 2, 3, writer)
    assert [s.generation for s in view_of(output).segments] == [1, 1]


def test_a_track_that_changes_without_a_discontinuity_gets_a_generation_of_its_own(output: HlsOutput) -> None:
    writer = declare(output)
    writer.set_track(TRACK, 0)
    run(output, 0, 2, writer)
    writer.set_track(OTHER, 2 * S)
    run(output, 2, 4.1, writer)
    assert [s.generation for s in view_of(output).segments] == [1, 2]
    output.timeline.end_segment(round(4.1 * S))
    output.timeline.begin(round(4.1 * S), NOW)
    assert output.timeline.segments[-1].generation == 3


def test_a_late_track_is_in_time_while_everything_was_a_gap(output: HlsOutput) -> None:
    writer = declare(output)
    for dts in range(0, 2 * S, STEP):
        output.timeline.advance(dts, dts == 0)
    writer.advance(S)
    assert not view_of(output).segments[0].has_init
    writer.set_track(TRACK, 0)
    for dts in range(S, 2 * S, STEP):
        writer.add(Sample(dts, dts, b"x", dts == S))
    writer.advance(output.timeline.frontier)
    assert shape(output) == ["0--I…"]
    assert view_of(output).segments[0].has_init


def test_reordered_frames_do_not_reach_into_the_next_run(output: HlsOutput) -> None:
    writer = declare(output)
    writer.set_track(TRACK, 0)
    run(output, 0, 1)
    for dts in [*range(0, S, STEP), S + 100]:
        writer.add(Sample(dts, dts, b"old", dts == 0))
    output.timeline.end_segment(S)
    output.timeline.begin(S, NOW + 9)
    writer.add(Sample(S, S, b"new", True))
    run(output, 1, 2)
    writer.add(Sample(S + STEP, S + STEP, b"new", False))
    writer.advance(output.timeline.frontier)
    assert shape(output)[-1].startswith("1I")


def test_a_segment_that_is_closed_where_a_part_has_ended_is_complete(output: HlsOutput) -> None:
    writer = declare(output)
    writer.set_track(TRACK, 0)
    run(output, 0, 1.1, writer)
    assert shape(output) == ["0Ip…"]
    output.timeline.end_segment(S)
    writer.advance(S)
    assert shape(output) == ["0Ip"]
    output.timeline.begin(S, NOW + 9)
    run(output, 1, 2, writer)
    assert shape(output) == ["0Ip", "1I…"]


def test_frames_lost_at_the_end_of_a_run_are_a_gap_even_if_the_next_run_is_there(output: HlsOutput) -> None:
    writer = declare(output)
    writer.set_track(TRACK, 0)
    run(output, 0, 1.8)
    for dts in range(0, round(0.6 * S), STEP):
        writer.add(Sample(dts, dts, b"x", dts == 0))
    output.timeline.end_segment(round(1.8 * S))
    output.timeline.begin(round(1.8 * S), NOW + 9)
    run(output, 1.8, 2.8)
    for dts in range(round(1.8 * S), round(2.8 * S), STEP):
        writer.add(Sample(dts, dts, b"y", dts == round(1.8 * S)))
    writer.advance(output.timeline.frontier)
    assert shape(output) == ["0Ip--", "1I…"]


async def test_what_comes_after_another_encoder_has_taken_over_is_dropped(output: HlsOutput) -> None:
    writer = declare(output)
    writer.set_track(TRACK, 0)
    run(output, 0, 2)
    writer.add(Sample(S, S, b"new", True))
    writer.add(Sample(STEP, STEP, b"late", False))
    output.timeline.end_segment(2 * S)
    writer.advance(2 * S)
    data = await output.get("720p", 1, 0, None)
    assert data is not None
    assert [sample.data for sample in read_fragments(data)] == [b"new"]


async def test_equal_decode_times_are_set_apart(output: HlsOutput) -> None:
    writer = declare(output)
    writer.set_track(TRACK, 0)
    for dts in (0, 0, 0, 1):
        writer.add(Sample(dts, dts, b"x", dts == 0))
    output.timeline.advance(S, False)
    output.timeline.end_segment(S + 1)
    writer.advance(S + 1)
    data = await output.get("720p", 1, 0, None)
    assert data is not None
    assert [sample.dts for sample in read_fragments(data)] == [0, 1, 2, 3]


def test_the_hint_names_the_next_part_only_when_it_is_certain(output: HlsOutput) -> None:
    writer = declare(output)
    writer.set_track(TRACK, 0)
    run(output, 0, 0.6, writer)
    assert view_of(output).hint == PartAddress(1, 0, 1)
    run(output, 0.6, 2.1, writer, origin_s=0)
    assert shape(output) == ["0Ippp"]
    assert view_of(output).hint == PartAddress(1, 1, 0)
    output.timeline.end_segment(round(2.1 * S))
    writer.advance(round(2.1 * S))
    assert view_of(output).hint is None  # the next run may have another track
    output.timeline.begin(round(2.1 * S), NOW + 9)
    run(output, 2.1, 2.7, writer)
    assert view_of(output).hint == PartAddress(1, 2, 1)
    output.finish()
    assert view_of(output).hint is None
    assert view_of(output).is_ended


def test_samples_before_a_track_are_a_bug(output: HlsOutput) -> None:
    with pytest.raises(LocalStateError, match="before its track"):
        declare(output).add(Sample(0, 0, b"", True))
    with pytest.raises(LocalStateError, match="cannot be added"):
        declare(output)


def test_samples_far_beyond_the_timeline_are_a_bug(
    output: HlsOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hls.writer.MAX_PENDING_SAMPLES", 3)
    writer = declare(output)
    writer.set_track(TRACK, 0)
    for dts in range(3):
        writer.add(Sample(dts, dts, b"", True))
    with pytest.raises(LocalStateError, match="beyond the timeline"):
        writer.add(Sample(3, 3, b"", True))


class TestAudio:
    @pytest.fixture
    def writer(self, output: HlsOutput) -> AudioWriter:
        return output.add_audio(SOUND)

    def drive(self, output: HlsOutput, writer: AudioWriter, until_s: float) -> None:
        for dts in range(output.timeline.position, round(until_s * S), STEP):
            output.timeline.advance(dts, dts % (2 * S) == 0)

    async def dts(self, output: HlsOutput) -> list[int]:
        found = []
        for segment in view_of(output, "audio").segments:
            for index in range(len(segment.parts)):
                data = await output.get("audio", segment.generation, segment.msn, index)
                found += [sample.dts for sample in read_fragments(data or b"")]
        return found

    async def test_parts_are_whole_frames_within_the_target(
        self, output: HlsOutput, writer: AudioWriter
    ) -> None:
        for index in range(300):
            pts = round(index * 1024 * 1000 / 48_000) * 90
            writer.add(Sample(pts, pts, b"a", True))
        self.drive(output, writer, 2.2)
        writer.advance(output.timeline.frontier, 6 * S)
        segment = view_of(output, "audio").segments[0]
        assert [round(part.duration_s * 48_000 / 1024) for part in segment.parts] == [23, 23, 23, 23, 2]
        assert segment.is_complete
        assert await self.dts(output) == [index * 1024 for index in range(94)]

    def test_nothing_is_published_before_the_audio_is_there(
        self, output: HlsOutput, writer: AudioWriter
    ) -> None:
        self.drive(output, writer, 2.2)
        writer.advance(output.timeline.frontier, 0)
        assert view_of(output, "audio").segments == ()
        for index in range(30):
            writer.add(Sample(index * 1920, index * 1920, b"a", True))
        writer.advance(output.timeline.frontier, 30 * 1920)
        assert shape(output, "audio") == ["0I…"]

    def test_nothing_is_published_before_the_video_has_settled(
        self, output: HlsOutput, writer: AudioWriter
    ) -> None:
        for index in range(300):
            writer.add(Sample(index * 1920, index * 1920, b"a", True))
        self.drive(output, writer, 0.4)
        writer.advance(output.timeline.frontier, 6 * S)
        assert view_of(output, "audio").segments == ()

    @pytest.mark.parametrize(
        ("pts_ms", "expected"),
        [
            ([0, 21, 43, 64], [0, 1024, 2048, 3072]),  # millisecond rounding
            ([0, 25, 38, 70], [0, 1024, 2048, 3072]),  # jitter
            ([0, 21, 107, 128], [0, 1024, 2048, 3072, 4096, 5120, 6144]),  # three frames lost
            ([0, 21, 22, 43], [0, 1024, 2048, 3072]),  # early by less than a frame
            ([0, 21, 43, 0, 64], [0, 1024, 2048, 3072]),  # repeated
            ([-30, -10, 5, 26], [240, 1264]),  # before the run
            ([50, 71], [352, 1376, 2400, 3424]),  # the sound starts late
        ],
    )
    async def test_frames_lie_on_the_grid(
        self, output: HlsOutput, writer: AudioWriter, pts_ms: list[int], expected: list[int]
    ) -> None:
        for pts in pts_ms:
            writer.add(Sample(pts * 90, pts * 90, b"a", True))
        self.drive(output, writer, 0.2)
        end = round((expected[-1] + 1024) / 48_000 * S)
        output.timeline.end_segment(end)
        writer.advance(end, end)
        assert await self.dts(output) == expected

    async def test_the_first_frame_keeps_its_place_however_early_it_is_asked_for(
        self, output: HlsOutput, writer: AudioWriter
    ) -> None:
        writer.advance(0, 0)
        writer.add(Sample(1350, 1350, b"a", True))
        writer.add(Sample(3270, 3270, b"a", True))
        self.drive(output, writer, 0.2)
        output.timeline.end_segment(5190)
        writer.advance(5190, 5190)
        assert await self.dts(output) == [720, 1744]

    async def test_a_long_hole_is_a_gap(self, output: HlsOutput, writer: AudioWriter) -> None:
        for index in [*range(47), *range(440, 520)]:
            writer.add(Sample(index * 1920, index * 1920, b"a", True))
        self.drive(output, writer, 10.2)
        writer.advance(output.timeline.frontier, 520 * 1920)
        text = "".join(shape(output, "audio"))
        assert "--" in text
        dts = await self.dts(output)
        assert 46 * 1024 in dts
        assert 440 * 1024 in dts
        assert all(value % 1024 == 0 for value in dts)

    async def test_a_new_run_begins_where_the_last_frame_ends(
        self, output: HlsOutput, writer: AudioWriter
    ) -> None:
        self.drive(output, writer, 1)
        for index in range(60):
            writer.add(Sample(index * 1920, index * 1920, b"old", True))
        output.timeline.end_segment(S)
        writer.advance(S, 60 * 1920)
        output.timeline.begin(S, NOW + 9)
        other = opus_track(2)
        writer.set_track(other, S)
        for index in range(60):
            writer.add(Sample(S + index * 1800, S + index * 1800, b"new", True))
        self.drive(output, writer, 2)
        output.timeline.end_segment(2 * S)
        writer.advance(2 * S, 3 * S)
        first, second = view_of(output, "audio").segments
        assert (first.generation, second.generation, second.is_discontinuity) == (1, 2, True)
        dts = await self.dts(output)
        assert dts[46] == 46 * 1024
        assert dts[47] == 48_960  # the frame at 48000 would overlap the one that ends at 48128
        assert b"dOps" in (output.init("audio", 2) or b"")

    def test_a_segment_shorter_than_a_frame_counts_all_the_same(
        self, output: HlsOutput, writer: AudioWriter
    ) -> None:
        writer.add(Sample(0, 0, b"a", True))
        output.timeline.advance(900, False)
        output.timeline.end_segment(1000)
        writer.advance(1000, 1920)
        output.timeline.begin(1000, NOW)
        output.timeline.advance(1100, False)
        output.timeline.end_segment(1200)
        writer.advance(1200, 1920)
        assert shape(output, "audio") == ["0I", "1-"]


def test_a_changed_track_brings_its_parameter_sets_along_once() -> None:
    """Players built on ffmpeg read only the first EXT-X-MAP of a playlist."""
    output = HlsOutput(HlsConfig())
    writer = output.add_video(
        "720p", width=64, height=36, frame_rate=Fraction(25), codec_string="x", bandwidth_bps=1
    )
    for number, config in enumerate((FIRST, SECOND)):
        at = output.timeline.position
        output.timeline.begin(at, 0.0)
        writer.set_track(replace(TRACK, config=config), at)
        for frame in range(5):
            dts = at + frame * S // 25
            output.timeline.advance(dts, can_cut=False)
            writer.add(Sample(dts, dts, b"frame", is_sync=frame in (0, 3)))
        output.timeline.end_segment(at + S // 5)
        writer.advance(at + S // 5)
        data = writer.rendition.segments[-1].data() or b""
        assert data.count(b"\x68\xee") == number


def test_reordered_pictures_are_decoded_early_and_shown_in_time() -> None:
    """Else some offsets were negative, which FFmpeg's demuxer takes for a late start."""
    output = HlsOutput(HlsConfig())
    writer = output.add_video(
        "720p", width=64, height=36, frame_rate=Fraction(10), codec_string="x", bandwidth_bps=1
    )
    at, lead = 10 * S, 2 * STEP
    output.timeline.begin(at, NOW)
    writer.set_track(TRACK, at, lead)
    for number, shown in enumerate((0, 4, 2, 1, 3)):
        dts = at + number * STEP
        output.timeline.advance(dts, can_cut=False)
        writer.add(Sample(dts, at + shown * STEP, b"frame", is_sync=number == 0))
    output.timeline.end_segment(at + 5 * STEP)
    writer.advance(at + 5 * STEP)
    data = writer.rendition.segments[-1].data() or b""
    samples = read_fragments(data)
    assert [sample.dts for sample in samples] == [at - lead + number * STEP for number in range(5)]
    assert [sample.pts for sample in samples] == [at + shown * STEP for shown in (0, 4, 2, 1, 3)]
