"""What is said of a publisher's sound; the meter is the real one, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence

import pytest

from control_api.stream.health import StreamHealthAnswer
from hls.config import HlsConfig
from media.error import TranscodeError
from media.packet import CLOCK_HZ, AudioTrack, Packet
from mediaserver.live.description import describe_health
from mediaserver.live.health import IngestHealth
from mediaserver.live.keyframe_memory import KeyframeHabit
from mediaserver.live.load import Load
from mediaserver.live.loudness import (
    FIRST_S,
    FRESH_S,
    INTERVAL_S,
    MAX_BYTES,
    MAX_FAILURES,
    RECHECK_S,
    LoudnessMeter,
)
from mediaserver.live.loudness_gate import IntegratedLoudness
from mediaserver.live.preview import Preview, preview_config
from mediaserver.live.session import Graces, Publication, Session
from tests.transcode.source import sine
from transcode.loudness import measure_loudness
from transcode.loudness_probe import LoudnessProbe
from transcode.message import LoudnessMeasured, MeasureLoudness
from transcode.supervisor import WorkerPool


class Probe:
    """Measures at once, and counts."""

    def __init__(self) -> None:
        self.pieces: list[int] = []
        self.fails = False

    async def measure(self, track: AudioTrack, packets: Sequence[bytes]) -> LoudnessMeasured:
        self.pieces.append(sum(map(len, packets)))
        if self.fails:
            raise TranscodeError("the worker process ended")
        return measure_loudness(MeasureLoudness(1, track, tuple(packets)))


@pytest.fixture(scope="module")
def sounds() -> dict[float, list[Packet]]:
    return {level: sine(997, 4.0, levels=(level, level)) for level in (0.0, 0.01, 0.2, 0.9)}


def publish(source: list[Packet], seconds: float, begin: int) -> Iterator[Packet]:
    """Repeat a source as one that goes on."""
    length = source[1].pts * len(source)
    for turn in range(int(seconds * CLOCK_HZ / length) + 1):
        for packet in source:
            pts = packet.pts + turn * length
            if pts < seconds * CLOCK_HZ:
                yield Packet(packet.track, begin + pts, begin + pts, packet.data, is_keyframe=True)


async def hear(meter: LoudnessMeter, source: list[Packet], begin: float, seconds: float) -> float:
    for packet in publish(source, seconds, round(begin * CLOCK_HZ)):
        meter.receive(packet, packet.pts / CLOCK_HZ)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    return begin + seconds


async def test_a_piece_is_measured_now_and_then(sounds: dict[float, list[Packet]]) -> None:
    probe = Probe()
    meter = LoudnessMeter(probe.measure, 0)
    now = await hear(meter, sounds[0.2], 0, FIRST_S + 3)
    assert probe.pieces == []
    now = await hear(meter, sounds[0.2], now, 1)
    facts = meter.facts
    assert facts is not None
    figures = (facts.short_term_lufs, facts.momentary_lufs, facts.integrated_lufs, facts.peak_dbfs)
    assert figures == pytest.approx((-14.0,) * 4, abs=0.1)
    await hear(meter, sounds[0.2], now, 60)
    assert len(probe.pieces) == 4, "one in 15 + 3.2 s"
    assert list(meter.warnings(now + 60)) == []


@pytest.mark.parametrize(
    ("level", "words"),
    [
        (0.01, "The sound is very quiet (-40 LUFS; -14 is usual): raise the level in the encoder's mixer."),
        (0.9, "The sound is very loud (-1 LUFS; -14 is usual): lower the level in the encoder's mixer."),
    ],
)
async def test_quiet_and_loud(sounds: dict[float, list[Packet]], level: float, words: str) -> None:
    meter = LoudnessMeter(Probe().measure, 0)
    now = await hear(meter, sounds[level], 0, 8)
    assert list(meter.warnings(now)) == [words]
    assert list(meter.warnings(now + FRESH_S)) == [], "nothing of a sound that is over"


async def test_silence_is_looked_at_again_soon(sounds: dict[float, list[Packet]]) -> None:
    probe = Probe()
    meter = LoudnessMeter(probe.measure, 0)
    now = await hear(meter, sounds[0.0], 0, 10)
    assert list(meter.warnings(now)) == []
    now = await hear(meter, sounds[0.0], now, 20)
    assert len(probe.pieces) >= 3
    assert RECHECK_S + INTERVAL_S + 3.2 > 20
    (words,) = meter.warnings(now)
    assert words.startswith("The sound has been silent for 28 s: look whether the microphone")
    assert meter.facts is not None
    assert meter.facts.integrated_lufs is None
    now = await hear(meter, sounds[0.2], now, 10)
    assert list(meter.warnings(now)) == []


def measured(peak: float) -> LoudnessMeasured:
    return LoudnessMeasured(1, (-14.0,) * 28, -14.0, peak)


def test_clipping_is_said_when_it_happens_again() -> None:
    meter = LoudnessMeter(Probe().measure, 0)
    meter.note(measured(0.4), 10)
    assert list(meter.warnings(10)) == []
    meter.note(measured(1.26), 25)
    (words,) = meter.warnings(25)
    assert words.startswith("The sound clips (peaks of +1.3 dBFS): lower the level")
    meter.note(measured(-0.5), 40)
    assert list(meter.warnings(40)) == []


async def test_sound_that_kills_the_probe_is_left_alone(sounds: dict[float, list[Packet]]) -> None:
    probe = Probe()
    probe.fails = True
    meter = LoudnessMeter(probe.measure, 0)
    now = await hear(meter, sounds[0.2], 0, 120)
    assert len(probe.pieces) == MAX_FAILURES
    assert meter.facts is None
    assert list(meter.warnings(now)) == []


async def test_a_piece_is_bounded_whatever_its_times_say() -> None:
    probe = Probe()
    meter = LoudnessMeter(probe.measure, 0)
    track = sine(997, 0.2)[0].track
    for _ in range(100):
        meter.receive(Packet(track, 5, 5, bytes(100_000), is_keyframe=True), FIRST_S)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(probe.pieces) == 1
    assert probe.pieces[0] <= MAX_BYTES + 100_000
    meter.close()


async def test_a_report_says_it(sounds: dict[float, list[Packet]]) -> None:
    meter, health = LoudnessMeter(Probe().measure, 0), IngestHealth(0)
    before = health.report(0)
    assert meter.add_to(before, 0) == before
    health.receive(sounds[0.01][0], 8)
    now = await hear(meter, sounds[0.01], 0, 8)
    report = meter.add_to(health.report(now), now)
    assert report.audio is not None
    assert report.audio.loudness_lufs == pytest.approx(-40, abs=0.1)
    assert report.audio.peak_dbfs == pytest.approx(-40, abs=0.1)
    assert any(warning.startswith("The sound is very quiet") for warning in report.warnings)
    stale = meter.add_to(health.report(now + FRESH_S), now + FRESH_S)
    assert stale.audio is not None
    assert stale.audio.loudness_lufs is None


def gated(*blocks: tuple[float, int]) -> float | None:
    integrated = IntegratedLoudness()
    for loudness, count in blocks:
        for _ in range(count):
            integrated.add(loudness)
    return integrated.loudness


def test_the_two_gates() -> None:
    """As EBU Tech 3341 tests them (cases 1 to 5): silence and what is 10 LU quieter than the rest do not count."""
    assert gated() is None
    assert gated((-75.0, 100)) is None
    assert gated((-23.0, 200)) == -23.0
    assert gated((-36.0, 100), (-23.0, 600), (-36.0, 100)) == -23.0
    assert gated((-72.0, 100), (-36.0, 100), (-23.0, 600), (-36.0, 100), (-72.0, 100)) == -23.0
    assert gated((-26.0, 200), (-20.0, 200), (-26.0, 200)) == -23.0
    assert gated((99.0, 1)) == 10.0


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    pool = WorkerPool(warm=0)
    yield pool
    await pool.close()


async def test_a_publisher_that_is_not_started_yet_hears_of_its_sound(
    pool: WorkerPool, sounds: dict[float, list[Packet]]
) -> None:
    """From a connection's packets through a real worker to the health of a preview, over HTTP's own model."""
    now = [0.0]
    session = Session(
        "it",
        graces=Graces(60, 60, 60),
        on_expired=lambda _: None,
        on_error=lambda _: None,
        on_lost=lambda _: None,
        load=Load(),
        preview=Preview("it", preview_config(HlsConfig()), lambda: now[0]),
        clock=lambda: now[0],
    )
    probe, measured = LoudnessProbe(pool), asyncio.Event()

    async def measure(track: AudioTrack, packets: Sequence[bytes]) -> LoudnessMeasured:
        try:
            return await probe.measure(track, packets)
        finally:
            measured.set()

    publication = Publication(session, "1.2.3.4:5", "test", lambda _: None, KeyframeHabit(), measure=measure)
    session.attach(publication)
    for packet in publish(sounds[0.01], 6, 0):
        now[0] = packet.pts / CLOCK_HZ
        publication.receive(packet)
    await asyncio.wait_for(measured.wait(), 15)
    await asyncio.sleep(0)
    facts = describe_health(session, None)
    assert facts["connected"]
    answer = StreamHealthAnswer.model_validate(facts)
    assert answer.audio is not None
    assert answer.audio.loudness_lufs == pytest.approx(-40, abs=0.2)
    assert answer.audio.integrated_lufs == pytest.approx(-40, abs=0.2)
    assert answer.audio.peak_dbfs == pytest.approx(-40, abs=0.2)
    assert any("very quiet (-40 LUFS" in warning for warning in answer.warnings)
    publication.close(clean=True, reason="over")
    probe.close()
