"""One viewer of the crowd: offers, checks, shakes hands, reports, asks again. It decodes nothing.

Some viewers are looked at closely: they take every packet, with the kernel's time of arrival. Of what the others are
sent the kernel throws most away behind their sockets; the packets that it lets through, at random, are those that they
take for lost. So all of them ask for as much again, and report as much, as a viewer does on a path that loses some.
"""

from __future__ import annotations

import contextlib
import ctypes
import random
import socket
import struct
import time
from typing import NamedTuple

from aiortc import rtp

from media.error import PeerError
from tests.webrtc.transport.client import Client
from webrtc.sdp.description import IceCredentials
from webrtc.transport.srtp import Srtp

VIDEO, RTX, AUDIO = 102, 103, 111
RECEIVER_SSRC = 1
REMB_BPS = 10_000_000
REPORT_EVERY_S, CHECK_EVERY_S = 1.0, 2.5
STAMP_BYTES = 8
"""Digits at the end of each frame: its number."""
CLOCK_HZ, AUDIO_HZ = 90_000, 48_000

_SO_ATTACH_FILTER, _SO_TIMESTAMPNS, _SO_RXQ_OVFL, _SO_RCVBUFFORCE = 26, 35, 40, 33
_ANCILLARY_BYTES = socket.CMSG_SPACE(16) + socket.CMSG_SPACE(4)
_SAMPLED_BUFFER_BYTES = 8 << 20
_HEADER = struct.Struct("!BBHLL")
_TIME = struct.Struct("@qq")

_OFFER = """v=0
o=- {number} 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
m=video 9 UDP/TLS/RTP/SAVPF 102 103
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
{transport}
a=mid:0
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=recvonly
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:102 H264/90000
a=rtcp-fb:102 goog-remb
a=rtcp-fb:102 ccm fir
a=rtcp-fb:102 nack
a=rtcp-fb:102 nack pli
a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
a=rtpmap:103 rtx/90000
a=fmtp:103 apt=102
m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
{transport}
a=mid:1
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=recvonly
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;useinbandfec=1
"""


class Frame(NamedTuple):
    """A frame that has come, or its last packet has."""

    timestamp: int
    arrived_at: float
    packets: int


class Stream:
    """What came of one SSRC."""

    def __init__(self) -> None:
        self.ssrc = 0
        self.highest: int | None = None
        """Sequence number with the times that it has begun anew."""
        self.first = 0
        self.received: set[int] = set()
        """Each once: sound comes again under the same number."""
        self.lost = 0

    def note(self, sequence: int, ssrc: int) -> None:
        """Take a packet's sequence number."""
        if self.highest is None:
            self.ssrc, self.highest, self.first = ssrc, sequence, sequence
        extended = self.highest + ((sequence - self.highest + 0x8000) & 0xFFFF) - 0x8000
        self.highest = max(self.highest, extended)
        if extended >= self.first:
            self.received.add(extended)

    def restart(self) -> None:
        """Count from here."""
        self.first = (self.highest or 0) + 1
        self.received.clear()

    @property
    def missing(self) -> int:
        """Return how many packets did not come since the count began."""
        return (self.highest or 0) - self.first + 1 - len(self.received)


class CrowdViewer(Client):
    """A viewer with a socket of its own.

    Args:
        number: its own.
        lost_share: of the packets, which it asks for again.
        is_sampled: whether all its packets are looked at.
    """

    def __init__(self, number: int, lost_share: float, *, is_sampled: bool) -> None:
        super().__init__(IceCredentials("", ""))
        self.number = number
        self.is_sampled = is_sampled
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.streams = {VIDEO: Stream(), AUDIO: Stream()}
        self.frames: list[Frame] = []
        self.asked: dict[int, float] = {}
        self.answered_s: list[float] = []
        self.nacked = 0
        self._dropped, self._dropped_before = 0, 0
        self.first_video_at: float | None = None
        self.stamp: tuple[int, int] | None = None
        """A frame's timestamp and number, of a viewer that was sampled."""
        self._lost_share = lost_share
        self._chance = random.Random(number)  # noqa: S311 - no secret
        self._srtp: Srtp | None = None
        self._is_checked = False
        self._last_report = (0, 0.0)
        self._current = (0, 0)
        self._to_real_s = time.time() - time.monotonic()
        self._check_at = self._report_at = 0.0

    @property
    def is_connected(self) -> bool:
        """Tell whether DTLS is done and not ended."""
        return self._srtp is not None and not self.is_closed

    @property
    def dropped(self) -> int:
        """Return how much the kernel has dropped as this process read too late."""
        return self._dropped - self._dropped_before

    def offer(self) -> str:
        """Write an offer."""
        transport = "\n".join(
            (
                f"a=ice-ufrag:{self.ice.ufrag}",
                f"a=ice-pwd:{self.ice.pwd}",
                "a=ice-options:trickle",
                f"a=fingerprint:{self.fingerprint.algorithm} {self.fingerprint.value}",
                "a=setup:actpass",
            )
        )
        return _OFFER.format(number=self.number + 1, transport=transport).replace("\n", "\r\n")

    def take_answer(self, sdp: str, now: float) -> None:
        """Begin with what the server has said."""
        lines = dict(
            line[2:].split(":", 1)
            for line in reversed(sdp.splitlines())
            if line.startswith("a=") and ":" in line
        )
        self.server = IceCredentials(lines["ice-ufrag"], lines["ice-pwd"])
        host, port = lines["candidate"].split()[4:6]
        if self.is_sampled:
            self.socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _SAMPLED_BUFFER_BYTES)
            self.socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            self.socket.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
        self.socket.connect((host, int(port)))
        self._check_at = now + CHECK_EVERY_S
        self._send(self.nominate())

    def restart_counts(self) -> None:
        """Count from here."""
        for stream in self.streams.values():
            stream.restart()
        self.frames, self.answered_s, self.nacked = [], [], 0
        self._dropped_before = self._dropped
        self.asked.clear()
        self._to_real_s = time.time() - time.monotonic()

    def read(self) -> None:
        """Take all that has come."""
        read = self._read_closely if self.is_sampled else self._read_one
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while True:
                read()

    def tick(self, now: float) -> float:
        """Do what is due; return when to come again."""
        if self.is_closed:
            return now + 3600
        if now >= self._check_at:
            self._check_at += CHECK_EVERY_S
            self._send(self.nominate())
        if self._srtp is not None and now >= self._report_at:
            self._report_at += REPORT_EVERY_S
            self._report(now)
        return min(self._check_at, self._report_at or self._check_at)

    # Within.

    def _send(self, data: bytes) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            self.socket.send(data)

    def _read_one(self) -> None:
        self._receive(self.socket.recv(2048), time.monotonic())

    def _read_closely(self) -> None:
        data, ancillary, _, _ = self.socket.recvmsg(2048, _ANCILLARY_BYTES)
        arrived_at = time.monotonic()
        for _, kind, value in ancillary:
            if kind == _SO_TIMESTAMPNS:
                seconds, nanoseconds = _TIME.unpack(value)
                arrived_at = seconds + nanoseconds / 1e9 - self._to_real_s
            elif kind == _SO_RXQ_OVFL:
                self._dropped = int.from_bytes(value, "little")
        self._receive(data, arrived_at)

    def _receive(self, data: bytes, now: float) -> None:
        if data[0] >= 128:
            if 192 <= data[1] < 224:
                self._receive_report(data, now)
            else:
                self._receive_media(data, now)
        elif data[0] >= 20:
            for datagram in self.receive(data):
                self._send(datagram)
            if self.is_done and self._srtp is None:
                self._srtp = self.make_srtp()
                self._report_at = now + self._chance.random() * REPORT_EVERY_S
        elif not self._is_checked:
            self._is_checked = True
            for datagram in self.start():
                self._send(datagram)

    def _receive_media(self, data: bytes, now: float) -> None:
        _, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
        kind = second & 0x7F
        if kind == RTX:
            self._receive_again(data, now)
            return
        stream = self.streams[kind]
        stream.note(sequence, ssrc)
        if kind == VIDEO:
            if self.first_video_at is None:
                self._begin(now)
            if self.is_sampled:
                self._note_frame(data, timestamp, now, is_last=second >= 128)
        if not self.is_sampled or self._chance.random() < self._lost_share:
            stream.lost += 1
            self._ask_again(stream, sequence, now, is_video=kind == VIDEO)

    def _begin(self, now: float) -> None:
        self.first_video_at = now
        if not self.is_sampled:
            _let_through(self.socket, self._lost_share)

    def _note_frame(self, data: bytes, timestamp: int, now: float, *, is_last: bool) -> None:
        known, count = self._current
        count = count + 1 if known == timestamp else 1
        self._current = (timestamp, count)
        if not is_last:
            return
        self.frames.append(Frame(timestamp, now, count))
        if self.stamp is None and self._srtp is not None:
            with contextlib.suppress(PeerError, ValueError):
                self.stamp = timestamp, int(self._srtp.unprotect_rtp(data)[-STAMP_BYTES:])

    def _ask_again(self, stream: Stream, sequence: int, now: float, *, is_video: bool) -> None:
        if self._srtp is None:
            return
        packet = rtp.RtcpRtpfbPacket(fmt=rtp.RTCP_RTPFB_NACK, ssrc=RECEIVER_SSRC, media_ssrc=stream.ssrc)
        packet.lost = [sequence]
        if is_video:  # sound comes again as it was, and is not told from what comes first
            self.nacked += 1
            self.asked[sequence] = now
        self._send(self._srtp.protect_rtcp(bytes(packet)))

    def _receive_again(self, data: bytes, now: float) -> None:
        if self._srtp is None:
            return
        with contextlib.suppress(PeerError):
            packet = rtp.RtpPacket.parse(self._srtp.unprotect_rtp(data))
            asked_at = self.asked.pop(int.from_bytes(packet.payload[:2], "big"), None)
            if asked_at is not None:
                self.answered_s.append(now - asked_at)

    def _receive_report(self, data: bytes, now: float) -> None:
        if self._srtp is None:
            return
        with contextlib.suppress(PeerError):
            plain = self._srtp.unprotect_rtcp(data)
            if plain[1] == rtp.RTCP_SR:
                self._last_report = (int.from_bytes(plain[10:14], "big"), now)

    def _report(self, now: float) -> None:
        if self._srtp is None:
            return
        last_report, at = self._last_report
        delay = int((now - at) * 65_536) if last_report else 0
        blocks = [
            rtp.RtcpReceiverInfo(
                ssrc=stream.ssrc,
                fraction_lost=int(256 * self._lost_share),
                packets_lost=stream.lost,
                highest_sequence=stream.highest & 0xFFFFFFFF,
                jitter=30,
                lsr=last_report,
                dlsr=delay,
            )
            for stream in self.streams.values()
            if stream.highest is not None
        ]
        bandwidth = rtp.RtcpPsfbPacket(fmt=rtp.RTCP_PSFB_APP, ssrc=RECEIVER_SSRC, media_ssrc=0)
        bandwidth.fci = rtp.pack_remb_fci(REMB_BPS, [self.streams[VIDEO].ssrc])
        report = bytes(rtp.RtcpRrPacket(ssrc=RECEIVER_SSRC, reports=blocks)) + bytes(bandwidth)
        self._send(self._srtp.protect_rtcp(report))


def _let_through(sock: socket.socket, share: float) -> None:
    """Have the kernel drop media but for this share, at random; retransmissions and all else still come.

    The filter (classic BPF, socket(7)) sees the datagram with its UDP header, which has eight bytes.
    """
    load_byte, load_word, mask, if_equal, if_at_least, give = 0x30, 0x20, 0x54, 0x15, 0x35, 0x06
    chance = 0xFFFFF000 + 56  # SKF_AD_OFF + SKF_AD_RANDOM
    program = (
        (load_byte, 0, 0, 8),
        (if_at_least, 0, 8, 128),  # STUN, DTLS: take
        (load_byte, 0, 0, 9),
        (if_at_least, 0, 1, 192),
        (if_at_least, 0, 5, 224),  # RTCP: take
        (mask, 0, 0, 0x7F),
        (if_equal, 3, 0, RTX),
        (load_word, 0, 0, chance),
        (if_at_least, 0, 1, int(share * 2**32)),
        (give, 0, 0, 0),
        (give, 0, 0, 0xFFFFFFFF),
    )
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
    sock.setsockopt(
        socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(program), ctypes.addressof(code))
    )
