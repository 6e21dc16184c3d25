"""Known colours in, of every coding, the same colours out: BT.709, limited range, and said to be so."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import av
import pytest

from media.packet import Packet
from transcode.colour import HLG, PQ
from transcode.message import Activate, Flush, Frames, RungOpened
from transcode.pipeline import Pipeline
from transcode.supervisor import Transcoder, WorkerPool

from .colour import BT601, BT2020, Coding, Colour, coloured, messages, shown
from .source import Recorder, decode, spec

COLOURS: list[Colour] = [
    (1, 1, 1),
    (0, 0, 0),
    (0.75, 0, 0),
    (0, 0.75, 0),
    (0, 0, 0.75),
    (0.5, 0.5, 0.5),
    (0.9, 0.7, 0.5),
]
RUNGS = (spec("240p", 320, 180), spec("144p", 256, 144))


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    pipeline = Pipeline()
    yield pipeline
    pipeline.close()


def pictures(pipeline: Pipeline, packets: list[Packet]) -> list[av.VideoFrame]:
    """Return the last picture of each rung, as a player decodes it."""
    sent = [*(Activate(item, packets[0].pts) for item in RUNGS), *messages(packets), Flush(1)]
    results = [result() for message in sent for result in pipeline.handle(message)]
    frames = [result for result in results if isinstance(result, Frames)]
    assert len(frames) == len(packets)
    configs = {result.rung: result.config for result in results if isinstance(result, RungOpened)}
    return [
        decode(configs[item.name], [message.frames[index].data for message in frames])[-1]
        for index, item in enumerate(RUNGS)
    ]


def check(made: list[av.VideoFrame], expected: Sequence[Colour], tolerance: float) -> None:
    for picture in made:
        assert (picture.colorspace, picture.color_range) == (1, 1)
        assert (picture.color_primaries, picture.color_trc) == (1, 1)
        for found, wanted in zip(shown(picture, len(expected)), expected, strict=True):
            assert found == pytest.approx(wanted, abs=tolerance), (found, wanted)


CODINGS = {
    "BT.709": Coding(),
    "untagged": Coding(is_tagged=False),
    "full range": Coding("yuv420p", is_full=True),
    "BT.601": Coding(matrix=BT601),
    "BT.601 full range": Coding(matrix=BT601, is_full=True),
    "BT.601 in all": Coding(matrix=BT601, transfer=6, primaries=6),
    "sRGB": Coding(transfer=13, primaries=1),
    "4:2:2": Coding("yuv422p"),
    "4:4:4": Coding("yuv444p", matrix=BT601),
    "10 bit": Coding("yuv420p10le"),
    "10 bit full range": Coding("yuv420p10le", is_full=True),
    "10 bit 4:2:2": Coding("yuv422p10le"),
    "10 bit 4:4:4 full range": Coding("yuv444p10le", is_full=True),
    "HEVC, 10 bit": Coding("yuv420p10le", encoder="libx265"),
    "VP9, full range": Coding(is_full=True, encoder="libvpx-vp9"),
}


@pytest.mark.parametrize("name", CODINGS)
def test_colours_of_sdr_are_kept(pipeline: Pipeline, name: str) -> None:
    check(pictures(pipeline, coloured(COLOURS, CODINGS[name])), COLOURS, 0.025)


def pq(nits: float) -> float:
    """Encode light (ITU-R BT.2100, table 4)."""
    power = (nits / 10_000) ** 0.1593017578125
    return float(((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375)


def hlg(nits: float) -> float:
    """Encode grey light on a screen of 1000 cd/m² (ITU-R BT.2100, table 5); up to half the signal."""
    return float((3 * (nits / 1000) ** (1 / 1.2)) ** 0.5)


def sdr(nits: float) -> float:
    """Say how a screen is told to show light below the knee, diffuse white of HDR being full."""
    return float((nits / 203) ** (1 / 2.4))


def in_bt2020(colour: Colour) -> Colour:
    """Convert linear light of BT.709 (ITU-R BT.2087, annex 2)."""
    red, green, blue = colour
    return (
        0.6274 * red + 0.3293 * green + 0.0433 * blue,
        0.0691 * red + 0.9195 * green + 0.0114 * blue,
        0.0164 * red + 0.0880 * green + 0.8956 * blue,
    )


@pytest.mark.parametrize(
    "coding",
    [
        pytest.param(Coding("yuv420p10le", BT2020, transfer=PQ, primaries=BT2020), id="H.264"),
        pytest.param(
            Coding("yuv420p10le", BT2020, transfer=PQ, primaries=BT2020, encoder="libx265"), id="HEVC"
        ),
        pytest.param(Coding("yuv444p10le", BT2020, transfer=PQ, primaries=BT2020), id="4:4:4"),
        pytest.param(
            Coding("yuv420p10le", BT2020, transfer=PQ, primaries=BT2020, is_full=True), id="full range"
        ),
        pytest.param(
            Coding("yuv420p10le", BT2020, transfer=PQ, primaries=BT2020, is_tagged=False),
            id="without a matrix",
        ),
    ],
)
def test_pq_is_mapped(pipeline: Pipeline, coding: Coding) -> None:
    greys = [0.0, 5.0, 26.0, 80.0, 1000.0, 4000.0]
    reds = [in_bt2020((80.0, 0, 0)), in_bt2020((10.0, 40.0, 60.0))]
    sent: list[Colour] = [(pq(nits),) * 3 for nits in greys]
    sent += [(pq(red), pq(green), pq(blue)) for red, green, blue in reds]
    expected: list[Colour] = [(sdr(nits),) * 3 for nits in greys[:4]] + [(1, 1, 1)] * 2
    expected += [(sdr(80), 0, 0), (sdr(10), sdr(40), sdr(60))]
    check(pictures(pipeline, coloured(sent, coding)), expected, 0.035)


def test_highlights_are_rolled_off_and_diffuse_white_is_bright(pipeline: Pipeline) -> None:
    coding = Coding("yuv420p10le", BT2020, transfer=PQ, primaries=BT2020)
    ramp = [100.0, 203.0, 300.0, 500.0, 1000.0]
    (picture, _) = pictures(pipeline, coloured([(pq(nits),) * 3 for nits in ramp], coding))
    levels = [green for _, green, _ in shown(picture, len(ramp))]
    assert levels == sorted(levels)
    assert all(after - before > 0.01 for before, after in pairwise(levels)), levels
    assert 0.85 < levels[1] < 0.95


def test_hlg_is_mapped(pipeline: Pipeline) -> None:
    coding = Coding("yuv420p10le", BT2020, transfer=HLG, primaries=BT2020)
    greys = [0.0, 10.0, 26.0, 45.0]
    sent: list[Colour] = [(hlg(nits),) * 3 for nits in greys] + [(1, 1, 1)]
    expected: list[Colour] = [(sdr(nits),) * 3 for nits in greys] + [(1, 1, 1)]
    check(pictures(pipeline, coloured(sent, coding)), expected, 0.035)


def test_wide_colours_without_hdr_are_converted(pipeline: Pipeline) -> None:
    coding = Coding("yuv420p10le", BT2020, transfer=14, primaries=BT2020)
    colours: list[Colour] = [(0.6, 0.1, 0.1), (0.5, 0.5, 0.5), (0.1, 0.6, 0.2)]
    sent: list[Colour] = []
    for red, green, blue in colours:
        light = in_bt2020((red**2.4, green**2.4, blue**2.4))
        sent.append((light[0] ** (1 / 2.4), light[1] ** (1 / 2.4), light[2] ** (1 / 2.4)))
    check(pictures(pipeline, coloured(sent, coding)), colours, 0.035)


def test_a_source_may_change_from_sdr_to_hdr_and_back(pipeline: Pipeline) -> None:
    coding = Coding("yuv420p10le", BT2020, transfer=PQ, primaries=BT2020)
    for start, source, colour, expected in [
        (0, Coding(), 0.5, 0.5),
        (3, coding, pq(26.0), sdr(26.0)),
        (6, Coding(matrix=BT601, is_full=True), 0.5, 0.5),
    ]:
        packets = coloured([(colour,) * 3], source, start=start)
        check(pictures(pipeline, packets), [(expected,) * 3], 0.035)


async def test_a_worker_makes_its_table_in_its_own_surroundings(pool: WorkerPool) -> None:
    coding = Coding("yuv420p10le", BT2020, transfer=PQ, primaries=BT2020)
    sink = Recorder()
    transcoder = Transcoder(pool, sink)
    transcoder.activate(RUNGS[1], 0)
    for packet in coloured([(pq(26.0),) * 3], coding):
        transcoder.send(packet)
    transcoder.flush()
    await sink.until(lambda: sink.flushes == 1)
    await transcoder.close()
    (track,) = sink.opened["144p"]
    made = decode(track.config, [frames["144p"].data for _, frames in sink.video])
    check(made, [(sdr(26.0),) * 3], 0.035)
