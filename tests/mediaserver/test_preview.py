"""The owner's preview: what is shown of a source, how its connections follow each other, and what it costs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import pytest

from hls.config import HlsConfig
from hls.output import HlsOutput
from hls.view import RenditionView
from media.packet import CLOCK_HZ, Packet, VideoTrack
from mediaserver.live import preview as preview_module
from mediaserver.live.preview import (
    GENERATIONS_SINCE,
    MUTE,
    NO_ENCODER,
    NO_KEYFRAME,
    TARGET_DURATION_S,
    WINDOW_BYTES,
    WINDOW_S,
    Preview,
    preview_config,
)

from .scene import FRAME, NOW, SURROUND, VIDEO, Source, sized

HEVC = replace(VIDEO, codec="hevc", codec_string="hvc1.1.6.L93.B0", bit_depth=10)
FORGOTTEN_S = 5.0


@dataclass
class Look:
    """A preview, and the time on its wall clock."""

    now: list[float] = field(default_factory=lambda: [NOW])

    def __post_init__(self) -> None:
        self.preview = Preview("look", preview_config(HlsConfig()), lambda: self.now[0])

    def publish(self, packets: Iterable[Packet]) -> None:
        for packet in packets:
            self.preview.receive(packet)

    @property
    def output(self) -> HlsOutput:
        assert self.preview.output is not None
        return self.preview.output

    def view(self, name: str = "source") -> RenditionView:
        view = self.output.view(name)
        assert view is not None
        return view


@pytest.fixture
async def look() -> Look:
    return Look()


def begin(look: Look, source: Source | None = None, frames: int = 130) -> Source:
    source = source or Source()
    look.preview.begin()
    look.publish(source.run(frames))
    return source


async def test_the_source_is_shown_as_it_is_and_nothing_else(look: Look) -> None:
    begin(look, Source(b_frames=2))
    master = look.output.multivariant()
    assert master is not None
    assert [(variant.name, variant.width, variant.height) for variant in master.variants] == [
        ("source", 640, 360)
    ]
    assert master.audio is not None
    assert not master.has_keyframe_playlists
    for name in ("source", "audio"):
        segments = look.view(name).segments
        assert [segment.msn for segment in segments] == [0, 1, 2]
        assert all(not part.is_gap for segment in segments for part in segment.parts)
    first = look.view().segments[0]
    assert await look.output.get("source", first.generation, 0, 0)
    assert look.preview.warnings == []


async def test_before_a_keyframe_there_is_nothing(look: Look) -> None:
    assert look.preview.absence == NO_ENCODER
    source = begin(look, Source(number=1), frames=48)
    assert look.preview.output is None
    assert look.preview.absence == NO_KEYFRAME
    look.publish(source.run(30))
    assert look.view().segments


async def test_dates_are_those_of_the_first_packet_that_is_shown(look: Look) -> None:
    """A source without sound is waited for a second: its first frame is as old as that when the preview begins."""
    begin(look, Source(audio=None), frames=60)
    assert look.view().segments[0].program_date_time == pytest.approx(NOW - 1)


@pytest.mark.parametrize(("frame_bytes", "held_s"), [(10_000, 2 * WINDOW_S), (60_000, WINDOW_S)])
async def test_a_preview_holds_so_much_and_no_more(look: Look, frame_bytes: int, held_s: float) -> None:
    """What has left the playlists can be asked for as long again, unless it is large."""
    source, most = begin(look, frames=0), 0
    for _ in range(100):
        for packet in source.run(50):
            look.preview.receive(replace(packet, data=bytes(frame_bytes if packet.is_video else 300)))
        most = max(most, look.output.size_bytes)
        assert sum(segment.duration_s for segment in look.view().listed) <= WINDOW_S + 2
    assert most < (held_s + 5) * 25 * frame_bytes * 1.1
    assert most < 2 * WINDOW_BYTES


async def test_an_encoder_that_leaves_takes_the_preview_with_it(
    look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview_module, "LINGER_S", 0.01)
    begin(look)
    waiting = asyncio.create_task(look.output.wait("source", 2, 5, FORGOTTEN_S))
    await asyncio.sleep(0)
    look.preview.end()
    assert await waiting, "whoever waits for a part is told"
    assert look.view().is_ended
    assert look.view("audio").is_ended
    async with asyncio.timeout(FORGOTTEN_S):
        while look.preview.output is not None:  # noqa: ASYNC110 - the timer of the loop frees it
            await asyncio.sleep(0.001)
    assert look.preview.absence == NO_ENCODER


@pytest.mark.parametrize("step_s", [20.0, 0.0, -3600.0], ids=["later", "at once", "clock set back"])
async def test_another_encoder_begins_with_addresses_of_its_own(look: Look, step_s: float) -> None:
    begin(look)
    before = look.view()
    generations = {segment.generation for segment in before.segments}
    assert generations == {round(NOW) - GENERATIONS_SINCE + 1}
    look.now[0] += step_s
    look.preview.begin()
    assert look.view().is_ended, "it can be read until there is another"
    look.publish(Source(origin=0).run(60))
    after = look.view()
    assert min(segment.generation for segment in after.segments) > max(generations)
    assert after.media_sequence == before.segments[-1].msn + 1
    assert after.segments[0].is_discontinuity
    assert not after.is_ended


async def test_a_lingering_preview_does_not_end_the_next(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview_module, "LINGER_S", 0.01)
    begin(look)
    look.preview.end()
    source = begin(look, Source(origin=0), frames=60)
    await asyncio.sleep(0.03)
    look.publish(source.run(60))
    assert not look.view().is_ended


@pytest.mark.parametrize(
    ("video", "words"),
    [
        (replace(VIDEO, codec="vp9", codec_string="vp09.00.10.08"), "vp9, 8 bits, 4:2:0"),
        (replace(VIDEO, bit_depth=10), "h264, 10 bits, 4:2:0"),
        (replace(VIDEO, chroma_format_idc=3), "h264, 8 bits, 4:4:4"),
    ],
    ids=["codec", "bits", "chroma"],
)
async def test_what_cannot_be_copied_is_told(look: Look, video: VideoTrack, words: str) -> None:
    source = begin(look, Source(video=video))
    assert look.preview.output is None
    assert words in look.preview.absence
    assert look.preview.warnings == [look.preview.absence]
    look.publish(source.run(100))
    assert look.preview.output is None
    begin(look)
    assert look.preview.warnings == []
    assert look.view().segments


async def test_other_codecs_are_shown_where_players_may_know_them(look: Look) -> None:
    begin(look, Source(video=HEVC))
    master = look.output.multivariant()
    assert master is not None
    assert master.variants[0].codecs == HEVC.codec_string


async def test_sound_that_cannot_be_copied_is_silence(look: Look) -> None:
    begin(look, Source(audio=SURROUND))
    assert look.preview.warnings == [MUTE]
    assert all(not part.is_gap for segment in look.view("audio").segments for part in segment.parts)


async def test_a_source_that_changes_goes_on_behind_a_discontinuity(look: Look) -> None:
    source = begin(look, frames=100)
    look.publish(replace(source, video=sized(1280, 720)).run(100))
    breaks = [segment.msn for segment in look.view().segments if segment.is_discontinuity]
    assert breaks == [2]
    master = look.output.multivariant()
    assert master is not None
    assert master.variants[0].width == 1280


async def test_other_sound_goes_on_with_the_next_keyframe(look: Look) -> None:
    source = begin(look, frames=75)
    source.audio = replace(source.audio, channels=1) if source.audio is not None else None
    look.publish(source.run(75))
    breaks = {
        name: [segment.msn for segment in look.view(name).segments if segment.is_discontinuity]
        for name in ("source", "audio")
    }
    assert breaks == {"source": [2], "audio": [2]}


@pytest.mark.parametrize("gop_s", [8.3, 30.0])
async def test_rare_keyframes_make_long_segments_but_none_that_is_too_long(look: Look, gop_s: float) -> None:
    begin(look, Source(gop=round(25 * gop_s)), frames=25 * 65)
    listed = list(look.view().listed)
    lengths = [segment.duration_s for segment in listed if segment.is_complete]
    assert max(lengths) <= TARGET_DURATION_S
    assert max(lengths) > 8
    assert all(segment.parts[0].is_independent for segment in listed)


async def test_renditions_of_the_streamers_own_are_left_out(look: Look) -> None:
    look.preview.begin()
    look.preview.expect_tracks(2)
    for packet in Source(video=sized(1280, 720)).run(100):
        look.preview.receive(packet)
        if packet.is_video:
            look.preview.receive(replace(packet, track=sized(640, 360), track_id=1))
    master = look.output.multivariant()
    assert master is not None
    assert [variant.width for variant in master.variants] == [1280]
    assert not any(segment.is_discontinuity for segment in look.view().segments)


@pytest.mark.parametrize(
    ("slower", "words"),
    [(1_000_000, "timestamps of the video do not advance"), (1000, "far too many bytes for its time")],
)
async def test_media_that_cannot_be_used_costs_the_preview_and_nobody_else(
    look: Look, slower: int, words: str
) -> None:
    source, data = begin(look, Source(origin=0, audio=None)), bytes(WINDOW_BYTES // 100)
    at = source.number * FRAME
    for packet in source.run(250):
        dts = at + (packet.dts - at) // slower
        look.preview.receive(replace(packet, dts=dts, pts=dts, data=data if slower == 1000 else b""))
    assert words in look.preview.absence
    assert look.preview.warnings == [look.preview.absence]
    assert look.view().is_ended


async def test_a_jump_of_the_clock_goes_on_behind_a_discontinuity(look: Look) -> None:
    begin(look, Source(origin=CLOCK_HZ), frames=100)
    look.publish(Source(origin=100 * CLOCK_HZ).run(100))
    assert [segment.is_discontinuity for segment in look.view().segments].count(True) == 1
