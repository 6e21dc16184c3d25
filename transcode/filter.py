"""One of FFmpeg's filters, pictures in and out."""

from __future__ import annotations

from fractions import Fraction

import av
from av.filter import Graph

from media.packet import CLOCK_HZ

TIME_BASE = Fraction(1, CLOCK_HZ)


def open_filter(name: str, options: str, width: int, height: int, pixel_format: str) -> Graph:
    """Make a graph of one filter for pictures of this size and format, on the caller's thread."""
    graph = Graph()
    graph.threads = 1
    source = graph.add_buffer(
        width=width, height=height, format=av.VideoFormat(pixel_format), time_base=TIME_BASE
    )
    inner, sink = graph.add(name, options), graph.add("buffersink")
    source.link_to(inner)
    inner.link_to(sink)
    graph.configure()
    return graph
