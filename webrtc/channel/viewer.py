"""One session: what was negotiated for it, and what it has got so far."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from webrtc.rtp.line import Line, Path, Protection
from webrtc.rtp.variant import Variant

from .estimate import Estimate
from .history import History
from .keyframe_request import Patience
from .place import Place
from .report import RoundTrip
from .retransmission import Retransmission

_MAX_FIRST = 0x8000
"""A receiver that misses the first packets takes a sequence number above for one before the first wrap (RFC 3711)."""


class CodecChoice(NamedTuple):
    """How one kind of media is to look for a viewer."""

    payload_type: int
    rtx_payload_type: int | None = None
    """None: what is lost is sent again as it was."""
    abs_send_time_id: int = 0
    """Number of the header extension; 0 where it was not negotiated."""

    @property
    def variant(self) -> Variant:
        """Return what decides which packets are the right ones."""
        return Variant(self.payload_type, self.abs_send_time_id)


class Track:
    """What a connected viewer gets of one kind."""

    def __init__(self, choice: CodecChoice, srtp: Protection, route: Path, random: Random) -> None:
        self.choice = choice
        self.line = Line(srtp, route, choice.variant)
        self.history = History(random.randrange(_MAX_FIRST))
        self.retransmission = Retransmission()
        self._rtx_sequence = random.randrange(_MAX_FIRST)

    def next_rtx_sequence(self) -> int:
        """Count a retransmission in a stream of its own."""
        sequence = self._rtx_sequence & 0xFFFF
        self._rtx_sequence += 1
        return sequence


class Counters:
    """What happened to a viewer that should not."""

    __slots__ = ("dropped", "malformed", "picture_losses", "refused", "resent", "unanswered", "unknown")

    def __init__(self) -> None:
        self.refused = 0
        """Frames that the kernel did not take."""
        self.dropped = 0
        """Times that nothing was left but to wait for a keyframe."""
        self.resent = 0
        self.unanswered = 0
        """Packets asked for again that were not sent again: too many, too soon, too old."""
        self.unknown = 0
        """Packets asked for again that were never sent."""
        self.picture_losses = 0
        self.malformed = 0

    def named(self) -> dict[str, int]:
        """Return all of them by name."""
        return {name: getattr(self, name) for name in self.__slots__}


class Viewer:
    """One session."""

    def __init__(
        self, session: str, video: CodecChoice | None, audio: CodecChoice | None, now: float
    ) -> None:
        self.session = session
        self.video_choice = video
        self.audio_choice = audio
        self.video: Track | None = None
        """None before the viewer is connected, and where no picture was negotiated; `audio` likewise."""
        self.audio: Track | None = None
        self.srtp: Protection | None = None
        self.route: Path | None = None
        self.has_ended = False
        self.adapted_at = now
        self.place = Place()
        self.patience = Patience(now)
        self.estimate = Estimate(now)
        self.round_trip = RoundTrip()
        self.counters = Counters()

    @property
    def is_connected(self) -> bool:
        """Whether packets can be sent to him."""
        return self.srtp is not None

    def connect(self, srtp: Protection, route: Path, random: Random) -> None:
        """Learn how to reach the viewer."""
        self.srtp = srtp
        self.route = route
        if self.video_choice:
            self.video = Track(self.video_choice, srtp, route, random)
        if self.audio_choice:
            self.audio = Track(self.audio_choice, srtp, route, random)

    def move(self, route: Path) -> None:
        """Reach the viewer another way from now on."""
        self.route = route
        for track in (self.video, self.audio):
            if track is not None:
                track.line.route = route
