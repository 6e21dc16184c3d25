"""A rung with every other frame of its source, beside one with all of them."""

from fractions import Fraction

import pytest

from hls.config import HlsConfig
from hls.output import HlsOutput
from hls.writer import Sample

from .boxes import read_fragments
from .conftest import NOW
from .test_writer import TRACK, S, declare, shape, view_of

MS = S // 1000


@pytest.mark.parametrize("part_s", [0.2, 0.33, 0.5, 1.0])
@pytest.mark.parametrize(
    ("rate", "gop"), [(Fraction(50), 100), (Fraction(60), 120), (Fraction(60_000, 1001), 121)]
)
async def test_parts_and_segments_are_the_same_and_whole(rate: Fraction, gop: int, part_s: float) -> None:
    output = HlsOutput(HlsConfig(part_s=part_s))
    output.timeline.begin(0, NOW)
    full, half = declare(output), declare(output, "480p")
    for writer in (full, half):
        writer.set_track(TRACK, 0)
    times = [int(index * 1000 / rate) * MS for index in range(gop * 4)]
    for index, dts in enumerate(times):
        is_sync = index % gop == 0
        output.timeline.advance(dts, is_sync)
        full.add(Sample(dts, dts, b"f", is_sync))
        full.advance(output.timeline.frontier)
        if index % gop % 2 == 0:  # counted from each IDR on
            half.add(Sample(dts, dts, b"h", is_sync))
            half.advance(dts)
    assert len(shape(output, "480p")) >= 3
    assert "-" not in "".join(shape(output, "480p"))
    written = 0
    for segment, other in zip(view_of(output).segments, view_of(output, "480p").segments, strict=True):
        count = len(other.parts)
        assert [part.duration_s for part in segment.parts][:count] == [p.duration_s for p in other.parts]
        assert [part.is_independent for part in other.parts] == [True] + [False] * (count - 1)
        for index, part in enumerate(other.parts):
            data = await output.get("480p", other.generation, other.msn, index)
            assert data is not None
            samples = read_fragments(data)
            assert samples[0].dts == written, "a hole or an overlap"
            written = samples[-1].dts + samples[-1].duration
            shown_s = sum(sample.duration for sample in samples) / S
            assert abs(shown_s - part.duration_s) <= 2 / rate + Fraction(2, 1000)
