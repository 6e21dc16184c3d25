"""Stored segments as packets, to be decoded from the keyframe with which they begin."""

from __future__ import annotations

from hls.fragment_reader import read_fragments
from hls.published import PublishedSegment
from hls.rendition import Rendition
from media.packet import Packet, VideoTrack


async def stored_packets(track: VideoTrack, rendition: Rendition, source: PublishedSegment) -> list[Packet]:
    """Read a segment back, and what is sent behind its end but shown before it.

    Args:
        track: of the segment.
        rendition: that holds it.
        source: the segment, complete.

    Raises:
        FragmentError: it is damaged.
        CapacityError: the disk cannot be read at the moment.
    """
    packets = _packets(track, await rendition.load(source))
    return packets + await _leading(track, rendition, source)


async def _leading(track: VideoTrack, rendition: Rendition, source: PublishedSegment) -> list[Packet]:
    """Find the leading pictures of the next segment, and the keyframe that they need (HEVC alone has them)."""
    following = rendition.item(source.segment.msn + 1)
    if following is None or following.segment.is_discontinuity or track.codec != "hevc":
        return []
    packets = _packets(track, following.part_data(0) or await rendition.load(following))
    leading = [packet for packet in packets if packet.pts < source.segment.end]
    return packets[:1] + leading if leading else []


def _packets(track: VideoTrack, data: bytes | None) -> list[Packet]:
    return [
        Packet(track, sample.pts, sample.dts, bytes(sample.data), sample.is_sync)
        for sample in read_fragments(data or b"")
    ]
