"""What the writers make is read back by real demuxers and decoders, which find nothing to complain about."""

import io
import shutil
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import pytest

from hls.config import HlsConfig
from media.aac import silent_frame
from tests.program import need

from .boxes import read_fragments
from .conftest import Clip, Driver, Tone

DECODERS = [path for path in (shutil.which("ffmpeg"), imageio_ffmpeg.get_ffmpeg_exe()) if path]


async def whole(driver: Driver, name: str) -> bytes:
    """Join a rendition's init segment and all its segments."""
    view = driver.output.view(name)
    assert view is not None
    data = driver.output.init(name, view.segments[0].generation)
    assert data is not None
    for segment in view.segments:
        media = await driver.output.get(name, segment.generation, segment.msn, None)
        assert media is not None
        parts = [
            await driver.output.get(name, segment.generation, segment.msn, index)
            for index in range(len(segment.parts))
        ]
        assert b"".join(part or b"" for part in parts) == media
        data += media
    return data


def packaged(make_driver: Callable[..., Driver], clip: Clip, tone: Tone | None, end: int) -> Driver:
    driver = make_driver()
    driver.begin()
    driver.declare(clip, tone)
    driver.push(clip, tone)
    driver.lose(end)
    return driver


def complaints(data: bytes, path: Path, decoder: str) -> str:
    path.write_bytes(data)
    command = [decoder, "-hide_banner", "-v", "warning", "-i", str(path), "-f", "null", "-"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return result.stderr


VIDEOS = [(Fraction(25), 0), (Fraction(25), 3), (Fraction(30000, 1001), 2), (Fraction(60), 0)]


@pytest.mark.parametrize(("frame_rate", "b_frames"), VIDEOS)
async def test_video_keeps_every_frame_at_its_time(
    make_driver: Callable[..., Driver],
    video_clip: Callable[..., Clip],
    tmp_path: Path,
    frame_rate: Fraction,
    b_frames: int,
) -> None:
    clip = video_clip(frame_rate=frame_rate, b_frames=b_frames, frames=150, gop=60)
    end = clip.samples[-1].dts + round(90_000 / frame_rate)
    driver = packaged(make_driver, clip, None, end)
    data = await whole(driver, "720p")

    written = read_fragments(data)
    assert [(s.dts, s.pts, s.data, s.is_sync) for s in written] == [tuple(s) for s in clip.samples]
    assert sum(sample.duration for sample in written) == end
    if b_frames:
        assert min(sample.pts - sample.dts for sample in written) < 0

    with av.open(io.BytesIO(data), "r") as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        assert [bytes(packet) for packet in packets] == [sample.data for sample in clip.samples]
        # The demuxer of FFmpeg moves all of a track with negative offsets by one constant.
        shifts = [
            (packet.pts or 0) - sample.pts for packet, sample in zip(packets, clip.samples, strict=True)
        ]
        assert len(set(shifts)) == 1
        assert [packet.dts for packet in packets] == [sample.dts for sample in clip.samples]
    for decoder in DECODERS:
        assert complaints(data, tmp_path / "video.mp4", decoder) == ""


@pytest.mark.parametrize("sample_rate", [44_100, 48_000])
async def test_audio_lies_on_the_sample_grid(
    make_driver: Callable[..., Driver],
    video_clip: Callable[..., Clip],
    audio_tone: Callable[..., Tone],
    tmp_path: Path,
    sample_rate: int,
) -> None:
    clip, tone = video_clip(), audio_tone(sample_rate=sample_rate)
    driver = packaged(make_driver, clip, tone, 6 * 90_000)
    data = await whole(driver, "audio")
    written = read_fragments(data)
    assert [sample.dts for sample in written] == [1024 * index for index in range(len(written))]
    assert all(sample.duration == 1024 and sample.is_sync and sample.pts == sample.dts for sample in written)
    assert [sample.data for sample in written[:250]] == [sample.data for sample in tone.samples[:250]]
    assert len(written) == -(-6 * sample_rate // 1024)
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.audio[0]
        assert (stream.rate, stream.channels, stream.time_base) == (sample_rate, 2, Fraction(1, sample_rate))
        decoded = sum(frame.samples for frame in container.decode(stream))
        assert decoded >= 1024 * (len(written) - 1)
    for decoder in DECODERS:
        assert complaints(data, tmp_path / "audio.mp4", decoder) == ""

    view = driver.output.view("audio")
    assert view is not None
    for segment in view.segments:
        lengths = [part.duration_s for part in segment.parts]
        assert max(lengths) <= HlsConfig().part_s
        assert all(length >= 0.85 * HlsConfig().part_s for length in lengths[:-1])


async def test_silence_and_empty_parts_decode(
    make_driver: Callable[..., Driver],
    video_clip: Callable[..., Clip],
    audio_tone: Callable[..., Tone],
    tmp_path: Path,
) -> None:
    """A source of few frames a second, whose sound has a hole."""
    clip = video_clip(frame_rate=Fraction(1), frames=6, gop=2)
    tone = audio_tone(sample_rate=48_000)
    holey = Tone(tone.track, tuple(s for s in tone.samples if not 90_000 < s.dts < 180_000))
    driver = packaged(make_driver, clip, holey, 6 * 90_000)
    video, audio = await whole(driver, "720p"), await whole(driver, "audio")
    assert [sample.dts for sample in read_fragments(video)] == [s.dts for s in clip.samples]
    written = read_fragments(audio)
    assert [sample.dts for sample in written] == [1024 * index for index in range(len(written))]
    assert [sample.data for sample in written[:230]].count(silent_frame(2)) in range(45, 49)
    view = driver.output.view("720p")
    assert view is not None
    # Only where nothing follows, nobody can tell a frame that lasts from frames that are missing.
    gaps = [part.is_gap for segment in view.segments for part in segment.parts]
    assert gaps == [False] * (len(gaps) - 1) + [True]
    assert {len(segment.parts) for segment in view.segments} == {4}
    for decoder in DECODERS:
        assert complaints(video, tmp_path / "video.mp4", decoder) == ""
        assert complaints(audio, tmp_path / "audio.mp4", decoder) == ""


def probe(path: Path) -> list[str]:
    command = [
        need("ffprobe"),
        "-v",
        "warning",
        "-show_entries",
        "packet=dts_time,flags",
        "-of",
        "csv=p=0",
        str(path),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stderr == ""
    return result.stdout.split()


async def test_ffprobe_reads_each_segment_on_its_own(
    make_driver: Callable[..., Driver], video_clip: Callable[..., Clip], tmp_path: Path
) -> None:
    clip = video_clip(b_frames=2)
    driver = packaged(make_driver, clip, None, 6 * 90_000)
    init = driver.output.init("720p", 1)
    segment = await driver.output.get("720p", 1, 1, None)
    assert init is not None
    assert segment is not None
    path = tmp_path / "segment.mp4"
    path.write_bytes(init + segment)
    lines = probe(path)
    assert len(lines) == 50
    assert lines[0].startswith("2.000000,K")
