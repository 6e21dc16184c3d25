"""How far apart a source's keyframes are: where segments begin, what is copied, and what is remembered of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hls.config import HlsConfig
from media.packet import CLOCK_HZ, Packet
from mediaserver.live.keyframe_memory import (
    MAX_KEYS,
    MAX_NOTE_BYTES,
    PROOF_S,
    KeyframeMemory,
    announces_keyframes,
)
from mediaserver.live.session import Publication

from .scene import AAC_48, FRAME, VIDEO, MakeScene, Scene, Source
from .test_session import MakeRoom, Room, make_room, send

__all__ = ["make_room"]

RATE = CLOCK_HZ // FRAME
RARE = 208
"""Frames between keyframes: 8.3 s, as OBS has it unless told otherwise."""


@dataclass
class Irregular(Source):
    """A source whose keyframes are where its scenes change."""

    keyframes: frozenset[int] = field(default_factory=frozenset)

    def _picture(self, dts: int) -> Packet:
        packet = super()._picture(dts)
        packet.is_keyframe = self.number in self.keyframes
        return packet


def at(intervals: Iterable[int]) -> frozenset[int]:
    """Place keyframes with these intervals."""
    places = [0]
    for interval in intervals:
        places.append(places[-1] + interval)
    return frozenset(places)


def lengths(scene: Scene) -> list[float]:
    """Durations of all segments but the last one, which ends where the source did."""
    return [round(segment.duration_s, 2) for segment in scene.view("360p").segments[:-1]]


async def assert_copied(scene: Scene) -> None:
    """Every segment of the copied rung begins with a keyframe, and nothing is missing or broken off."""
    assert scene.is_copying()
    assert scene.broadcast.warnings == []
    scene.assert_aligned()
    assert scene.discontinuities("360p") == []
    for segment in scene.view("360p").segments:
        assert (await scene.frames("360p", segment.msn))[0].endswith("!"), segment.msn


@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize(("gop", "expected_s"), [(1, 2.0), (25, 2.0), (50, 2.0), (75, 3.0), (100, 4.0)])
async def test_regular_keyframes(make_scene: MakeScene, gop: int, expected_s: float, b_frames: int) -> None:
    scene = make_scene()
    scene.connect(Source(gop=gop, b_frames=0 if gop == 1 else b_frames), 330)
    await assert_copied(scene)
    assert set(lengths(scene)) == {expected_s}
    for name in ("240p", "144p"):
        for segment in scene.view(name).segments[:-1]:
            frames = await scene.frames(name, segment.msn)
            assert [frame.endswith("!") for frame in frames] == [True] + [False] * (len(frames) - 1), (
                "encoded rungs have an IDR where a segment begins, and nowhere else"
            )


async def test_source_of_nothing_but_keyframes_whose_frame_rate_varies(make_scene: MakeScene) -> None:
    scene = make_scene()
    numbers = frozenset(range(400))
    source = Irregular(gop=1, keyframes=numbers)
    scene.broadcast.begin_source()
    for frames, step in ((40, FRAME), (20, 2 * FRAME), (40, FRAME), (60, 2 * FRAME)):
        source.origin += source.number * (source.frame - step)
        source.frame = step
        scene.publish(source, frames)
    await assert_copied(scene)
    assert min(lengths(scene)) >= 1.9


async def test_scene_cuts_before_a_long_scene_cost_no_break(make_scene: MakeScene) -> None:
    """Keyframes at 1.4 s and then at 5.4 s: waiting for the second one would be a segment that is too long."""
    scene = make_scene()
    scene.connect(Irregular(keyframes=at([10, 25, 100, 30, 100, 20, 7, 99, 50, 50, 50])), 541)
    await assert_copied(scene)
    assert max(lengths(scene)) <= 5.0
    assert min(lengths(scene)) >= 1.0


async def test_keyframes_close_together_and_then_none_are_no_legal_segment(make_scene: MakeScene) -> None:
    """With regular keyframes the segment goes on, and would be 5.4 s long with the one that comes late."""
    scene = make_scene()
    scene.connect(Irregular(keyframes=at([12, 12, 12, 99, 50, 50])), 220)
    assert not scene.is_copying()
    await scene.broadcast.finish()
    scene.assert_aligned()
    assert scene.discontinuities("360p") == [1]
    assert scene.gaps("360p") == []
    assert max(round(segment.duration_s, 3) for segment in scene.view("360p").segments) <= 5


@pytest.mark.parametrize("segment_s", [2.0, 5.0])
@settings(max_examples=15, deadline=None)
@given(intervals=st.lists(st.integers(1, 110), min_size=5, max_size=25))
async def test_whatever_the_keyframes_segments_are_legal(segment_s: float, intervals: list[int]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("mediaserver.live.broadcast.START", 0)
        config = HlsConfig(segment_s=segment_s, window_s=300)
        scene = MakeScene(monkeypatch)(config=config)
        scene.connect(Irregular(keyframes=at(intervals)), min(700, sum(intervals)))
        await scene.broadcast.finish()
        scene.assert_aligned()
        assert len(scene.discontinuities("360p")) <= 1
        assert scene.gaps("360p") == []
        for segment in scene.view("360p").segments:
            assert round(segment.duration_s, 3) <= config.target_duration_s
            assert (await scene.frames("360p", segment.msn))[0].endswith("!"), segment.msn
        await asyncio.sleep(0)


def publish(room: Room, gop: int, frames: int = 6 * RATE) -> Publication:
    """Publish for a while with a new connection."""
    publication = room.join()
    send(publication, Source(gop=gop), frames)
    return publication


async def test_key_of_a_source_with_rare_keyframes_is_remembered(make_room: MakeRoom) -> None:
    room = make_room()
    room.go_live()
    scene = room.scene
    publish(room, RARE).close(clean=False, reason="the connection was lost")
    assert scene.discontinuities("360p") == [1]
    before = len(await scene.frames("360p"))
    publication = publish(room, RARE)
    assert not scene.is_copying()
    assert any(
        "when this key was used before" in words and "interval to 2 s" in words
        for words in scene.broadcast.warnings
    ), scene.broadcast.warnings
    publication.close(clean=True, reason="")
    scene.assert_aligned()
    assert len(scene.discontinuities("360p")) == 2, (
        "one when keyframes turned out rare, one with the reconnect"
    )
    assert not any(frame.startswith("copy@") for frame in (await scene.frames("360p"))[before:])
    assert scene.gaps("360p") == []


async def test_key_is_copied_again_behind_a_connection_that_has_shown_better(make_room: MakeRoom) -> None:
    room = make_room()
    room.go_live()
    publish(room, RARE).close(clean=True, reason="")
    publish(room, 50, (PROOF_S + 3) * RATE)
    assert not room.scene.is_copying(), "going back would be another discontinuity"
    assert len(room.scene.discontinuities("360p")) == 2
    publish(room, 50, 60)  # it takes over from the one before
    assert room.scene.is_copying()
    assert room.scene.broadcast.warnings == []


@pytest.mark.parametrize(
    ("gop", "seconds"),
    [pytest.param(50, PROOF_S - 4, id="too short to tell"), pytest.param(RARE, 20, id="as rare as before")],
)
async def test_key_is_remembered_as_long_as_nothing_better_was_shown(
    make_room: MakeRoom, gop: int, seconds: int
) -> None:
    room = make_room()
    room.go_live()
    publish(room, RARE).close(clean=True, reason="")
    publish(room, gop, seconds * RATE).close(clean=True, reason="")
    publish(room, 50, 60)
    assert not room.scene.is_copying()


async def test_jump_of_the_clock_is_no_new_connection(make_room: MakeRoom) -> None:
    room = make_room()
    room.go_live()
    publication = publish(room, RARE)
    send(publication, Source(gop=50, origin=9_000 * CLOCK_HZ), 100)
    assert not room.scene.is_copying()


async def test_preview_tells_how_to_begin(make_room: MakeRoom) -> None:
    room = make_room()
    publication = room.join()
    source = Source(gop=RARE)
    send(publication, source, 6 * RATE)
    room.go_live()
    send(publication, source, 6 * RATE)
    assert not room.scene.is_copying()
    assert room.scene.discontinuities("360p") == []


async def test_source_is_copied_whatever_its_keyframes_when_encoders_have_failed(make_room: MakeRoom) -> None:
    room = make_room()
    room.go_live()
    publish(room, RARE).close(clean=True, reason="")
    source = Source(gop=RARE)
    publication = room.join()
    send(publication, source, 60)
    assert not room.scene.is_copying()
    room.scene.encoder.is_slow = True
    room.scene.encoder.sink.on_failed("three crashes")
    send(publication, source, 200)
    assert room.scene.is_copying()
    send(room.join(), Source(gop=RARE), 60)
    assert room.scene.is_copying()


OPTIONS = "bframes=3 open_gop={open_gop} keyint={keyint} keyint_min=25 scenecut=40 intra_refresh={refresh}"


def note(
    keyint: str = "50", *, open_gop: int = 0, refresh: int = 0, name: str = "x264 - core 165 r3"
) -> bytes:
    """Write what x264 has in front of its first picture."""
    options = OPTIONS.format(keyint=keyint, open_gop=open_gop, refresh=refresh)
    return b"\0\0\2\xa0\x06\x05\xff" + f"{name} - options: cabac=1 ref=3 {options} rc=abr\0".encode()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (note(), True),
        (note("100"), True),
        (note("101"), False),
        (note("250"), False),
        (note("infinite"), False),
        (note("9" * 5000), False),
        (note("\u00b2"), False),
        (note(open_gop=1), False),
        (note(refresh=1), False),
        (note(name="x265"), False),
        (b"", False),
        (bytes(MAX_NOTE_BYTES) + note(), False),
    ],
)
def test_what_x264_says(data: bytes, expected: bool) -> None:
    assert announces_keyframes(Packet(VIDEO, 0, 0, data, is_keyframe=True)) is expected


def test_what_x264_says_without_a_frame_rate_is_not_known() -> None:
    assert not announces_keyframes(Packet(replace(VIDEO, frame_rate=None), 0, 0, note(), is_keyframe=True))
    assert not announces_keyframes(Packet(AAC_48, 0, 0, note(), is_keyframe=True))


async def test_x264_that_was_set_right_is_copied_at_once(make_room: MakeRoom) -> None:
    room = make_room()
    room.go_live()
    publish(room, RARE).close(clean=True, reason="")
    publication = room.join()
    for packet in Source(gop=50).run(60):
        publication.receive(replace(packet, data=note()) if packet.is_video else packet)
    assert room.scene.is_copying()


def test_memory_is_bounded() -> None:
    memory = KeyframeMemory()
    memory.habit("first").judge(9 * CLOCK_HZ, 0)
    assert memory.habit("first").is_rare
    assert not memory.habit("second").is_rare
    for number in range(MAX_KEYS):
        memory.habit(str(number))
    assert not memory.habit("first").is_rare, "it was the oldest one"
