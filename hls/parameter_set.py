"""Parameter sets out of decoder configuration records, as packaging needs them (ISO/IEC 14496-15)."""

from __future__ import annotations

from media.h264 import parse_avc_config
from media.hevc import PARAMETER_SETS, nal_type, parse_hevc_config
from media.packet import VideoTrack


def parameter_sets(track: VideoTrack) -> list[bytes]:
    """List the NAL units that a decoder has to have before the first picture.

    Returns:
        Nothing for AV1, whose sequence header stands in each key temporal unit.
    """
    if track.codec == "h264":
        config = parse_avc_config(track.config)
        return [*config.sps, *config.pps]
    if track.codec == "hevc":
        return [nal for nal in parse_hevc_config(track.config).nals if nal_type(nal) in PARAMETER_SETS]
    return []
