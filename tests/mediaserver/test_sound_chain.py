"""Sound from a source's packets to the samples that players hear, with a hole in the middle."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Callable

import av
import numpy as np
import pytest

from hls.config import HlsConfig
from hls.output import HlsOutput
from media.packet import CLOCK_HZ, Packet
from mediaserver.live.broadcast import Broadcast
from mediaserver.live.rungs import Rungs
from tests.transcode.source import audio, sine, video
from transcode.supervisor import WorkerPool

from .scene import NoFiller

HOLE = (2 * CLOCK_HZ, 3 * CLOCK_HZ)
SECONDS = 5


def with_hole(packets: list[Packet]) -> list[Packet]:
    return [packet for packet in packets if not HOLE[0] <= packet.pts < HOLE[1]]


@pytest.mark.parametrize(
    "sound",
    [
        pytest.param(lambda: audio(SECONDS), id="copied"),
        pytest.param(lambda: sine(440, SECONDS, rate=44_100), id="encoded"),
        pytest.param(lambda: sine(440, SECONDS, layout="5.1", levels=[0.5] * 6), id="mixed down"),
        pytest.param(lambda: sine(440, SECONDS, layout="mono", levels=[0.5]), id="mono"),
    ],
)
async def test_a_hole_is_silence_and_the_rest_stays_in_its_place(
    sound: Callable[[], list[Packet]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # All comes at once, much faster than it is encoded: that is no lag here.
    monkeypatch.setattr("mediaserver.live.sound.MAX_LAG", 10 * SECONDS * CLOCK_HZ)
    monkeypatch.setattr("mediaserver.live.encoding.DRAIN_S", 10.0)
    packets = [*video(25 * SECONDS, 320, 180), *with_hole(sound())]
    samples = await hear(sorted(packets, key=lambda packet: packet.dts))
    loudness = np.array([np.sqrt(np.mean(each**2)) for each in np.split(samples[: 48 * 4700], 47)])
    begins, ends = HOLE[0] * 10 // CLOCK_HZ, HOLE[1] * 10 // CLOCK_HZ
    # Tenths of a second; a packet of FLAC lasts nearly one, and reaches into the hole.
    assert loudness[begins + 2 : ends - 2].max() < 0.01
    assert loudness[2 : begins - 2].min() > 0.1
    assert loudness[ends + 2 : -2].min() > 0.1


async def hear(packets: list[Packet]) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Broadcast a source and decode its audio rendition: samples of the left side."""
    pool = WorkerPool(warm=0)
    output = HlsOutput(HlsConfig(), None)
    rungs = Rungs("it", output, pool, quality="1080p", wanted=["240p"])
    broadcast = Broadcast(
        "it", output, rungs, filler=NoFiller(), wall_clock=time.time, on_segment=lambda: None
    )
    try:
        broadcast.begin_source()
        for packet in packets:
            broadcast.receive(packet)
        await asyncio.wait_for(broadcast.finish(), 15)
    finally:
        await pool.close()
    view = output.view("audio")
    assert view is not None
    data = output.init("audio", view.segments[0].generation) or b""
    for segment in view.segments:
        for index, part in enumerate(segment.parts):
            assert not part.is_gap
            data += await output.get("audio", segment.generation, segment.msn, index) or b""
    with av.open(io.BytesIO(data), "r") as container:
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
