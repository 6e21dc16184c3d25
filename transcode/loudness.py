"""How loud a piece of sound is, by EBU R 128 (ITU-R BS.1770), as listeners of stereo get it. Runs in a worker."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import av
from av.audio.frame import AudioFrame
from av.filter import Graph

from media.packet import CLOCK_HZ
from media.timing import rescale
from transcode.audio import AudioDecoder
from transcode.downmix import BYTES_PER_SAMPLE, LAYOUT, SAMPLE_FORMAT, SAMPLE_RATE
from transcode.message import LoudnessMeasured, MeasureLoudness

FLOOR = -120.0
"""LUFS and dBFS: of digital silence, and what FFmpeg says of the first moments, when no block is whole yet."""

UNFILLED = 3
"""Tenths of a second before the first block of 0.4 s is whole."""

_MOMENTARY, _SHORT_TERM, _PEAK = "lavfi.r128.M", "lavfi.r128.S", "lavfi.r128.sample_peak"


def measure_loudness(order: MeasureLoudness) -> LoudnessMeasured:
    """Decode packets that follow each other and measure them.

    Packets that are broken are left out; nothing at all, and sound of less than 0.4 s, gives no blocks.
    """
    decoder = AudioDecoder()
    decoder.set_track(order.track)
    step = rescale(order.track.frame_samples or 1024, CLOCK_HZ, order.track.sample_rate)
    # Piece by piece: a frame of MP3 or FLAC says for itself how long it is.
    pieces = (decoder.decode(index * step, data) for index, data in enumerate(order.packets))
    blocks, short_term, peak = [], FLOOR, 0.0
    for index, values in enumerate(_metadata(pieces)):
        if index >= UNFILLED:
            blocks.append(_number(values, _MOMENTARY))
        short_term = _number(values, _SHORT_TERM)
        peak = float(values.get(_PEAK, 0.0))
    if short_term == FLOOR and blocks and max(blocks) > FLOOR:
        short_term = 10 * math.log10(sum(10 ** (block / 10) for block in blocks) / len(blocks))
    return LoudnessMeasured(order.number, tuple(blocks), short_term, decibels(peak))


def decibels(peak: float) -> float:
    """Turn an amplitude into dBFS."""
    return max(FLOOR, 20 * math.log10(peak)) if peak > 0 else FLOOR


def _metadata(pieces: Iterator[bytes]) -> Iterator[dict[str, str]]:
    """Run samples through FFmpeg's meter; it speaks every 0.1 s."""
    graph = Graph()
    source = graph.add_abuffer(format=SAMPLE_FORMAT, sample_rate=SAMPLE_RATE, layout=LAYOUT)
    meter = graph.add("ebur128", "metadata=1:framelog=quiet:peak=sample")
    graph.link_nodes(source, meter, graph.add("abuffersink")).configure()
    position = 0
    for samples in pieces:
        if not samples:
            continue
        count = len(samples) // BYTES_PER_SAMPLE
        frame = AudioFrame(format=SAMPLE_FORMAT, layout=LAYOUT, samples=count)
        frame.sample_rate, frame.time_base, frame.pts = SAMPLE_RATE, Fraction(1, SAMPLE_RATE), position
        frame.planes[0].update(samples)
        position += count
        graph.push(frame)
        yield from _pulled(graph)


def _pulled(graph: Graph) -> Iterator[dict[str, str]]:
    while True:
        try:
            frame = graph.pull()
        except (BlockingIOError, av.EOFError):
            return
        if frame.metadata:
            yield frame.metadata


def _number(values: dict[str, str], name: str) -> float:
    value = float(values.get(name, FLOOR))
    return value if value > FLOOR else FLOOR  # also for what is not a number
