"""A broadcast, viewers and a kernel that are none: everything that a channel meets, in simulated time."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from aiortc.codecs.h264 import h264_depayload

from webrtc.channel.channel import Channel
from webrtc.channel.event import ChannelEvent, KeyframeWanted, RungChanged, Wanted
from webrtc.channel.viewer import CodecChoice, Viewer
from webrtc.port import Rung, VideoFrame
from webrtc.rtp.burst import Batch
from webrtc.rtp.line import Line, Path, Protection
from webrtc.rtp.packet import parse_rtp

FPS = 30
STEP_S = 0.01
VIDEO = CodecChoice(102, 103, 3)
AUDIO = CodecChoice(111)
_CONTENT = struct.Struct("!BI")
FIRST_FRAME = 300


class FakeSrtp:
    overhead = 16
    tx_pointer = None

    def protect_rtp(self, packet: bytes) -> bytes:
        return packet

    def protect_rtcp(self, packet: bytes) -> bytes:
        return packet


@dataclass(frozen=True)
class FakeRoute:
    address: tuple[Any, ...]
    ancillary: tuple[tuple[int, int, bytes], ...] = ()


class FakeFanOut:
    """Hands packets to receivers, found by their routes; a receiver may refuse to get any."""

    is_native = False

    def __init__(self) -> None:
        self.receivers: dict[Path, Receiver] = {}

    def send(self, batches: Sequence[Batch], lines: Sequence[Line]) -> list[Line]:
        refused = []
        for line in lines:
            receiver = self.receivers[line.route]
            for batch in batches:
                if receiver.refuses(batch):
                    refused.append(line)
                    break
                for number, packet in enumerate(batch.packets):
                    sequence = (batch.first + number + line.offset) & 0xFFFF
                    receiver.receive(packet[:2] + sequence.to_bytes(2, "big") + packet[4:])
                line.sent_packets += batch.count
                line.sent_octets += batch.payload_bytes
        return refused

    def send_packet(self, line: Line, packet: bytes) -> bool:
        self.receivers[line.route].receive(packet)
        return True

    def send_rtcp(self, srtp: Protection, route: Path, packet: bytes) -> bool:
        self.receivers[route].rtcp.append(packet)
        self.receivers[route].rtcp_at = self.receivers[route].stage.now
        return True


@dataclass
class Picture:
    """A frame as a receiver has it."""

    timestamp: int
    rung: int
    number: int
    is_keyframe: bool
    at: float


class Receiver:
    """What a browser does with packets, and what it must never get."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.packets: dict[int, dict[int, bytes]] = defaultdict(dict)
        """By SSRC and wrapped sequence number, but for retransmissions."""
        self.arrivals: list[tuple[float, int, bytes]] = []
        self.rtcp: list[bytes] = []
        self.rtcp_at = 0.0
        self.rtx: list[bytes] = []
        self.loses: Callable[[bytes], bool] = lambda _: False
        self.refuses: Callable[[Batch], bool] = lambda _: False

    def receive(self, packet: bytes) -> None:
        header = parse_rtp(packet)
        ssrcs = self.stage.channel.ssrcs
        before = self.packets[header.ssrc].setdefault(header.sequence, packet)
        assert before == packet, "the same number for two packets breaks the cipher"
        if self.loses(packet):
            return
        if header.ssrc == ssrcs.video_rtx:
            self.rtx.append(packet)
            start = header.payload_start
            head = packet[:1] + bytes([packet[1] & 0x80 | VIDEO.payload_type]) + packet[start : start + 2]
            ssrc = ssrcs.video.to_bytes(4, "big")
            packet = head + packet[4:8] + ssrc + packet[12:start] + packet[start + 2 :]
        header = parse_rtp(packet)
        self.arrivals.append((self.stage.now, header.sequence, packet))

    def sequences(self, ssrc: int) -> list[int]:
        """Return the sequence numbers that arrived, once each and in order, not wrapped."""
        numbers = [number for _, number, packet in self.arrivals if parse_rtp(packet).ssrc == ssrc]
        unwrapped: set[int] = set()
        newest = numbers[0] if numbers else 0
        for number in numbers:
            newest += ((number - newest + 0x8000) & 0xFFFF) - 0x8000
            unwrapped.add(newest)
        return sorted(unwrapped)

    def pictures(self) -> list[Picture]:
        """Put frames together by sequence numbers, as far as they arrived whole."""
        ssrc = self.stage.channel.ssrcs.video
        by_number: dict[int, tuple[float, bytes]] = {}
        for at, number, packet in self.arrivals:
            if parse_rtp(packet).ssrc == ssrc:
                by_number.setdefault(number, (at, packet))
        pictures: list[Picture] = []
        parts = b""
        latest = 0.0
        previous: int | None = None
        timestamp: int | None = None
        for sequence in self.sequences(ssrc):
            at, packet = by_number[sequence & 0xFFFF]
            header = parse_rtp(packet)
            if sequence - 1 != previous or header.timestamp != timestamp:
                parts, latest = b"", 0.0
            previous, timestamp = sequence, header.timestamp
            latest = max(latest, at)
            parts += h264_depayload(packet[header.payload_start : header.payload_end])
            if header.is_marked:
                pictures.append(self._read(header.timestamp, parts, latest))
                timestamp = None
        return pictures

    def _read(self, timestamp: int, picture: bytes, at: float) -> Picture:
        kind = picture[4] & 0x1F
        rung, number = _CONTENT.unpack_from(picture, 5)
        return Picture(timestamp, rung, number, kind == 5, at)

    def check(self, *, is_whole: bool = True, decodes: bool = True) -> list[Picture]:
        """Assert what has to hold for every viewer; return the pictures that can be shown.

        Args:
            is_whole: no packet is missing.
            decodes: every picture that is there follows one that it refers to.
        """
        ssrc = self.stage.channel.ssrcs.video
        sequences = self.sequences(ssrc)
        if is_whole and sequences:
            assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))
        pictures = self.pictures()
        shown: list[Picture] = []
        for picture in pictures:
            if shown:
                ahead = (picture.timestamp - shown[-1].timestamp) & 0xFFFFFFFF
                assert 0 < ahead < 1 << 31, "timestamps never go back"
            last = shown[-1] if shown else None
            follows = last is not None and (last.rung, last.number + 1) == (picture.rung, picture.number)
            if decodes:
                assert picture.is_keyframe or follows, "what arrives can be decoded"
            if picture.is_keyframe or follows:
                shown.append(picture)
        return shown


@dataclass
class FakeRung:
    """A rung as the server process has it."""

    rung: Rung
    index: int
    lag_s: float = 0.0
    gop: int = 60
    size_bytes: int = 5000
    keyframe_bytes: int = 30000
    wake_s: float = 0.3
    keeps: bool = True
    """Whether frames since the newest keyframe are there for who comes anew."""
    is_stalled: bool = False
    made_from: float = -1e9
    is_wanted: bool = False
    next_number: int = FIRST_FRAME
    kept: list[VideoFrame] = field(default_factory=list)
    force_after: int | None = None
    keyframes: int = 0

    def make(self, now: float) -> list[VideoFrame]:
        """Make the frames that are due."""
        frames = []
        while (self.next_number - FIRST_FRAME) / FPS + self.lag_s <= now + 1e-9:
            number = self.next_number
            self.next_number += 1
            if now < self.made_from or self.is_stalled:
                self.kept = []
                continue
            pts = number * 90_000 // FPS
            is_forced = self.force_after is not None and pts > self.force_after
            is_keyframe = (number - FIRST_FRAME) % self.gop == 0 or (is_forced and self.rung.can_force)
            if not self.kept and not is_keyframe:
                if not self.rung.can_force:
                    continue
                is_keyframe = True
            if is_keyframe:
                self.kept = []
                self.keyframes += 1
                self.force_after = None
            size = self.keyframe_bytes if is_keyframe else self.size_bytes
            nal = bytes([0x65 if is_keyframe else 0x41]) + _CONTENT.pack(self.index, number)
            nal += b"\x55" * (size - len(nal))
            frame = VideoFrame(pts, is_keyframe, len(nal).to_bytes(4, "big") + nal)
            self.kept.append(frame)
            frames.append(frame)
        return frames


def rung(name: str, bitrate_bps: int, *, is_made: bool = True, can_force: bool = True) -> Rung:
    return Rung(name, 1280, 720, bitrate_bps, is_made, can_force)


class Stage:
    """Runs a channel against a broadcast of these rungs, best first."""

    def __init__(self, *rungs: FakeRung, seed: int = 1, has_audio: bool = False) -> None:
        self.now = 0.0
        self.fanout = FakeFanOut()
        self.channel = Channel("a-stream", self.fanout, now=0.0, random=Random(seed))  # noqa: S311
        self.rungs = {item.rung.name: item for item in rungs}
        self.events: list[ChannelEvent] = []
        self.has_audio = has_audio
        self.wants_audio = False
        self.names: dict[str, Viewer] = {}
        self.receivers: dict[str, Receiver] = {}
        for item in rungs:
            if not item.rung.is_made:
                item.made_from = 1e9
        self.channel.declare([item.rung for item in rungs], 0.0)
        self._audio_number = 0

    def run(self, seconds: float) -> None:
        """Let time go by."""
        for _ in range(round(seconds / STEP_S)):
            self.now += STEP_S
            self._step()

    def _step(self) -> None:
        for item in self.rungs.values():
            for frame in item.make(self.now):
                if item.is_wanted:
                    self.channel.receive_video(item.rung.name, frame, self.now)
                    self.listen()
        while self.has_audio and self._audio_number * 0.02 <= self.now:
            pts = FIRST_FRAME * 90_000 // FPS + self._audio_number * 1800
            self._audio_number += 1
            if self.wants_audio:
                self.channel.receive_audio(pts, b"sound", self.now)
        timer = self.channel.get_timer()
        if timer is not None and timer <= self.now:
            self.channel.handle_timer(self.now)
        self.listen()

    def listen(self) -> None:
        """Do what the channel asks for."""
        while (event := self.channel.next_event()) is not None:
            self.events.append(event)
            if isinstance(event, KeyframeWanted):
                self.rungs[event.rung].force_after = event.after_pts
            if isinstance(event, Wanted):
                self._want(event)

    def _want(self, wanted: Wanted) -> None:
        self.wants_audio = wanted.audio
        for name, item in self.rungs.items():
            is_new = name in wanted.rungs and not item.is_wanted
            item.is_wanted = name in wanted.rungs
            if is_new and self.now < item.made_from:
                item.made_from = self.now + item.wake_s
            if is_new and item.keeps and len(item.kept) <= 60:
                for frame in list(item.kept):
                    self.channel.receive_video(name, frame, self.now)

    def join(
        self, name: str, video: CodecChoice | None = VIDEO, audio: CodecChoice | None = None
    ) -> Receiver:
        """Add and connect a viewer at once."""
        self.add(name, video, audio)
        return self.connect(name)

    def add(self, name: str, video: CodecChoice | None = VIDEO, audio: CodecChoice | None = None) -> Viewer:
        viewer = self.names[name] = Viewer(name, video, audio, self.now)
        self.channel.add(viewer, self.now)
        self.listen()
        return viewer

    def connect(self, name: str) -> Receiver:
        route = FakeRoute((name, 1))
        receiver = self.fanout.receivers[route] = self.receivers[name] = Receiver(self)
        self.channel.connect(self.names[name], FakeSrtp(), route, self.now)
        self.listen()
        return receiver

    def tell(self, name: str, packet: Any) -> None:
        """Let a viewer say something by RTCP."""
        self.channel.receive_rtcp(self.names[name], bytes(packet), self.now)
        self.listen()

    def choose(self, name: str, rung_name: str | None) -> None:
        self.channel.choose(self.names[name], rung_name, self.now)
        self.listen()

    def changes(self, name: str) -> list[str]:
        return [
            event.rung for event in self.events if isinstance(event, RungChanged) and event.session == name
        ]

    def keyframes_wanted(self, rung_name: str) -> int:
        return sum(isinstance(event, KeyframeWanted) and event.rung == rung_name for event in self.events)
