"""Segments on request, by real workers: what they look like, and the tracks of rungs that have never run."""

from __future__ import annotations

import asyncio
import io
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest

from hls.fragment import FragmentSample, fragment
from hls.initialization import video_init
from media.error import LocalStateError, TranscodeError
from media.packet import Packet, VideoTrack
from transcode.pool import WorkerPool
from transcode.render import RenderedFrame, Renderer, RenderRequest
from transcode.render_worker import decoder_threads
from transcode.supervisor import Transcoder

from .codec import video_of
from .rendering import GOP, SMALL, TINY, CountingPool, render, request, times
from .source import STEP, Recorder, decode, video
from .test_interlaced import source as interlaced


def brightness(frame: av.VideoFrame) -> int:
    """Read where the gradient begins, which says which picture this is: 16 + 4 * index."""
    return int(np.asarray(frame.to_ndarray()[: frame.height, :2]).mean())


async def test_every_picture_is_there_and_the_first_is_an_idr(renderer: Renderer) -> None:
    packets = video(GOP, start=900_000)
    rendered = await render(renderer, request(packets))
    assert times(rendered) == [packet.pts for packet in packets]
    assert [frame.is_keyframe for frame in rendered.frames] == [True] + [False] * (GOP - 1)
    assert (rendered.track.width, rendered.track.height) == (256, 144)
    pictures = decode(rendered.track.config, [frame.data for frame in rendered.frames])
    assert [brightness(item) for item in pictures] == pytest.approx(
        [16 + 4 * index for index in range(GOP)], abs=4
    )


async def test_the_same_again_has_the_same_bytes_whatever_was_in_between(renderer: Renderer) -> None:
    packets = video(GOP)
    first = await render(renderer, request(packets))
    await render(renderer, request(video(GOP, 480, 270, start=90_000, b_frames=2), TINY))
    assert await render(renderer, request(packets)) == first


async def test_an_earlier_segment_may_follow_a_later_one(renderer: Renderer) -> None:
    packets = video(3 * GOP, start=900_000)
    for number in (2, 0, 1):
        part = packets[number * GOP : (number + 1) * GOP]
        assert times(await render(renderer, request(part))) == [packet.pts for packet in part]
    assert len(renderer.worker_pids) == 1, "one worker made them all"


SOURCES: list[tuple[str, Callable[[], list[Packet]]]] = [
    ("b-frames", lambda: video(2 * GOP, b_frames=3)),
    ("hevc", lambda: video_of("hevc", 20)),
    ("av1", lambda: video_of("av1", 20)),
    ("vp9", lambda: video_of("vp9", 20)),
    ("interlaced", lambda: interlaced("tff")),
    ("10 bit", lambda: video(2 * GOP, pixel_format="yuv420p10le")),
]


@pytest.mark.parametrize("make", [make for _, make in SOURCES], ids=[name for name, _ in SOURCES])
async def test_sources_of_all_kinds(renderer: Renderer, make: Callable[[], list[Packet]]) -> None:
    packets = make()
    cut = next(index for index in range(1, len(packets)) if packets[index].is_keyframe)
    for part in (packets[cut:], packets[:cut]):
        rendered = await render(renderer, request(part, source=str(part[0].pts)))
        assert times(rendered) == sorted(packet.pts for packet in part)


async def test_a_rung_of_fewer_frames_begins_with_the_first_of_its_segment(renderer: Renderer) -> None:
    packets = video(2 * GOP)
    slow = replace(SMALL, min_frame_ticks=STEP + 1)
    for part in (packets[:GOP], packets[GOP:]):
        rendered = await render(renderer, request(part, slow, source=str(part[0].pts)))
        assert times(rendered) == [packet.pts for packet in part[::2]]
        assert rendered.frames[0].is_keyframe


async def test_leading_pictures_go_with_the_segment_in_which_they_are_shown(renderer: Renderer) -> None:
    packets = video_of("hevc open GOP", 36)
    first, second = (index for index in range(1, len(packets)) if packets[index].is_keyframe)
    start, end = packets[first].pts, packets[second].pts
    behind = [packet for packet in packets[second:] if packet.is_keyframe or packet.pts < end]
    part = packets[first:second] + behind
    assert any(packet.pts < end for packet in behind), "pictures sent behind the keyframe that they precede"
    rendered = await render(renderer, request(part, end=end))
    assert times(rendered) == list(range(start, end, STEP))


async def test_it_joins_what_was_encoded_live(renderer: Renderer, pool: WorkerPool, tmp_path: Path) -> None:
    """Live, rendered, live again: one init segment, and a player notices nothing."""
    packets = video(3 * GOP, b_frames=2, start=900_000)
    boundaries = [900_000 + number * GOP * STEP for number in range(4)]
    live, track = await encode_live(pool, packets, boundaries[:3])
    rendered = await render(renderer, request(packets[GOP : 2 * GOP], end=boundaries[2]))
    assert rendered.track == track
    frames = [
        *(frame for frame in live if frame.pts < boundaries[1]),
        *rendered.frames,
        *(frame for frame in live if frame.pts >= boundaries[2]),
    ]
    file = video_init(track) + b"".join(
        segment(number, [frame for frame in frames if start <= frame.pts < start + GOP * STEP])
        for number, start in enumerate(boundaries[:3])
    )
    path = tmp_path / "joined.mp4"
    path.write_bytes(file)
    assert await asyncio.to_thread(complaints, path) == b""
    with av.open(io.BytesIO(file), "r") as container:
        pictures = list(container.decode(video=0))
    assert [picture.pts for picture in pictures] == [frame.pts for frame in frames]
    assert [brightness(item) for item in pictures] == pytest.approx(
        [16 + index * 4 % 200 for index in range(3 * GOP)], abs=6
    )


def complaints(path: Path) -> bytes:
    """Decode with ffmpeg, which looks for errors; returns what it has to say."""
    arguments = ["-v", "warning", "-nostdin", "-xerror", "-err_detect", "+crccheck+bitstream+buffer+explode"]
    return subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), *arguments, "-i", path, "-f", "null", "-"],
        capture_output=True,
        timeout=15,
        check=True,
    ).stderr


async def encode_live(
    pool: WorkerPool, packets: list[Packet], boundaries: list[int]
) -> tuple[list[RenderedFrame], VideoTrack]:
    sink = Recorder()
    transcoder = Transcoder(pool, sink)
    transcoder.activate(SMALL, boundaries[0])
    for pts in boundaries:
        transcoder.force_keyframe(pts)
    for packet in packets:
        transcoder.send(packet)
    transcoder.flush()
    await sink.until(lambda: sink.flushes == 1)
    await transcoder.close()
    frames = [RenderedFrame(pts, rungs["144p"].data, rungs["144p"].is_keyframe) for pts, rungs in sink.video]
    return frames, sink.opened["144p"][0]


def segment(sequence: int, frames: list[RenderedFrame]) -> bytes:
    samples = [FragmentSample(frame.data, STEP, frame.is_keyframe, 0) for frame in frames]
    return fragment(sequence + 1, frames[0].pts, samples)


async def test_a_damaged_source_gives_what_can_be_seen(renderer: Renderer) -> None:
    packets = video(GOP)
    packets[5] = replace(packets[5], data=packets[5].data[: len(packets[5].data) // 2])
    rendered = await render(renderer, request(packets))
    assert rendered.frames[0].is_keyframe
    assert set(times(rendered)) <= {packet.pts for packet in packets}
    assert len(rendered.frames) >= GOP - 2
    garbage = [replace(packet, data=b"\0\0\0\x10" + b"\x65" * 3) for packet in video(30, gop=30)]
    with pytest.raises(TranscodeError, match="no picture"):
        await render(renderer, request(garbage, source="garbage"))
    assert len((await render(renderer, request(video(GOP), source="next"))).frames) == GOP


async def test_tracks_are_known_before_a_rung_has_run(pool: WorkerPool) -> None:
    counting = CountingPool(pool)
    renderer = Renderer(counting)
    tracks = await asyncio.wait_for(renderer.tracks([SMALL, TINY]), 15)
    assert list(tracks) == ["144p", "240p"]
    assert tracks["144p"] == (await render(renderer, request(video(GOP)))).track
    other_name = replace(SMALL, name="360p", preset="superfast", bitrate_bps=99_000)
    opened = counting.count("Activate")
    assert await renderer.tracks([other_name, TINY]) == {"360p": tracks["144p"], "240p": tracks["240p"]}
    assert counting.count("Activate") == opened, "remembered"
    await renderer.close()


async def test_tracks_that_cannot_be_are_refused(renderer: Renderer) -> None:
    with pytest.raises(TranscodeError):
        await asyncio.wait_for(renderer.tracks([replace(SMALL, width=0, height=0)]), 15)
    assert list(await renderer.tracks([SMALL])) == ["144p"]


@pytest.mark.parametrize(
    ("width", "height", "cores", "threads"),
    [(1920, 1080, 2, 2), (1920, 1080, 64, 4), (3840, 2160, 64, 2), (7680, 4320, 64, 1), (0, 0, 1, 1)],
)
def test_threads_of_a_decoder_are_bounded_by_cores_and_memory(
    width: int, height: int, cores: int, threads: int
) -> None:
    assert decoder_threads(VideoTrack("h264", b"", "", width, height), cores) == threads


@pytest.mark.parametrize(
    ("packets", "length"),
    [([], 1), (video(2)[1:], 1), (video(2), 0)],
    ids=["nothing", "no keyframe", "no time"],
)
def test_requests_that_make_no_sense(packets: list[Packet], length: int) -> None:
    track = video(1)[0].track
    assert isinstance(track, VideoTrack)
    with pytest.raises(LocalStateError):
        RenderRequest("one", track, packets, SMALL, 0, length)
