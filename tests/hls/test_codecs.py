"""Twins in the source's own codec: real HEVC and AV1, packaged, delivered over HTTP and played by real players."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable
from fractions import Fraction
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import imageio_ffmpeg
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from hls.config import HlsConfig
from hls.http import routes
from hls.output import HlsOutput
from hls.parameter_set import parameter_sets
from hls.writer import VideoWriter
from media.av1 import av1_track
from media.h264 import h264_track
from media.hevc import hevc_track
from media.nal import join_length_prefixed
from media.packet import CLOCK_HZ, VideoTrack

from .boxes import find, read_fragments
from .conftest import NOW, Clip, shifted

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
RATE = 25
FRAMES = 100
GOP = 50
STEP = CLOCK_HZ // RATE
AT = 10 * CLOCK_HZ

pytestmark = pytest.mark.timeout(60)

X264 = ("libx264", "-preset", "ultrafast", "-bf", "2", "-sc_threshold", "0")
X265 = ("libx265", "-preset", "ultrafast", "-bf", "3", "-tag:v", "hvc1")
CLOSED = ("-x265-params", f"log-level=none:open-gop=0:scenecut=0:keyint={GOP}:min-keyint={GOP}")
OPEN = ("-x265-params", f"log-level=none:open-gop=1:scenecut=0:keyint={GOP}:min-keyint={GOP}")
SVT_AV1 = ("libsvtav1", "-preset", "12")
AOM_AV1 = ("libaom-av1", "-cpu-used", "8", "-usage", "realtime")

TRACKS: dict[str, Callable[[bytes], VideoTrack]] = {"h264": h264_track, "hevc": hevc_track, "av1": av1_track}

CODECS = [
    ("hevc", (*X265, *CLOSED), "hvc1.1.6.L60.90"),
    ("hevc", (*X265, *OPEN), "hvc1.1.6.L60.90"),
    ("av1", SVT_AV1, "av01.0.00M.08"),
    ("av1", AOM_AV1, "av01.0.00M.08"),
]
IDS = ["x265", "x265-open-gop", "svt-av1", "aom-av1"]


@cache
def encode(codec: str, arguments: tuple[str, ...], size: str = "320x180") -> Clip:
    """Encode a moving picture with the newest FFmpeg."""
    source = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={RATE}", "-frames:v", str(FRAMES)]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        command = [
            FFMPEG,
            "-v",
            "error",
            *source,
            "-pix_fmt",
            "yuv420p",
            "-g",
            str(GOP),
            "-c:v",
            *arguments,
            path,
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=40)
        with av.open(path, "r") as container:
            stream = container.streams.video[0]
            assert stream.time_base is not None
            tick = stream.time_base * CLOCK_HZ
            track = TRACKS[codec](bytes(stream.codec_context.extradata or b""))
            packets = [packet for packet in container.demux(stream) if packet.size]
    return Clip(track, tuple(shifted(packets, tick)))


class Show:
    """A broadcast of one picture in several codecs."""

    def __init__(self) -> None:
        self.output = HlsOutput(HlsConfig())
        self.writers: dict[str, VideoWriter] = {}

    def play(self, clips: dict[str, Clip]) -> None:
        """Publish a run; the keyframes of the first clip decide where segments begin."""
        timeline = self.output.timeline
        at = max(timeline.position, AT)
        timeline.begin(at, NOW)
        for name, clip in clips.items():
            lead = max(sample.dts - sample.pts for sample in clip.samples)
            self.writer(name, clip).set_track(clip.track, at, lead)
        for samples in zip(*(clip.samples for clip in clips.values()), strict=True):
            timeline.advance(at + samples[0].dts, samples[0].is_sync)
            for name, sample in zip(clips, samples, strict=True):
                moved = sample._replace(dts=at + sample.dts, pts=at + sample.pts)
                self.writers[name].add(moved)
                self.writers[name].advance(timeline.frontier)
        timeline.end_segment(at + FRAMES * STEP)
        for writer in self.writers.values():
            writer.advance(timeline.position)

    def writer(self, name: str, clip: Clip) -> VideoWriter:
        if name not in self.writers:
            self.writers[name] = self.output.add_video(
                name,
                width=clip.track.width,
                height=clip.track.height,
                frame_rate=Fraction(RATE),
                codec_string=clip.track.codec_string,
                bandwidth_bps=2_000_000,
            )
        return self.writers[name]

    def find(self, stream_id: str) -> HlsOutput:
        return self.output

    def check(self, stream_id: str, token: str | None) -> None:
        """Let everybody in."""

    async def bytes_of(self, name: str) -> list[tuple[bytes, bytes]]:
        """Return the init segment and the bytes of each segment."""
        view = self.output.view(name)
        assert view is not None
        found = []
        for segment in view.segments:
            init = self.output.init(name, segment.generation)
            data = await self.output.get(name, segment.generation, segment.msn, None)
            assert init is not None
            assert data is not None
            found.append((init, data))
        return found


async def watch(address: str | Path) -> tuple[int, str]:
    """Decode all streams; return how many pictures came out, and what FFmpeg had to say."""
    process = await asyncio.create_subprocess_exec(
        *(FFMPEG, "-v", "warning", "-i", str(address), "-map", "0:v", "-f", "framecrc", "-"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(40):
        pictures, words = await process.communicate()
    return sum(not line.startswith(b"#") for line in pictures.splitlines()), words.decode()


@pytest.fixture
def show() -> Show:
    return Show()


@pytest.fixture
async def address(show: Show) -> AsyncIterator[str]:
    """Serve the show over HTTP."""
    app = web.Application()
    app.add_routes(routes(show, show.output.config))
    async with TestServer(app) as server:
        yield str(server.make_url("/hls/show"))


@pytest.mark.parametrize(("codec", "arguments", "codec_string"), CODECS, ids=IDS)
async def test_real_bytes_keep_their_frames_and_play(
    show: Show, tmp_path: Path, codec: str, arguments: tuple[str, ...], codec_string: str
) -> None:
    clip = encode(codec, arguments)
    name = f"144p-{codec}"
    show.play({name: clip})
    pieces = await show.bytes_of(name)
    init = pieces[0][0]
    media = b"".join(data for _, data in pieces)
    read = read_fragments(media)
    assert [(s.pts, s.data, s.is_sync) for s in read] == [
        (AT + sample.pts, sample.data, sample.is_sync) for sample in clip.samples
    ]
    assert min(sample.pts - sample.dts for sample in read) == 0
    assert clip.track.codec_string == codec_string
    entry = {"hevc": b"hvc1", "av1": b"av01"}[codec]
    assert find(init, b"stsd")[12:16] == entry

    path = tmp_path / "whole.mp4"
    path.write_bytes(init + media)
    assert await watch(path) == (FRAMES, "")
    # Each segment on its own, too; the pictures that lead an open group cannot be decoded there.
    path.write_bytes(init + pieces[1][1])
    pictures, words = await watch(path)
    assert words == ""
    assert GOP - 2 <= pictures <= GOP + 1
    with av.open(path, "r") as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.width, context.height) == (codec, 320, 180) or codec == "av1"


async def test_twins_are_played_over_http(show: Show, address: str) -> None:
    clips = {
        "720p": encode("h264", X264),
        "720p-hevc": encode("hevc", (*X265, *CLOSED)),
        "720p-av1": encode("av1", SVT_AV1),
    }
    show.play(clips)
    show.output.finish()
    for name in clips:
        assert await watch(f"{address}/{name}/index.m3u8") == (FRAMES, ""), name
    assert await watch(f"{address}/master.m3u8") == (3 * FRAMES, "")
    multivariant = show.output.multivariant()
    assert multivariant is not None
    assert [variant.name for variant in multivariant.variants] == ["720p", "720p-hevc", "720p-av1"]


@pytest.mark.parametrize("codec", ["hevc", "av1"])
async def test_a_changed_picture_goes_on_behind_a_discontinuity(show: Show, address: str, codec: str) -> None:
    arguments = {"hevc": (*X265, *CLOSED), "av1": SVT_AV1}[codec]
    name = f"720p-{codec}"
    show.play({name: encode(codec, arguments)})
    show.play({name: encode(codec, arguments, "256x144")})
    show.output.finish()
    view = show.output.view(name)
    assert view is not None
    generations = [segment.generation for segment in view.segments]
    assert generations == [1, 1, 2, 2]
    # FFmpeg reads the first EXT-X-MAP only: HEVC brings its parameter sets along, AV1 does so by itself.
    first = read_fragments((await show.bytes_of(name))[2][1])[0].data
    clip = encode(codec, arguments, "256x144")
    assert first == join_length_prefixed(parameter_sets(clip.track)) + clip.samples[0].data
    multivariant = show.output.multivariant()
    assert multivariant is not None
    assert (multivariant.variants[0].width, multivariant.variants[0].height) == (256, 144)
    pictures, _ = await watch(f"{address}/{name}/index.m3u8")
    assert pictures == 2 * FRAMES


async def test_another_codec_in_the_same_rung_has_another_map(show: Show) -> None:
    show.play({"720p-hevc": encode("hevc", (*X265, *CLOSED))})
    show.play({"720p-hevc": encode("h264", X264)})
    (first, _), _, (second, data), _ = await show.bytes_of("720p-hevc")
    assert find(first, b"stsd")[12:16] == b"hvc1"
    assert find(second, b"stsd")[12:16] == b"avc1"
    multivariant = show.output.multivariant()
    assert multivariant is not None
    # Newcomers must be able to go on when the source is back in the rung's own codec.
    assert multivariant.variants[0].codecs.startswith("hvc1.")
    sets = parameter_sets(encode("h264", X264).track)
    assert read_fragments(data)[0].data.startswith(join_length_prefixed(sets))
