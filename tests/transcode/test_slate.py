"""The slate: what it looks like, and that spare workers make it whatever the publisher has sent."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest

from media.error import LocalStateError, TranscodeError
from media.h264 import contains_idr, parse_avc_config
from media.nal import join_annexb, split_length_prefixed
from media.packet import Packet, VideoTrack
from media.rendition import Rendition, renditions_for
from transcode import slate as module
from transcode.caption import draw_caption
from transcode.pool import WorkerPool
from transcode.process import WorkerProcess
from transcode.rung import PRESETS, RungSpec, rung_spec
from transcode.slate import SlateRequest, SlateRung, make_slate
from transcode.slate_drawing import dim
from transcode.supervisor import Transcoder
from transcode.video_encoder import VideoEncoder

from .codec import video_of
from .source import FPS, Recorder, decode, picture, spec, video

CAPTION = "Reconnecting"
TIMEOUT_S = 15.0
SIZES = [(1920, 1080), (640, 360), (256, 144), (144, 256), (720, 1280), (426, 240)]


def request(packets: list[Packet], specs: list[RungSpec], caption: str = CAPTION) -> SlateRequest:
    track = packets[0].track if packets else None
    assert track is None or isinstance(track, VideoTrack)
    return SlateRequest(track, packets, specs, caption, frame_count=20, frame_ticks=9000)


def last_picture(rung: SlateRung) -> av.VideoFrame:
    pictures = decode(rung.track.config, [frame.data for frame in rung.frames])
    assert len(pictures) == len(rung.frames)
    return pictures[-1]


def luma(frame: av.VideoFrame) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.asarray(frame.to_ndarray()[: frame.height], np.uint8)


def ladder(width: int, height: int) -> list[RungSpec]:
    return [rung_spec(item, Fraction(FPS)) for item in renditions_for(width, height)]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_caption_is_large_enough_to_be_read_and_in_the_middle(width: int, height: int) -> None:
    words, outlined = draw_caption(CAPTION, width, height)
    box = words.getbbox()
    assert box is not None
    left, top, right, bottom = box
    assert bottom - top >= max(10, 0.04 * min(width, height))
    assert abs((left + right) / 2 - width / 2) <= 2
    assert abs((top + bottom) / 2 - height / 2) <= 0.03 * height
    outline = outlined.getbbox()
    assert outline is not None
    assert outline[0] < left
    assert outline[2] > right


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize(
    "text",
    ["The stream was interrupted and will be back in a moment, please stay", "x" * 40, "m " * 300],
    ids=["sentence", "one word", "many words"],
)
def test_a_long_caption_stays_inside(width: int, height: int, text: str) -> None:
    box = draw_caption(text, width, height).outlined.getbbox()
    assert box is not None
    assert box[0] > 0
    assert box[1] > 0
    assert box[2] < width
    assert box[3] < height


@pytest.mark.parametrize("text", ["", " \n\0 ", "\x1b[31m"])
def test_a_caption_without_letters_is_no_fault(text: str) -> None:
    assert draw_caption(text, 256, 144).words.size == (256, 144)


@pytest.mark.parametrize(("width", "height"), [(640, 360), (854, 480), (144, 256)])
def test_the_picture_is_dimmed_and_greyer_and_the_words_are_white(width: int, height: int) -> None:
    bright = picture(0, width, height, is_flat=True)
    for plane, value in zip(bright.planes, (235, 200, 60), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    values = dim(bright, draw_caption(CAPTION, width, height)).to_ndarray()
    assert values[0, 0] == values[height - 1, width - 1] == round(16 + 219 * 0.35)
    assert values[height // 3 : 2 * height // 3].max() == 235
    assert values[height // 3 : 2 * height // 3].min() == 16
    chroma = values[height:].ravel()
    assert chroma[0] == 164
    assert chroma[-1] == 94
    assert 128 in chroma, "the words have no colour"


def test_a_still_encoder_has_the_parameter_sets_of_a_live_one() -> None:
    for width, height in [(1920, 1080), (854, 480), (606, 254), (144, 256)]:
        for rate in (Fraction(25), Fraction(30_000, 1001), Fraction(60)):
            for preset in PRESETS:
                item = rung_spec(Rendition("480p", width, height), rate, preset)
                assert VideoEncoder(item, is_still=True).config == VideoEncoder(item).config


async def test_the_last_picture_is_shown_on_every_rung(pool: WorkerPool) -> None:
    packets = video(25, 426, 240, b_frames=2)
    specs = ladder(426, 240)
    slate = await make_slate(pool, request(packets, specs), TIMEOUT_S)
    assert list(slate) == [item.name for item in specs]
    for item in specs:
        rung = slate[item.name]
        assert [frame.is_keyframe for frame in rung.frames] == [True] + [False] * 19
        assert [contains_idr(frame.data) for frame in rung.frames] == [True] + [False] * 19
        shown = luma(last_picture(rung))
        assert shown.shape == (item.height, item.width)
        # The gradient of picture 24, in display order, begins with 16 + 24 * 4.
        assert shown[: item.height // 4, :4].mean() == pytest.approx(16 + 96 * 0.35, abs=4)
        assert shown.max() > 200, "words"


async def test_a_slate_needs_no_other_init_segment_than_the_live_rung(pool: WorkerPool) -> None:
    specs = ladder(426, 240)
    sink = Recorder()
    transcoder = Transcoder(pool, sink)
    packets = video(10, 426, 240)
    for item in specs:
        transcoder.activate(item, 0)
    for packet in packets:
        transcoder.send(packet)
    slate = await make_slate(pool, request(packets, specs), TIMEOUT_S)
    await sink.until(lambda: len(sink.opened) == len(specs))
    await transcoder.close()
    assert {name: rung.track for name, rung in slate.items()} == {
        name: opened[0] for name, opened in sink.opened.items()
    }


async def test_pictures_that_stand_still_cost_nothing(pool: WorkerPool) -> None:
    slate = await make_slate(pool, request(video(3, 640, 360), ladder(640, 360)), TIMEOUT_S)
    for rung in slate.values():
        first, *others = (len(frame.data) for frame in rung.frames)
        assert sum(others) < first


async def test_repeated_it_decodes_without_a_word(pool: WorkerPool, tmp_path: Path) -> None:
    slate = await make_slate(pool, request(video(10, 426, 240), ladder(426, 240)), TIMEOUT_S)
    for name, rung in slate.items():
        config = parse_avc_config(rung.track.config)
        nals = [nal for frame in rung.frames for nal in split_length_prefixed(frame.data)]
        path = tmp_path / f"{name}.h264"
        path.write_bytes(join_annexb([*config.sps, *config.pps]) + join_annexb(nals) * 3)
        words, frames = await asyncio.to_thread(decode_with_ffmpeg, path)
        assert words == b""
        assert frames == 60
        shown = [
            luma(frame).tobytes() for frame in decode(rung.track.config, [f.data for f in rung.frames] * 3)
        ]
        assert shown[:20] * 3 == shown, "each time the same pictures"


def decode_with_ffmpeg(path: Path) -> tuple[bytes, int]:
    """Decode with the newest ffmpeg; returns what it has to say, and the number of pictures."""
    report = path.with_suffix(".progress")
    arguments = ["-v", "warning", "-nostdin", "-err_detect", "+crccheck+bitstream+buffer", "-r", "10"]
    result = subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), *arguments, "-i", path, "-f", "null", "-progress", report, "-"],
        capture_output=True,
        timeout=15,
        check=True,
    )
    counts = [line for line in report.read_text().splitlines() if line.startswith("frame=")]
    return result.stderr, int(counts[-1].removeprefix("frame="))


async def test_a_source_of_another_shape_and_codec_gets_bars(pool: WorkerPool) -> None:
    packets = video_of("hevc open GOP", 24, 180, 320)
    slate = await make_slate(pool, request(packets, [spec("144p", 256, 144)]), TIMEOUT_S)
    shown = luma(last_picture(slate["144p"]))
    assert shown[:, :60].mean() < 24
    assert shown[:, -60:].mean() < 24
    assert shown[:40, 110:146].mean() > 40


def damaged(packets: list[Packet]) -> list[Packet]:
    return [Packet(p.track, p.pts, p.dts, b"\0\0\0\x10" + b"\x65" * 3, p.is_keyframe) for p in packets]


@pytest.mark.parametrize("packets", [[], damaged(video(30)), video(30)[5:]], ids=["none", "damaged", "cut"])
async def test_without_a_picture_it_is_black_with_the_words(pool: WorkerPool, packets: list[Packet]) -> None:
    slate = await make_slate(pool, request(packets[:20], ladder(320, 180)), TIMEOUT_S)
    for rung in slate.values():
        shown = luma(last_picture(rung))
        assert shown[: rung.track.height // 4].max() < 24
        assert shown.max() > 200


async def test_more_than_a_worker_is_sent_leaves_an_earlier_picture(
    pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    packets = video(40, gop=40)
    monkeypatch.setattr(module, "MAX_BYTES", sum(len(packet.data) for packet in packets[:11]))
    slate = await make_slate(pool, request(packets, ladder(320, 180)), TIMEOUT_S)
    shown = luma(last_picture(slate["144p"]))
    assert shown[:30, :4].mean() == pytest.approx(16 + 40 * 0.35, abs=4)


class KillingPool(WorkerPool):
    """Hands out workers that are killed at once, some or all."""

    def __init__(self, number: int) -> None:
        super().__init__(warm=0)
        self._to_kill = number

    async def take(self) -> WorkerProcess:
        worker = await super().take()
        if self._to_kill:
            self._to_kill -= 1
            os.kill(worker.pid, signal.SIGKILL)
        return worker


async def test_a_picture_that_kills_its_worker_is_left_out() -> None:
    pool = KillingPool(1)
    slate = await make_slate(pool, request(video(10), [spec("144p", 256, 144)]), TIMEOUT_S)
    await pool.close()
    shown = luma(last_picture(slate["144p"]))
    assert shown[:30].max() < 24
    assert shown.max() > 200


async def test_workers_that_die_are_reported() -> None:
    pool = KillingPool(2)
    with pytest.raises(TranscodeError, match="ended"):
        await make_slate(pool, request(video(10), [spec("144p", 256, 144)]), TIMEOUT_S)
    await pool.close()


async def test_a_rung_that_cannot_be_encoded_is_reported(pool: WorkerPool) -> None:
    with pytest.raises(TranscodeError, match=r"\w"):
        await make_slate(pool, request([], [spec("144p", 0, 0)]), TIMEOUT_S)


async def test_one_that_takes_too_long_is_given_up(pool: WorkerPool) -> None:
    with pytest.raises(TranscodeError, match=r"within 0\.001 s"):
        await make_slate(pool, request(video(10), ladder(320, 180)), 0.001)


async def test_whoever_waits_for_it_may_stop_waiting(pool: WorkerPool) -> None:
    task = asyncio.create_task(make_slate(pool, request(video(10), ladder(320, 180)), TIMEOUT_S))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_without_rungs_no_worker_is_needed() -> None:
    pool = WorkerPool(warm=0)
    slate: Mapping[str, SlateRung] = await make_slate(pool, request(video(5), []), TIMEOUT_S)
    await pool.close()
    assert slate == {}


@pytest.mark.parametrize(("count", "ticks"), [(1, 9000), (121, 9000), (20, 0)])
def test_bounds(count: int, ticks: int) -> None:
    with pytest.raises(LocalStateError):
        SlateRequest(None, (), (), CAPTION, count, ticks)
