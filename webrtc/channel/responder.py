"""Answers what viewers say: packets come again, pictures anew, and rungs are those that the path takes."""

from __future__ import annotations

from collections.abc import Sequence

from media.error import PeerError
from webrtc.rtp.fanout import FanOut
from webrtc.rtp.flow import Flow

from .estimate import Step
from .feedback import Bandwidth, Feedback, Lost, PictureLost, Report, parse_feedback
from .place import Mode
from .repair import resend
from .rung_flow import RungFlow
from .ssrc import ChannelSsrcs
from .switchboard import Switchboard
from .viewer import Track, Viewer

_AUDIO_BPS = 128_000
_ADAPT_S = 0.1
"""Between two looks at the same viewer: some send a report with every lost packet."""
_MAX_LAG = 90_000
"""Of a rung to climb to, in ticks. Encoders that cannot keep up would show nothing for as long."""


class Responder:
    """A channel's."""

    def __init__(self, fanout: FanOut, ssrcs: ChannelSsrcs, switchboard: Switchboard, sound: Flow) -> None:
        self._fanout = fanout
        self._sound = sound
        self._ssrcs = ssrcs
        self._switchboard = switchboard

    def receive(self, viewer: Viewer, data: bytes, now: float) -> None:
        """Take a decrypted compound packet of a connected viewer; what is malformed is counted."""
        try:
            feedback = parse_feedback(data)
        except PeerError:
            viewer.counters.malformed += 1
            return
        for item in feedback:
            self._receive(viewer, item, now)
        self._adapt(viewer, now)

    def _receive(self, viewer: Viewer, item: Feedback, now: float) -> None:
        match item:
            case Report():
                self._receive_report(viewer, item, now)
            case Bandwidth(bitrate_bps):
                viewer.estimate.path.note_bandwidth(bitrate_bps, now)
            case PictureLost(self._ssrcs.video):
                viewer.counters.picture_losses += 1
                self._switchboard.course.lose_picture(viewer, now)
            case Lost(self._ssrcs.video, sequences) if viewer.video is not None:
                if self._resend_video(viewer, viewer.video, sequences, now):
                    self._switchboard.course.lose_picture(viewer, now)
            case Lost(self._ssrcs.audio, sequences) if viewer.audio is not None:
                viewer.audio.history.note_sent(self._sound.next_index)
                self._resend(viewer, viewer.audio, sequences, now, rtx_ssrc=None, bitrate_bps=_AUDIO_BPS)
            case _:
                pass  # of a stream that is none of ours

    def _receive_report(self, viewer: Viewer, report: Report, now: float) -> None:
        rtt_s = viewer.round_trip.note_received(report.last_report, report.delay_s, now)
        if rtt_s is not None:
            viewer.estimate.path.note_round_trip(rtt_s, now)
        if report.ssrc == self._ssrcs.video:
            viewer.estimate.path.note_arrival(report.highest, report.lost, now)

    def _resend_video(self, viewer: Viewer, track: Track, sequences: Sequence[int], now: float) -> bool:
        flow = viewer.place.flow
        if flow is None:
            return False
        if viewer.place.mode is Mode.LIVE:
            track.history.note_sent(flow.sent_index)
        return self._resend(
            viewer, track, sequences, now, rtx_ssrc=self._ssrcs.video_rtx, bitrate_bps=flow.bitrate_bps
        )

    def _resend(
        self,
        viewer: Viewer,
        track: Track,
        sequences: Sequence[int],
        now: float,
        *,
        rtx_ssrc: int | None,
        bitrate_bps: int,
    ) -> bool:
        return resend(
            track,
            sequences,
            viewer.counters,
            self._fanout,
            rtx_ssrc=rtx_ssrc,
            bitrate_bps=bitrate_bps,
            rtt_s=viewer.round_trip.rtt_s,
            is_full=viewer.estimate.path.is_queue_growing,
            now=now,
        )

    def _adapt(self, viewer: Viewer, now: float) -> None:
        """Let a viewer have another rung if the path is better or worse than the one he gets takes."""
        place = viewer.place
        if place.is_fixed or place.flow is None or now - viewer.adapted_at < _ADAPT_S:
            return
        viewer.adapted_at = now
        flows = self._switchboard.ladder.flows
        ladder = [Step(flow.name, flow.bitrate_bps) for flow in flows.values()]
        choice = viewer.estimate.choose(ladder, place.flow.name, now)
        if choice is None:
            return
        target = flows[choice.name]
        if target is place.wish and not choice.is_urgent:
            return  # he is on his way
        is_up = target.bitrate_bps > place.flow.bitrate_bps
        if is_up and not (place.is_settled and self._keeps_up(target, now)):
            return
        self._switchboard.course.aim(viewer, target, now, is_urgent=choice.is_urgent)

    def _keeps_up(self, flow: RungFlow, now: float) -> bool:
        """Tell whether a rung is made in time, as far as that shows: one that sleeps says nothing of it."""
        lag = self._switchboard.ladder.newest_pts - flow.newest_pts
        return not flow.is_flowing(now) or lag <= _MAX_LAG
