"""Segments of a copied rung, read back as the packets that they were made of."""

from __future__ import annotations

from fractions import Fraction

import pytest

from hls.config import HlsConfig
from hls.output import HlsOutput
from hls.published import PublishedSegment
from hls.rendition import Rendition
from hls.writer import Sample
from media.packet import Packet, VideoTrack
from mediaserver.live.stored import stored_packets
from tests.transcode.codec import video_of
from tests.transcode.source import FPS, STEP, video

START = 900_000


def published(packets: list[Packet]) -> tuple[VideoTrack, Rendition, list[PublishedSegment]]:
    """Let a copied rung publish a source; returns its complete segments."""
    track = packets[0].track
    assert isinstance(track, VideoTrack)
    output = HlsOutput(HlsConfig())
    output.timeline.begin(START, 0.0)
    writer = output.add_video(
        "480p", width=320, height=180, frame_rate=Fraction(FPS), codec_string="x", bandwidth_bps=1
    )
    writer.set_track(track, START, lead=2 * STEP)
    for packet in packets:
        output.timeline.advance(packet.dts, packet.is_keyframe)
        writer.add(Sample(packet.dts, packet.pts, packet.data, packet.is_keyframe))
        writer.advance(output.timeline.frontier)
    items = [writer.rendition.item(msn) for msn in range(3)]
    return track, writer.rendition, [item for item in items if item is not None and item.is_complete]


async def test_a_segment_comes_back_as_it_went_in() -> None:
    packets = video(150, b_frames=2, start=START)
    track, rendition, (first, second, *_) = published(packets)
    for item in (first, second):
        found = await stored_packets(track, rendition, item)
        sent = [packet for packet in packets if item.segment.start <= packet.dts < item.segment.end]
        assert [(p.track, p.pts, p.data, p.is_keyframe) for p in found] == [
            (p.track, p.pts, p.data, p.is_keyframe) for p in sent
        ]


@pytest.mark.parametrize("kind", ["hevc open GOP", "hevc leading", "hevc"])
async def test_all_pictures_that_are_shown_in_a_segment_come_with_it(kind: str) -> None:
    packets = video_of(kind, 80, start=START)
    track, rendition, (first, *_) = published(packets)
    found = await stored_packets(track, rendition, first)
    shown = [packet.pts for packet in found if packet.pts < first.segment.end]
    assert sorted(shown) == list(range(first.segment.start, first.segment.end, STEP))
    keyframes = [packet.pts for packet in found if packet.is_keyframe]
    assert (first.segment.end in keyframes) == (kind != "hevc"), "which leading pictures refer to"
