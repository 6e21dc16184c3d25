"""Runs as a reconnect makes them: a slate, a few frames, the next source; what players of every rendition see."""

import asyncio
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hls.audio_writer import AudioWriter
from hls.config import HlsConfig
from hls.output import HlsOutput
from hls.writer import Sample, VideoWriter
from media.aac import silent_frame

from .boxes import read_fragments
from .conftest import NOW, Clip, Driver
from .rendered import render_media
from .test_codecs import watch
from .test_packaging import whole
from .test_writer import SOUND, STEP, TRACK, S, declare, shape, view_of

LENGTHS = [(0.5, 2.0), (0.25, 1.0), (0.25, 2.0), (1.0, 6.0), (0.333, 2.0)]


def config(part_s: float, segment_s: float) -> HlsConfig:
    return HlsConfig(part_s=part_s, segment_s=segment_s, target_duration_s=int(segment_s) + 1)


class Show:
    """One or two rungs and the sound, of which every run is fed in tenths of a second."""

    def __init__(self, lengths: HlsConfig) -> None:
        self.output = HlsOutput(lengths)
        self.videos: dict[str, VideoWriter] = {}
        self.audio: AudioWriter | None = None

    def begin(self, *names: str, has_sound: bool = True) -> int:
        at = self.output.timeline.position
        self.output.timeline.begin(at, NOW)
        for name in set(names) - set(self.videos):
            self.videos[name] = declare(self.output, name)
        for writer in self.videos.values():
            writer.set_track(TRACK, at)
        if has_sound and self.audio is None:
            self.audio = self.output.add_audio(SOUND)
        if self.audio is not None:
            self.audio.set_track(SOUND, at)
        return at

    def feed(self, at: int, frames: int) -> None:
        """Feed a run with a keyframe in each SEGMENT_S, and end it."""
        timeline, sound = self.output.timeline, at
        for index in range(frames):
            dts, is_sync = at + index * STEP, index % round(10 * self.output.config.segment_s) == 0
            timeline.advance(dts, is_sync)
            for writer in self.videos.values():
                writer.add(Sample(dts, dts, b"frame", is_sync))
                writer.advance(timeline.frontier)
            if self.audio is not None:
                while sound < dts:
                    self.audio.add(Sample(sound, sound, silent_frame(2), True))
                    sound += 1920
                self.audio.advance(timeline.position, sound)
        end = at + frames * STEP
        timeline.end_segment(end)
        for writer in self.videos.values():
            writer.advance(end)
        if self.audio is not None:
            self.audio.advance(end, end)

    def run(self, frames: int, *names: str) -> None:
        self.feed(self.begin(*names), frames)


@pytest.mark.parametrize(("part_s", "segment_s"), LENGTHS)
def test_ten_frames_a_second_give_legal_parts(part_s: float, segment_s: float) -> None:
    show = Show(config(part_s, segment_s))
    show.run(round(10 * 5 * segment_s), "480p")
    for name in ("480p", "audio"):
        segments = view_of(show.output, name).segments
        assert len(segments) == 5
        for segment in segments:
            lengths = [part.duration_s for part in segment.parts]
            assert max(lengths) <= part_s
            assert all(length >= 0.85 * part_s for length in lengths[:-1])
            assert not any(part.is_gap for part in segment.parts)
    video = view_of(show.output, "480p").segments
    assert [segment.duration_s for segment in video] == pytest.approx([segment_s] * 5)
    assert all([part.is_independent for part in segment.parts].index(True) == 0 for segment in video)
    if part_s in (0.5, 1.0):
        assert {part.duration_s for segment in video for part in segment.parts} == {part_s}


async def test_a_part_of_half_a_second_holds_five_frames() -> None:
    show = Show(config(0.5, 2.0))
    show.run(40, "480p")
    for msn in (0, 1):
        for index in range(4):
            data = await show.output.get("480p", 1, msn, index)
            samples = read_fragments(data or b"")
            assert [sample.duration for sample in samples] == [STEP] * 5


@pytest.mark.parametrize("frames", [1, 2, 4])
async def test_a_run_shorter_than_a_part_is_a_segment_of_one(frames: int) -> None:
    show = Show(config(0.5, 2.0))
    show.run(25, "480p")
    show.run(frames, "480p")
    show.run(25, "480p")
    assert shape(show.output, "480p") == ["0Ippp", "1I", "2I", "3Ippp", "4I"]
    assert [segment.is_discontinuity for segment in view_of(show.output, "480p").segments] == [
        *(False, False),
        *(True, True),
        False,
    ]
    assert view_of(show.output, "480p").segments[2].duration_s == pytest.approx(frames / 10)
    data = await show.output.get("480p", 1, 2, None)
    samples = read_fragments(data or b"")
    assert [sample.duration for sample in samples] == [STEP] * frames
    sound = view_of(show.output, "audio").segments
    assert [segment.msn for segment in sound] == [0, 1, 2, 3, 4]
    assert [segment.is_discontinuity for segment in sound] == [False, False, True, True, False]
    assert not any(part.is_gap for segment in sound for part in segment.parts)


def test_a_run_that_is_lost_at_its_first_frame_leaves_no_trace() -> None:
    show = Show(config(0.5, 2.0))
    show.run(25, "480p")
    at = show.begin("480p")
    for writer in show.videos.values():
        writer.add(Sample(at, at, b"frame", True))
    show.output.timeline.end_segment(at)
    show.run(12, "480p")
    assert shape(show.output, "480p") == ["0Ippp", "1I", "2Ipp"]
    assert [segment.is_discontinuity for segment in view_of(show.output, "audio").segments] == [
        *(False, False),
        True,
    ]


def discontinuities(output: HlsOutput, name: str) -> dict[int, int]:
    """Read a playlist: the discontinuity sequence number of each of its segments, by media sequence number."""
    text = render_media(view_of(output, name), output.config)
    (msn,) = map(int, re.findall(r"#EXT-X-MEDIA-SEQUENCE:(\d+)", text))
    (count,) = map(int, re.findall(r"#EXT-X-DISCONTINUITY-SEQUENCE:(\d+)", text))
    found = {}
    for line in text.splitlines():
        count += line == "#EXT-X-DISCONTINUITY"
        if not line.startswith("#"):
            assert line.split("-")[1].split(".")[0] == str(msn)
            found[msn] = count
            msn += 1
    return found


@settings(max_examples=40, deadline=None)
@given(runs=st.lists(st.integers(1, 45), min_size=3, max_size=14), joins=st.integers(0, 13))
def test_every_rendition_counts_the_same_discontinuities(runs: list[int], joins: int) -> None:
    show = Show(HlsConfig(window_s=6.0, segment_s=1.0, part_s=0.25, target_duration_s=2))
    known: dict[int, int] = {}
    for number, frames in enumerate(runs):
        show.run(frames, *(("480p", "1080p") if number >= joins else ("480p",)))
        for name in [*show.videos, "audio"]:
            found = discontinuities(show.output, name)
            assert found
            for msn, count in found.items():
                assert known.setdefault(msn, count) == count, (name, msn)
    newest = {name: max(discontinuities(show.output, name)) for name in [*show.videos, "audio"]}
    assert set(newest.values()) == {show.output.timeline.next_msn - 1}
    assert known[show.output.timeline.next_msn - 1] == len(runs) - 1


async def test_a_slate_between_two_runs_plays(
    make_driver: Callable[..., Driver], video_clip: Callable[..., Clip], tmp_path: Path
) -> None:
    """One encoded GOP, repeated, then a source whose pictures are reordered."""
    slate = video_clip(frame_rate=Fraction(10), frames=20, gop=20)
    source = video_clip(frame_rate=Fraction(15), b_frames=3, frames=60, gop=30)
    lead = max(sample.dts - sample.pts for sample in source.samples)
    assert lead > STEP  # longer than a frame of the slate: decoding times overlap behind the discontinuity
    driver = make_driver()
    timeline, at = driver.output.timeline, 10 * S
    driver.begin(at)
    driver.declare(source)
    driver.videos["720p"].set_track(source.track, at, lead)
    driver.push(source, offset=at)
    driver.lose(at + 4 * S)
    driver.begin(at + 4 * S)
    driver.videos["720p"].set_track(slate.track, at + 4 * S)
    for number in range(3):
        driver.push(slate, offset=at + (4 + 2 * number) * S)
    driver.lose(at + 10 * S)
    driver.begin(at + 10 * S)
    driver.videos["720p"].set_track(source.track, at + 10 * S, lead)
    driver.push(source, offset=at + 10 * S)
    driver.lose(at + 14 * S)
    assert timeline.position == at + 14 * S
    assert [segment.is_discontinuity for segment in view_of(driver.output).segments] == [
        *(False, False),
        *(True, False, False),
        *(True, False),
    ]
    path = tmp_path / "slate.mp4"
    path.write_bytes(await whole(driver, "720p"))
    assert await asyncio.wait_for(watch(path), 15) == (60 + 60 + 60, "")
