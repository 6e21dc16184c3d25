"""Renditions that are declared when others have media already, and broadcasts that begin without video."""

import asyncio
from dataclasses import replace
from fractions import Fraction

import pytest

from hls.audio_writer import AudioWriter
from hls.config import HlsConfig
from hls.directive import Directives, Target, find_target
from hls.output import HlsOutput
from hls.view import MultivariantView, Report
from hls.writer import Sample, VideoWriter
from media.aac import STEREO_48K, silent_frame
from media.error import LocalStateError
from media.packet import CLOCK_HZ, AudioTrack
from media.timing import rescale

from .conftest import NOW
from .rendered import render_media, render_multivariant
from .test_writer import OTHER, SOUND, STEP, TRACK, S, declare, run, shape, view_of


def listed(output: HlsOutput) -> list[str]:
    view = output.multivariant()
    assert view is not None
    return [variant.name for variant in view.variants]


def multivariant(output: HlsOutput) -> MultivariantView:
    view = output.multivariant()
    assert view is not None
    return view


def lose(output: HlsOutput, *writers: VideoWriter) -> int:
    """End the run behind the newest frame."""
    at = output.timeline.position + STEP
    output.timeline.end_segment(at)
    for writer in writers:
        writer.advance(at)
    return at


class TestVideo:
    @pytest.fixture
    def output(self) -> HlsOutput:
        output = HlsOutput(HlsConfig(window_s=20.0))
        output.timeline.begin(0, NOW)
        return output

    @pytest.fixture
    def first(self, output: HlsOutput) -> VideoWriter:
        writer = declare(output, "480p")
        writer.set_track(TRACK, 0)
        run(output, 0, 3, writer)
        return writer

    def add_late(self, output: HlsOutput, first: VideoWriter, *, is_open: bool) -> VideoWriter:
        """Add `1080p` behind a loss, before or after the next run has begun."""
        at = lose(output, first)
        if is_open:
            output.timeline.begin(at, NOW + 9)
        late = declare(output, "1080p")
        if not is_open:
            output.timeline.begin(at, NOW + 9)
        late.set_track(OTHER, at)
        return late

    @pytest.mark.parametrize("is_open", [False, True])
    async def test_a_late_rung_begins_with_its_run(
        self, output: HlsOutput, first: VideoWriter, *, is_open: bool
    ) -> None:
        late = self.add_late(output, first, is_open=is_open)
        start = output.timeline.position
        run(output, start / S, start / S + 5, first, late)
        assert shape(output, "480p")[:2] == ["0Ippp", "1Ip"]
        assert shape(output, "1080p") == shape(output, "480p")[2:]
        view = view_of(output, "1080p")
        assert (view.media_sequence, view.segments[0].msn, view.discontinuity_sequence) == (2, 2, 0)
        assert view.segments[0].is_discontinuity
        assert view.segments[0].program_date_time == view_of(output, "480p").segments[2].program_date_time
        assert await output.get("1080p", view.segments[0].generation, 2, None)
        text = render_media(view, output.config)
        assert "#EXT-X-MEDIA-SEQUENCE:2\n#EXT-X-DISCONTINUITY-SEQUENCE:0\n" in text
        assert f'#EXT-X-MAP:URI="init-{view.segments[0].generation}.mp4"' in text

    def test_newcomers_hear_of_it_once_it_has_media(self, output: HlsOutput, first: VideoWriter) -> None:
        late = self.add_late(output, first, is_open=True)
        start = output.timeline.position
        for dts in range(start, start + S, STEP):
            output.timeline.advance(dts, dts == start)
            first.add(Sample(dts, dts, b"x", dts == start))
            late.add(Sample(dts, dts, b"y", dts == start))
        first.advance(output.timeline.frontier)
        assert listed(output) == ["480p"]
        assert view_of(output, "480p").reports == ()
        view = view_of(output, "1080p")
        assert (view.segments, view.hint, view.discontinuity_sequence) == ((), None, 0)
        late.advance(output.timeline.frontier)
        assert listed(output) == ["1080p", "480p"]
        first.add(Sample(start + S, start + S, b"x", False))
        output.timeline.advance(start + S, False)
        first.advance(output.timeline.frontier)
        assert view_of(output, "480p").reports == (Report("1080p", 2, 0),)
        assert view_of(output, "1080p").reports == (Report("480p", 2, 1),)

    async def test_its_own_playlist_waits_for_the_first_part(
        self, output: HlsOutput, first: VideoWriter
    ) -> None:
        late = self.add_late(output, first, is_open=True)
        asked = [Directives(), Directives(msn=0), Directives(msn=2, part=0), Directives(msn=3)]
        targets = [find_target(directives, view_of(output, "1080p"), output.config) for directives in asked]
        assert targets == [Target(0, 0), Target(0, 0), Target(2, 0), Target(3, 0)]
        waiting = asyncio.create_task(output.wait("1080p", 0, 0, 10))
        await asyncio.sleep(0)
        assert output.waiting == 1
        start = output.timeline.position
        run(output, start / S, start / S + 1, first, late)
        assert await waiting
        assert shape(output, "1080p") == ["2I…"]

    def test_one_that_nothing_comes_to_gets_gaps_and_is_never_listed(
        self, output: HlsOutput, first: VideoWriter
    ) -> None:
        at = lose(output, first)
        output.timeline.begin(at, NOW + 9)
        declare(output, "1080p")
        run(output, at / S, at / S + 60, first)
        assert listed(output) == ["480p"]
        assert view_of(output, "480p").media_sequence == view_of(output, "1080p").media_sequence > 2
        assert all(segment.is_gap for segment in view_of(output, "1080p").segments)
        assert view_of(output, "480p").reports == ()
        assert len(output.timeline.segments) < 20

    def test_the_window_passes_its_first_segment(self, output: HlsOutput, first: VideoWriter) -> None:
        late = self.add_late(output, first, is_open=False)
        at = output.timeline.position
        run(output, at / S, at / S + 60, first, late)
        old, new = view_of(output, "480p"), view_of(output, "1080p")
        assert old.media_sequence == new.media_sequence > 10
        assert old.discontinuity_sequence == new.discontinuity_sequence == 1
        assert shape(output, "480p") == shape(output, "1080p")

    def test_a_run_without_a_frame_takes_nothing_away(self, output: HlsOutput, first: VideoWriter) -> None:
        at = lose(output, first)
        output.timeline.begin(at, NOW + 9)
        late = declare(output, "1080p")
        late.set_track(OTHER, at)
        output.timeline.end_segment(at)
        output.timeline.begin(at, NOW + 10)
        run(output, at / S, at / S + 1, first, late)
        assert shape(output, "1080p") == shape(output, "480p")[2:] == ["2I…"]

    def test_not_in_the_middle_of_a_segment(self, output: HlsOutput, first: VideoWriter) -> None:
        with pytest.raises(LocalStateError, match="1080p cannot be added"):
            declare(output, "1080p")
        lose(output, first)
        with pytest.raises(LocalStateError, match="480p cannot be added"):
            declare(output, "480p")

    def test_the_best_is_listed_first_and_twins_last(self, output: HlsOutput) -> None:
        names = ["720p-av1", "480p", "1080p-hevc", "144p", "1080p"]
        writers = [declare(output, name) for name in names]
        for writer in writers:
            writer.set_track(TRACK, 0)
        run(output, 0, 1, *writers)
        assert listed(output) == ["1080p", "480p", "144p", "1080p-hevc", "720p-av1"]


class TestFacts:
    def test_newcomers_are_told_what_a_rung_carries_now(self) -> None:
        output = HlsOutput(HlsConfig())
        output.timeline.begin(0, NOW)
        writer = declare(output, "720p")
        writer.set_track(replace(TRACK, width=1280, height=720), 0)
        run(output, 0, 3, writer)
        before = multivariant(output).variants[0]
        assert (before.width, before.height, before.codecs) == (1280, 720, TRACK.codec_string)
        at = lose(output, writer)
        output.timeline.begin(at, NOW + 9)
        writer.set_track(replace(OTHER, width=854, height=480), at)
        output.redeclare("720p", frame_rate=Fraction(25), bandwidth_bps=500)
        run(output, at / S, at / S + 1, writer)
        (variant,) = multivariant(output).variants
        assert (variant.width, variant.height, variant.codecs) == (854, 480, OTHER.codec_string)
        assert variant.frame_rate == 25
        assert variant.bandwidth_bps >= before.bandwidth_bps > 500
        output.redeclare("720p", bandwidth_bps=20_000)
        (variant,) = multivariant(output).variants
        assert (variant.frame_rate, variant.bandwidth_bps) == (Fraction(25), 20_000)

    def test_twin_is_told_of_in_its_own_codec_also_on_a_slate(self) -> None:
        output = HlsOutput(HlsConfig())
        output.timeline.begin(0, NOW)
        av1 = replace(TRACK, codec="av1", codec_string="av01.0.05M.08")
        writer = declare(output, "720p-av1", av1.codec_string)
        writer.set_track(av1, 0)
        run(output, 0, 3, writer)
        at = lose(output, writer)
        output.timeline.begin(at, NOW + 9)
        assert multivariant(output).variants[0].codecs == av1.codec_string
        writer.set_track(TRACK, at)
        run(output, at / S, at / S + 1, writer)
        assert multivariant(output).variants[0].codecs == av1.codec_string


RATES = [(48_000, 0.5, 2.0), (44_100, 0.5, 2.0), (48_000, 0.25, 1.0), (44_100, 1.0, 6.0), (24_000, 0.5, 2.0)]


class TestSoundAlone:
    def begun(self, track: AudioTrack, config: HlsConfig) -> tuple[HlsOutput, AudioWriter]:
        output = HlsOutput(config)
        output.timeline.begin(10 * S, NOW)
        writer = output.add_audio(track)
        writer.set_track(track, 10 * S)
        return output, writer

    def play(self, output: HlsOutput, writer: AudioWriter, track: AudioTrack, seconds: float) -> int:
        """Let audio drive the timeline, in milliseconds as RTMP has them; return where it ends."""
        start, frame = output.timeline.position, Fraction(track.frame_samples, track.sample_rate)
        pts, hint, last = start, None, writer.rendition.last
        for index in range(int(seconds / frame)):
            pts = start + rescale(index * track.frame_samples, 1000, track.sample_rate) * 90
            output.timeline.advance(pts, True)
            writer.add(Sample(pts, pts, silent_frame(2), True))
            writer.advance(output.timeline.position, pts + 1)
            if writer.rendition.last != last:
                last = writer.rendition.last
                assert hint is None or (hint.msn, hint.part) == last
                hint = view_of(output, "audio").hint
        return pts + round(frame * CLOCK_HZ)

    @pytest.mark.parametrize(("sample_rate", "part_s", "segment_s"), RATES)
    async def test_parts_and_segments_are_legal(
        self, sample_rate: int, part_s: float, segment_s: float
    ) -> None:
        track = replace(SOUND, sample_rate=sample_rate)
        config = HlsConfig(part_s=part_s, segment_s=segment_s, target_duration_s=round(segment_s) + 1)
        output, writer = self.begun(track, config)
        end = self.play(output, writer, track, 20)
        output.timeline.end_segment(end)
        writer.advance(end, end)
        view = view_of(output, "audio")
        assert [segment.msn for segment in view.segments] == list(range(len(view.segments)))
        for segment in view.segments:
            lengths = [part.duration_s for part in segment.parts]
            assert max(lengths) <= part_s
            assert all(length >= 0.85 * part_s for length in lengths[:-1])
            assert not any(part.is_gap for part in segment.parts)
        # The last one has what was left; frames decide where the others end.
        frame_s = 1024 / sample_rate
        assert all(abs(segment.duration_s - segment_s) < 2 * frame_s for segment in view.segments[:-1])
        total_s = sum(segment.duration_s for segment in view.segments)
        assert total_s == pytest.approx((end - 10 * S) / S, abs=2 * frame_s)

    def test_the_list_is_one_audio_stream_until_there_is_video(self) -> None:
        output, writer = self.begun(SOUND, HlsConfig())
        assert output.multivariant() is None
        end = self.play(output, writer, SOUND, 3)
        lines = render_multivariant(multivariant(output)).splitlines()
        assert lines[-2:] == [
            '#EXT-X-STREAM-INF:BANDWIDTH=160000,AVERAGE-BANDWIDTH=160000,CODECS="mp4a.40.2"',
            "audio/index.m3u8",
        ]
        output.timeline.end_segment(end)
        writer.advance(end, end)
        before = shape(output, "audio")
        output.timeline.begin(end, NOW + 9)
        writer.set_track(STEREO_48K, end)
        video = declare(output, "720p")
        video.set_track(TRACK, end)
        for dts in range(end, end + 3 * S, STEP):
            output.timeline.advance(dts, dts in (end, end + 2 * S))
            video.add(Sample(dts, dts, b"v", dts in (end, end + 2 * S)))
            video.advance(output.timeline.frontier)
            writer.advance(output.timeline.position, dts + S)
        assert shape(output, "720p") == ["2Ippp", "3I…"]
        assert shape(output, "audio")[: len(before)] == before
        text = render_multivariant(multivariant(output))
        assert text.count("#EXT-X-STREAM-INF") == 1
        assert 'TYPE=AUDIO,GROUP-ID="audio"' in text
        assert (
            'RESOLUTION=64x36,FRAME-RATE=10.000,AUDIO="audio",CLOSED-CAPTIONS=NONE\n720p/index.m3u8' in text
        )

    def test_sound_that_joins_a_video_is_listed_once_it_is_there(self) -> None:
        output = HlsOutput(HlsConfig())
        output.timeline.begin(0, NOW)
        video = declare(output, "720p")
        video.set_track(TRACK, 0)
        run(output, 0, 3, video)
        assert multivariant(output).audio is None
        at = lose(output, video)
        output.timeline.begin(at, NOW + 9)
        writer = output.add_audio(SOUND)
        run(output, at / S, at / S + 1, video)
        assert multivariant(output).audio is None
        for pts in range(at, at + S, 1920):
            writer.add(Sample(pts, pts, silent_frame(2), True))
        writer.advance(output.timeline.position, at + S)
        assert multivariant(output).audio is not None
        view = view_of(output, "audio")
        assert (view.media_sequence, view.segments[0].is_discontinuity) == (2, True)
