"""Tells viewers what they were sent: about once a second, and when it is over."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from random import Random

from webrtc.rtp.fanout import FanOut

from .report import ReportClock, SentStream, to_ntp, write_bye, write_report
from .ssrc import ChannelSsrcs
from .viewer import Viewer

AUDIO_HZ = 48_000
_INTERVAL_S = 1.0
_FIRST_S = 0.05
"""Soon, since without it no receiver can bring sound and picture together."""


class TimestampBases:
    """What RTP timestamps are at `pts` 0, drawn at random (RFC 3550, 5.1)."""

    def __init__(self, random: Random) -> None:
        self.video = random.getrandbits(32)
        self.audio = random.getrandbits(32)


class Sender:
    """A channel's sender reports.

    Args:
        fanout: that sends them.
        ssrcs: of the channel.
        bases: of its timestamps.
        cname: of its streams.
        newest: returns the newest `pts` and when it came.
        random: draws the moments.
    """

    def __init__(
        self,
        fanout: FanOut,
        ssrcs: ChannelSsrcs,
        bases: TimestampBases,
        cname: str,
        *,
        newest: Callable[[], tuple[int, float]],
        random: Random,
    ) -> None:
        self._fanout = fanout
        self._ssrcs = ssrcs
        self._bases = bases
        self._cname = cname
        self._newest = newest
        self._random = random
        self._clock = ReportClock()
        self._due: list[tuple[float, int, Viewer]] = []
        self._number = count()

    def add(self, viewer: Viewer, now: float) -> None:
        """Report to a viewer who has just been connected, until his `has_ended`."""
        self._plan(viewer, now + _FIRST_S)

    def _plan(self, viewer: Viewer, due_at: float) -> None:
        heapq.heappush(self._due, (due_at, next(self._number), viewer))

    def get_timer(self) -> float | None:
        """Return when a report is due."""
        return self._due[0][0] if self._due else None

    def handle_timer(self, now: float) -> None:
        """Send the reports that are due."""
        while self._due and self._due[0][0] <= now:
            viewer = heapq.heappop(self._due)[2]
            if viewer.has_ended:
                continue
            is_sent = self._report(viewer, now)
            # At random, so that viewers who came together do not stay together (RFC 3550, 6.2).
            wait_s = _INTERVAL_S * self._random.uniform(0.8, 1.2) if is_sent else _FIRST_S
            self._plan(viewer, now + wait_s)

    def say_bye(self, viewer: Viewer, now: float) -> None:
        """Tell a viewer that it is over."""
        ssrcs = [stream.ssrc for stream in self._streams(viewer, now)]
        if ssrcs and viewer.srtp is not None and viewer.route is not None:
            self._fanout.send_rtcp(viewer.srtp, viewer.route, write_bye(ssrcs, self._cname))

    def _report(self, viewer: Viewer, now: float) -> bool:
        self._clock.start(*self._newest())
        streams = self._streams(viewer, now)
        if not streams or viewer.srtp is None or viewer.route is None:
            return False
        ntp = to_ntp(now)
        viewer.round_trip.note_sent(ntp, now)
        self._fanout.send_rtcp(viewer.srtp, viewer.route, write_report(streams, self._cname, ntp))
        return True

    def _streams(self, viewer: Viewer, now: float) -> list[SentStream]:
        pts = self._clock.pts_at(now)
        kinds = (
            (viewer.video, self._ssrcs.video, self._bases.video + int(pts)),
            (viewer.audio, self._ssrcs.audio, self._bases.audio + int(pts * AUDIO_HZ / 90_000)),
        )
        return [
            SentStream(ssrc, timestamp, track.line.sent_packets, track.line.sent_octets)
            for track, ssrc, timestamp in kinds
            if track is not None and track.line.sent_packets
        ]
