"""Access units as frames of a video track: parameter sets become its configuration."""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple

from media.bit import BitReader
from media.error import PeerError
from media.h264 import MAX_PPS, MAX_SPS, NAL_PPS, NAL_SPS, AvcConfig, h264_track, nal_type
from media.nal import join_length_prefixed, unescape
from media.packet import VideoTrack

from .depacketiser import NAL_AUD
from .packet import AccessUnit

_FILLER = frozenset({NAL_AUD, 10, 11, 12})
"""Delimiters, ends of sequence and stream, and padding: nobody behind needs them."""

_SPS_EXTENSION = 13
_SETS = frozenset({NAL_SPS, NAL_PPS, _SPS_EXTENSION})

_SPS_ID_AT, _PPS_ID_AT = 4, 1
"""Where in a set its number begins (7.3.2.1.1, 7.3.2.2): behind the header, and the profile of a sequence's."""


class Frame(NamedTuple):
    """A picture as packets have it."""

    track: VideoTrack
    data: bytes
    """NAL units behind lengths of four bytes; a keyframe's parameter sets are in the track alone."""


class PictureAssembler:
    """Keeps the parameter sets that count. A change of them is another track, from the next keyframe on.

    Args:
        fmtp: parameters of the codec, in which an encoder may have told its sets in advance.
    """

    def __init__(self, fmtp: str = "") -> None:
        self._sps: dict[int, bytes] = {}
        self._pps: dict[int, bytes] = {}
        self._track: VideoTrack | None = None
        self._track_sets: tuple[tuple[bytes, ...], tuple[bytes, ...]] = ((), ())
        for nal in _announced_sets(fmtp):
            self._learn(nal)

    def take(self, unit: AccessUnit) -> Frame | None:
        """Take an access unit; None for one without a picture, or without the sets to decode it.

        Raises:
            PeerError: the sets describe no picture that this server takes.
        """
        for nal in unit.nals:
            if nal_type(nal) in (NAL_SPS, NAL_PPS):
                self._learn(nal)
        if unit.is_keyframe:
            self._follow()
        if self._track is None or not unit.has_picture:
            return None
        # Sets that come between keyframes count for what follows, and there is no other way to say so.
        useless = _FILLER | _SETS if unit.is_keyframe else _FILLER
        data = join_length_prefixed(nal for nal in unit.nals if nal_type(nal) not in useless)
        return Frame(self._track, data)

    def _learn(self, nal: bytes) -> None:
        is_sequence = nal_type(nal) == NAL_SPS
        try:
            number = BitReader(unescape(nal)[_SPS_ID_AT if is_sequence else _PPS_ID_AT :]).read_ue()
        except PeerError:
            return  # cut short: whoever needs it will say so
        if is_sequence and number < MAX_SPS and self._sps.get(number) != nal:
            self._sps[number] = nal
            self._pps.clear()  # they depend on it, and encoders send both
        elif not is_sequence and number < MAX_PPS:
            self._pps[number] = nal

    def _follow(self) -> None:
        """Make the track that the sets describe."""
        sets = tuple(self._sps.values()), tuple(self._pps.values())
        if sets != self._track_sets:
            self._track = h264_track(AvcConfig(*sets).serialize()) if all(sets) else None
            self._track_sets = sets


def _announced_sets(fmtp: str) -> list[bytes]:
    """Read `sprop-parameter-sets` (RFC 6184, 8.1)."""
    for item in fmtp.split(";"):
        name, _, value = item.strip().partition("=")
        if name.lower() == "sprop-parameter-sets":
            try:
                found = [base64.b64decode(text, validate=True) for text in value.split(",")]
            except binascii.Error:
                return []
            return [nal for nal in found if nal and nal_type(nal) in (NAL_SPS, NAL_PPS)]
    return []
