"""The figure of quality: what x264 says, against what a player's decoder shows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from media.packet import CLOCK_HZ
from media.rendition import Rendition
from transcode.message import Activate, Deactivate, Flush, Message, Quality, Reset
from transcode.pipeline import Pipeline
from transcode.quality import MAX_PSNR_DB, QualityFigures, QualityMeter
from transcode.rung import rung_spec
from transcode.supervisor import Transcoder, WorkerPool
from transcode.video_encoder import VideoEncoder

from .source import FPS, STEP, Recorder, decode, messages, picture, spec, video

RUNGS = (spec("240p", 320, 180), spec("144p", 256, 144))


@pytest.mark.parametrize("crf", [18, 40])
def test_it_is_what_a_player_sees(crf: int) -> None:
    encoder = VideoEncoder(replace(rung_spec(Rendition("240p", 426, 240), Fraction(FPS)), crf=crf))
    sources = [picture(index, 426, 240) for index in range(12)]
    encoded = [encoder.encode(item, index * STEP, index == 0) for index, item in enumerate(sources)]
    shown = decode(encoder.config, encoded)
    errors = [
        np.square(a.to_ndarray()[:240].astype(float) - b.to_ndarray()[:240]).mean()
        for a, b in zip(sources, shown, strict=True)
    ]
    expected = 10 * math.log10(255**2 / float(np.mean(errors)))
    assert encoder.quality.take() == pytest.approx(expected, abs=0.02)
    assert encoder.quality.take() is None, "no picture since"


def test_a_picture_without_a_difference_has_a_figure_too() -> None:
    encoder = VideoEncoder(replace(rung_spec(Rendition("144p", 256, 144), None), crf=1))
    for index in range(5):
        encoder.encode(picture(0, 256, 144, is_flat=True), index * STEP, index == 0)
    assert encoder.quality.take() == MAX_PSNR_DB


def test_an_encoder_that_measures_nothing_has_no_figure() -> None:
    meter = QualityMeter(2, 2)
    meter.add(av.Packet(b"\0"))
    assert meter.take() is None


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    pipeline = Pipeline()
    yield pipeline
    pipeline.close()


def reports(pipeline: Pipeline, *sent: Message) -> list[Quality]:
    made = [result() for message in sent for result in pipeline.handle(message)]
    return [message for message in made if isinstance(message, Quality)]


def test_a_report_comes_every_two_seconds_of_media(pipeline: Pipeline) -> None:
    packets = list(messages(video(130)))
    found = reports(pipeline, *(Activate(item, 0) for item in RUNGS), *packets, Flush(1))
    assert [report.pts for report in found] == [2 * CLOCK_HZ, 4 * CLOCK_HZ]
    for report in found:
        assert [name for name, _ in report.rungs] == ["240p", "144p"]
        assert all(25 < psnr_db < 60 for _, psnr_db in report.rungs)


def test_only_rungs_with_pictures_are_in_it(pipeline: Pipeline) -> None:
    packets = list(messages(video(110)))
    sent = [Activate(RUNGS[0], 0), Activate(RUNGS[1], 60 * STEP), *packets[:61], Deactivate("240p")]
    found = reports(pipeline, *sent, *packets[61:], Flush(1))
    assert [[name for name, _ in report.rungs] for report in found] == [["240p"], ["144p"]]


def test_a_worker_that_begins_anew_waits_for_two_seconds_again(pipeline: Pipeline) -> None:
    far = list(messages(video(10, start=100 * CLOCK_HZ)))
    assert reports(pipeline, Activate(RUNGS[0], 0), *messages(video(10)), Reset(), *far, Flush(1)) == []


def test_figures_are_smoothed_and_forgotten() -> None:
    figures = QualityFigures()
    figures.add(Quality(1, (("480p", 40.0), ("144p", 36.0))), ("480p",))
    assert figures.rungs == {"480p": 40.0}
    figures.add(Quality(2, (("480p", 32.0),)), ("480p", "144p"))
    assert figures.rungs == {"480p": 38.0}
    figures.forget("480p")
    figures.forget("144p")
    assert figures.rungs == {}


async def test_the_server_learns_it_from_the_worker(pool: WorkerPool) -> None:
    sink = Recorder()
    transcoder = Transcoder(pool, sink)
    transcoder.activate(RUNGS[1], 0)
    assert transcoder.stats.quality == {}
    for packet in video(60):
        transcoder.send(packet)
    transcoder.flush()
    await sink.until(lambda: sink.flushes == 1)
    assert 25 < transcoder.stats.quality["144p"] < 60
    transcoder.deactivate("144p")
    assert transcoder.stats.quality == {}
    await transcoder.close()
