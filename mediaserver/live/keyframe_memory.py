"""Whose keyframes were too far apart to be copied, by stream key: the next publish begins encoded. Pure.

A source without a keyframe for four seconds goes on encoded, behind a discontinuity in the middle of the show.
Encoders keep their settings, so the same would happen with every connection; hence the key is remembered, and what
comes with it is encoded from its first frame on. Once a connection has shown that its keyframes come often enough, the
one after it is copied again, rather than itself: going back would cost viewers another discontinuity. x264 says by
itself what has been set (OBS, ffmpeg): whoever has corrected the setting is copied at once.
"""

from __future__ import annotations

import re
from collections import OrderedDict

from media.packet import CLOCK_HZ, Packet, VideoTrack

from .advice import MAX_KEYFRAME_INTERVAL

PROOF_S = 12
"""Media in whole groups of pictures that shows that keyframes come often enough. A group of x264's defaults is 250
frames, 10.4 s at 24 frames a second; scene cuts may make some of them short, of so many seconds hardly all."""

MAX_KEYS = 10_000
"""How many keys are remembered; the oldest one goes."""

MAX_NOTE_BYTES = 4 << 10
"""Of a keyframe, in which x264's note on its options is looked for: it comes first and has about 700 bytes."""

_NOTE = b"x264 - core "
_OPTION = re.compile(rb"(\w+)=(\S+)")


def announces_keyframes(first: Packet) -> bool:
    """Tell whether an encoder says in its first keyframe that others come often enough: x264 does.

    Args:
        first: an access unit of H.264. x264 has its options in a message in front of the first picture (H.264, D.1.7).
    """
    head = first.data[:MAX_NOTE_BYTES]
    track = first.track
    if not isinstance(track, VideoTrack) or not track.frame_rate or _NOTE not in head:
        return False
    options = dict(_OPTION.findall(head[head.index(_NOTE) :]))
    keyint = options.get(b"keyint", b"")
    # Both make pictures that something like decoding can begin with, but no IDR.
    is_idr = options.get(b"open_gop", b"0") == options.get(b"intra_refresh", b"0") == b"0"
    return (
        is_idr and keyint.isdigit() and int(keyint[:9]) * CLOCK_HZ <= MAX_KEYFRAME_INTERVAL * track.frame_rate
    )


class KeyframeHabit:
    """What is known of the sources that publish with one key."""

    def __init__(self) -> None:
        self.is_rare = False
        """Whether they send too few keyframes to be copied."""

    def judge(self, longest: int, shown: int) -> None:
        """Take note of what a source has sent so far.

        Args:
            longest: ticks between two keyframes, or since the last one if that is more.
            shown: ticks of media in whole groups of pictures.
        """
        if longest > MAX_KEYFRAME_INTERVAL:
            self.is_rare = True
        elif shown >= PROOF_S * CLOCK_HZ:
            self.is_rare = False


class KeyframeMemory:
    """The habits of all keys that have been used since the server was started."""

    def __init__(self) -> None:
        self._habits: OrderedDict[str, KeyframeHabit] = OrderedDict()

    def habit(self, key: str) -> KeyframeHabit:
        """Return what is known of a key; nothing yet when it is new."""
        habit = self._habits.setdefault(key, KeyframeHabit())
        self._habits.move_to_end(key)
        if len(self._habits) > MAX_KEYS:
            self._habits.popitem(last=False)
        return habit
