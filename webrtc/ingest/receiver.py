"""A publisher's media: from RTP to packets of a broadcast, and what the sender is told meanwhile. Knows no decoder."""

from __future__ import annotations

from collections import Counter, deque

from media.error import PeerError
from media.packet import Packet
from webrtc.rtp.packet import RtpHeader, parse_rtp
from webrtc.sdp.description import ABS_SEND_TIME, MediaSection, PeerDescription

from .bandwidth import Bandwidth, find_send_time
from .feedback import (
    parse_reports,
    write_bandwidth,
    write_keyframe_request,
    write_missing,
    write_report,
)
from .sound import Sound
from .timeline import Timeline
from .video import Video

REPORT_S = 1.0
FIRST_REPORT_S = 0.1
"""Soon: Chromium's first two seconds, in which it believes what it is told, begin with it (`bandwidth`)."""

MAX_FEEDBACK = 64
"""Compound packets that wait to be taken, in case nobody takes them."""

_NO_SECTION = MediaSection(mid="", kind="", codec=None, direction="inactive")


class Receiver:
    """Takes what one publisher sends, decrypted.

    Nothing that a peer sends makes `receive_rtp` and `receive_rtcp` raise: what cannot go on ends in `next_packet`.

    Args:
        offer: of the publisher.
        ssrc: our number, under which it is reported to.
        now: seconds that never step back, as everywhere here.
    """

    def __init__(self, offer: PeerDescription, ssrc: int, now: float) -> None:
        self._ssrc = ssrc
        self._epoch = now
        video = offer.section("video") or _NO_SECTION
        self._send_time_id = video.extensions.get(ABS_SEND_TIME)
        self._timeline = Timeline()
        self._video = Video(video, self._timeline)
        self._sound = Sound(offer.section("audio") or _NO_SECTION, self._timeline)
        self._bandwidth = Bandwidth()
        self._report_at: float | None = None
        self._ready: deque[Packet] = deque()
        self._feedback: deque[bytes] = deque(maxlen=MAX_FEEDBACK)
        self._fault: PeerError | None = None
        self._counters: Counter[str] = Counter()
        self._dropped_before = 0

    @property
    def counters(self) -> Counter[str]:
        """What has been counted so far, by name."""
        found = self._counters + self._video.counters + self._sound.counters
        for stream in (self._video.stream, self._sound.stream):
            found["ingest_packets_repaired"] += stream.jitter.repaired
            found["ingest_packets_late"] += stream.jitter.late
            found["ingest_packets_duplicate"] += stream.jitter.duplicate
            found["ingest_packets_of_other_sources"] += stream.strangers
        found["ingest_frames_dropped"] += self._video.dropped
        return found

    @property
    def rtt_s(self) -> float:
        """To the publisher and back, as far as its retransmissions have shown."""
        return self._video.stream.jitter.rtt_s

    def take_dropped(self) -> int:
        """Return how many frames were left out since the last call."""
        before, self._dropped_before = self._dropped_before, self._video.dropped
        return self._dropped_before - before

    # What comes in.

    def receive_rtp(self, data: bytes, now: float) -> None:
        """Take a decrypted RTP packet."""
        try:
            header = parse_rtp(data)
        except PeerError:
            self._counters["ingest_packets_malformed"] += 1
            return
        self._counters["ingest_packets"] += 1
        if self._report_at is None:
            self._report_at = now + FIRST_REPORT_S
        payload = data[header.payload_start : header.payload_end]
        video, sound, number = self._video.stream, self._sound.stream, header.payload_type
        if number == video.payload_type:
            if not video.has_begun:
                self._video.keyframes.start(now)
            if video.receive(header, payload, now):
                self._measure(header, len(payload), now)
                self._read_video(now)
        elif number == video.rtx_payload_type:
            self._measure(header, len(payload), now)
            video.receive_repeated(header, payload, now)
            self._read_video(now)
        elif number == sound.payload_type:
            sound.receive(header, payload, now)
            self._ready.extend(self._sound.read(now))
        else:
            self._counters["ingest_packets_of_other_types"] += 1

    def receive_rtcp(self, data: bytes, now: float) -> None:
        """Take a decrypted compound RTCP packet."""
        try:
            reports = parse_reports(data)
        except PeerError:
            self._counters["ingest_reports_malformed"] += 1
            return
        for report in reports:
            if report.ssrc == self._video.stream.ssrc:
                self._timeline.report_video(report.timestamp, report.ntp)
                self._video.stream.reception.note_report(report.ntp, now)
            elif report.ssrc == self._sound.stream.ssrc:
                self._timeline.report_audio(report.timestamp, report.ntp)
                self._sound.stream.reception.note_report(report.ntp, now)

    def request_keyframe(self, now: float) -> None:
        """Ask for a keyframe as soon as may be."""
        self._video.keyframes.need(now)
        self._ask(now)

    # What comes out.

    def next_packet(self) -> Packet | None:
        """Return the next frame on the publisher's timeline; None while there is none.

        Raises:
            PeerError: the publisher sends what cannot be taken; that is the end of it.
        """
        if self._ready:
            return self._ready.popleft()
        if self._fault is not None:
            raise self._fault
        return None

    def take_rtcp(self) -> list[bytes]:
        """Return the compound RTCP packets that are due, not encrypted yet."""
        found = list(self._feedback)
        self._feedback.clear()
        return found

    # Time.

    def get_timer(self) -> float | None:
        """Say when `handle_timer` is due; None while nothing is."""
        timers = (
            self._report_at,
            self._video.stream.jitter.get_timer(),
            self._sound.stream.jitter.get_timer(),
            self._video.keyframes.get_timer(),
        )
        return min((timer for timer in timers if timer is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        self._read_video(now)
        self._ready.extend(self._sound.read(now))
        if self._report_at is not None and now >= self._report_at:
            self._report(now)

    # Within.

    def _read_video(self, now: float) -> None:
        if self._fault is None:
            try:
                self._ready.extend(self._video.read(now))
            except PeerError as error:
                self._fault = error
        self._ask(now)

    def _ask(self, now: float) -> None:
        """Ask for what is missing: packets, a keyframe."""
        stream = self._video.stream
        items = []
        if numbers := stream.jitter.ask(now):
            items.append(write_missing(self._ssrc, stream.ssrc or 0, numbers))
            self._counters["ingest_packets_asked_for"] += len(numbers)
        if self._video.keyframes.take(now) and stream.takes_pli:
            items.append(write_keyframe_request(self._ssrc, stream.ssrc or 0))
            self._counters["ingest_keyframes_asked_for"] += 1
        if items:
            self._feedback.append(write_report(self._ssrc, (), *items))

    def _measure(self, header: RtpHeader, size_bytes: int, now: float) -> None:
        if self._send_time_id is None:
            return
        send_time = find_send_time(header.extension_profile, header.extension, self._send_time_id)
        if send_time is not None and self._bandwidth.receive(size_bytes, send_time, now):
            self._report(now)  # at once: every moment adds to the queue

    def _report(self, now: float) -> None:
        self._report_at = now + REPORT_S
        blocks = [stream.report(now) for stream in (self._video.stream, self._sound.stream)]
        items = []
        if self._video.stream.takes_remb and self._video.stream.ssrc is not None:
            items.append(write_bandwidth(self._ssrc, [self._video.stream.ssrc], self._bandwidth.bound_bps))
        known = [block for block in blocks if block is not None]
        self._feedback.append(write_report(self._ssrc, known, *items))
