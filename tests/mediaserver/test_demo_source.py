import threading
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import Interpolation
from click.testing import CliRunner

from mediaserver.demo_picture import DemoPicture
from mediaserver.demo_source import DemoSource, DemoSpec, main
from mediaserver.demo_strip import Luma, Stamp, decode_strip, encode_strip, strip_top

STAMP = Stamp(frame=123_456, time_ms=1_795_374_519_087)


def luma_of(frame: av.VideoFrame) -> Luma:
    return frame.to_ndarray(format="gray").astype(np.uint8)


def picture_of(width: int, height: int, stamp: Stamp = STAMP) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(DemoPicture(width, height).draw(stamp), format="yuv420p")


@pytest.mark.parametrize("stamp", [STAMP, Stamp(0, 1), Stamp(2**32 - 1, 2**48 - 1)])
@pytest.mark.parametrize("size", [(64, 64), (256, 144), (1280, 720), (720, 1280), (1366, 768)])
def test_strip_says_what_was_written(size: tuple[int, int], stamp: Stamp) -> None:
    width, height = size
    luma = np.zeros((height, width), np.uint8)
    luma[strip_top(height) :] = encode_strip(stamp, width, height)
    assert decode_strip(luma) == stamp


def test_frame_counter_rolls_over() -> None:
    luma = np.zeros((144, 256), np.uint8)
    luma[strip_top(144) :] = encode_strip(Stamp(2**32 + 7, 1000), 256, 144)
    assert decode_strip(luma) == Stamp(7, 1000)


@pytest.mark.parametrize("level", [0, 16, 128, 255])
def test_a_picture_without_a_strip_is_not_read(level: int) -> None:
    assert decode_strip(np.full((144, 256), level, np.uint8)) is None


def test_a_wrong_bit_is_noticed() -> None:
    luma = np.zeros((144, 256), np.uint8)
    luma[strip_top(144) :] = encode_strip(STAMP, 256, 144)
    luma[120:128, 96:104] = 255 - luma[120:128, 96:104]
    assert decode_strip(luma) is None


@pytest.mark.parametrize(("size", "small"), [((1280, 720), (256, 144)), ((720, 1280), (144, 256))])
def test_strip_survives_the_lowest_rung(size: tuple[int, int], small: tuple[int, int]) -> None:
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = *small, "yuv420p"
    encoder.time_base, encoder.options = Fraction(1, 30), {"qp": "38", "tune": "zerolatency"}
    decoder = av.CodecContext.create("h264", "r")
    scaled = picture_of(*size).reformat(*small, interpolation=Interpolation.BILINEAR)
    packets = [*encoder.encode(scaled), *encoder.encode(None)]
    frames = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
    assert [decode_strip(luma_of(frame)) for frame in frames] == [STAMP]


def test_the_picture_moves_and_the_lamp_flashes_with_the_second() -> None:
    picture = DemoPicture(640, 360)
    first, second = (picture.draw(Stamp(n, 5_000 + n)).copy() for n in (0, 1))
    changed = first[:360] != second[:360]
    assert changed[:180].any(), "the ball"
    assert 0.01 < changed.mean() < 0.5, "only small regions change"
    lit, dark = (picture.draw(Stamp(9, time_ms)).copy() for time_ms in (7_050, 7_500))
    assert (lit[:180] == dark[:180]).all(), "the ball depends on the counter only"
    assert (lit[200:300, :40] > dark[200:300, :40]).any(), "the lamp"


def test_the_ball_leaves_no_trace() -> None:
    moved = DemoPicture(640, 360)
    for n in range(50):
        moved.draw(Stamp(n, n))
    assert (moved.draw(STAMP) == DemoPicture(640, 360).draw(STAMP)).all()


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Record two and a bit seconds of the demo broadcast; a file takes the server's place."""
    path = tmp_path_factory.mktemp("demo") / "demo.flv"
    DemoSource(DemoSpec(str(path), 320, 180, Fraction(25), 300_000, 2.4), threading.Event()).run()
    return path


def test_every_frame_is_there_with_a_keyframe_each_two_seconds(recording: Path) -> None:
    with av.open(recording) as container:
        frames = [(frame.key_frame, decode_strip(luma_of(frame))) for frame in container.decode(video=0)]
    stamps = [stamp for _, stamp in frames if stamp is not None]
    assert [stamp.frame for stamp in stamps] == list(range(60))
    assert {b.time_ms - a.time_ms for a, b in pairwise(stamps)} == {40}
    assert [n for n, (key, _) in enumerate(frames) if key] == [0, 50]


def test_packets_suit_any_server(recording: Path) -> None:
    with av.open(recording) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
        assert (audio.rate, audio.channels) == (48_000, 2)
        packets = [packet for packet in container.demux(video) if packet.size]
        assert all(packet.pts == packet.dts for packet in packets), "no B-frames"


def test_the_beep_sounds_while_the_lamp_is_lit(recording: Path) -> None:
    with av.open(recording) as container:
        first = next(decode_strip(luma_of(frame)) for frame in container.decode(video=0))
    with av.open(recording) as container:
        samples = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    assert first is not None
    second = -first.time_ms % 1000 * 48
    beep, tone = samples[second + 960 : second + 3840], samples[second + 9600 : second + 24_000]
    assert np.abs(beep).max() > 2 * np.abs(tone).max() > 0.1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--size", "1280"], "write WIDTHxHEIGHT"),
        (["--size", "1281x720"], "even"),
        (["--bitrate", "much"], "no bitrate"),
        (["--fps", "1/0"], "no frame rate"),
    ],
)
def test_wrong_options_are_explained(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(main, ["rtmp://127.0.0.1/live/x", *arguments])
    assert result.exit_code == 2
    assert said in result.output
