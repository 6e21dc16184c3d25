"""A publisher's packets, made by aiortc from pictures and sound that x264 and libopus have encoded."""

from __future__ import annotations

import fractions
import functools
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import av
import numpy as np
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.opus import OpusEncoder
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtp import HeaderExtensions, HeaderExtensionsMap, RtpPacket

from media.h264 import with_parameter_sets
from media.nal import join_annexb, split_length_prefixed
from media.packet import Packet, VideoTrack
from webrtc.ingest.receiver import Receiver
from webrtc.sdp.description import (
    ABS_SEND_TIME,
    Codec,
    Fingerprint,
    IceCredentials,
    MediaSection,
    PeerDescription,
)

FRAME_TICKS = 3000
VIDEO, RTX, AUDIO = 96, 97, 111
VIDEO_SSRC, RTX_SSRC, AUDIO_SSRC, OUR_SSRC = 0x1001, 0x1002, 0x1003, 0x2001
SEND_TIME_ID = 2

OFFER = PeerDescription(
    media=(
        MediaSection(
            mid="0",
            kind="video",
            codec=Codec(
                "h264",
                VIDEO,
                "profile-level-id=42e01f;packetization-mode=1",
                rtx_payload_type=RTX,
                feedback=frozenset({"nack", "nack pli", "ccm fir", "goog-remb"}),
            ),
            direction="sendonly",
            extensions={ABS_SEND_TIME: SEND_TIME_ID},
            ssrc=VIDEO_SSRC,
        ),
        MediaSection(
            mid="1", kind="audio", codec=Codec("opus", AUDIO), direction="sendonly", ssrc=AUDIO_SSRC
        ),
    ),
    ice=IceCredentials("peer", "passwordpasswordpassword"),
    fingerprints=(Fingerprint("sha-256", ":".join(["5C"] * 32)),),
    setup="actpass",
    bundle=("0", "1"),
)


class Picture(NamedTuple):
    """An access unit as it goes out."""

    payloads: tuple[bytes, ...]
    is_keyframe: bool
    pts: int
    """In ticks of 90 kHz."""


@functools.cache
def pictures(
    count: int = 30, width: int = 320, height: int = 180, *, gop: int = 10, b_frames: int = 0
) -> tuple[Picture, ...]:
    """Encode a square that moves over noise; keyframes every `gop` frames."""
    codec = av.CodecContext.create("libx264", "w")
    assert isinstance(codec, av.VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
    codec.framerate, codec.time_base = fractions.Fraction(30), fractions.Fraction(1, 90_000)
    codec.gop_size, codec.max_b_frames = gop, b_frames
    codec.bit_rate = 2_000_000
    codec.options = {"preset": "ultrafast", "threads": "1", "sc_threshold": "0", "forced-idr": "1"}
    if not b_frames:
        codec.options |= {"tune": "zerolatency"}
    noise = np.random.default_rng(1).integers(0, 60, (height * 3 // 2, width), np.uint8)
    packets = []
    for index in range(count):
        image = noise.copy()
        image[20:60, 4 * index % (width - 40) :][:, :40] = 255
        frame = av.VideoFrame.from_ndarray(image, format="yuv420p")
        frame.pts, frame.time_base = index * FRAME_TICKS, codec.time_base
        packets += codec.encode(frame)
    packets += codec.encode(None)
    packer = H264Encoder()
    return tuple(
        Picture(tuple(packer.pack(packet)[0]), packet.is_keyframe, packet.pts or 0) for packet in packets
    )


@functools.cache
def sounds(count: int = 50) -> tuple[bytes, ...]:
    """Encode a tone in packets of 20 ms."""
    encoder = OpusEncoder()
    found = []
    for index in range(count):
        at = np.arange(index * 960, (index + 1) * 960) / 48_000
        tone = (8000 * np.sin(2 * np.pi * 440 * at)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.repeat(tone, 2)[None, :], format="s16", layout="stereo")
        frame.sample_rate, frame.pts = 48_000, index * 960
        frame.time_base = fractions.Fraction(1, 48_000)
        found += encoder.encode(frame)[0]
    return tuple(found)


def _extensions() -> HeaderExtensionsMap:
    made = HeaderExtensionsMap()
    made.configure(
        RTCRtpParameters(headerExtensions=[RTCRtpHeaderExtensionParameters(SEND_TIME_ID, ABS_SEND_TIME)])
    )
    return made


EXTENSIONS = _extensions()


@dataclass
class Sender:
    """Numbers packets of one stream."""

    payload_type: int = VIDEO
    ssrc: int = VIDEO_SSRC
    sequence: int = 65_530
    """Wraps soon."""
    base: int = 0xFFFF_0000
    """What makes timestamps of `pts`; wraps soon."""
    has_send_time: bool = False
    sent: dict[int, RtpPacket] = field(default_factory=dict)

    def packets(self, payloads: Sequence[bytes], pts: int, now: float = 0.0) -> list[bytes]:
        """Make the packets of a picture, or of a packet of sound; `pts` in ticks of the stream's clock."""
        found = []
        for index, payload in enumerate(payloads):
            is_last = index == len(payloads) - 1
            packet = RtpPacket(
                payload_type=self.payload_type,
                marker=int(is_last and self.payload_type == VIDEO),
                sequence_number=self.sequence & 0xFFFF,
                timestamp=(self.base + pts) & 0xFFFFFFFF,
                ssrc=self.ssrc,
                payload=payload,
            )
            if self.has_send_time:
                packet.extensions = HeaderExtensions(abs_send_time=int(now * (1 << 18)) & 0xFFFFFF)
            self.sent[packet.sequence_number] = packet
            self.sequence += 1
            found.append(packet.serialize(EXTENSIONS))
        return found

    def repeat(self, number: int, sequence: int = 0) -> bytes:
        """Make a retransmission (RFC 4588)."""
        packet = self.sent[number]
        return RtpPacket(
            payload_type=RTX,
            marker=packet.marker,
            sequence_number=sequence,
            timestamp=packet.timestamp,
            ssrc=RTX_SSRC,
            payload=number.to_bytes(2, "big") + packet.payload,
        ).serialize()


def take(receiver: Receiver) -> list[Packet]:
    """Take all packets that are ready."""
    found = []
    while (packet := receiver.next_packet()) is not None:
        found.append(packet)
    return found


class Shown(NamedTuple):
    """A picture as a viewer gets to see it."""

    width: int
    height: int
    digest: bytes


def decode(packets: Iterable[Packet]) -> list[Shown]:
    """Decode pictures.

    What refers to a picture that is missing decodes without a complaint, to another picture than it should.
    """
    decoder = av.CodecContext.create("h264", "r")
    decoder.options = {"threads": "1"}
    found = []

    def show(data: bytes | None) -> None:
        for frame in decoder.decode(None if data is None else av.Packet(data)):
            assert isinstance(frame, av.VideoFrame)
            digest = hashlib.sha256(frame.to_ndarray(format="yuv420p").tobytes()).digest()
            found.append(Shown(frame.width, frame.height, digest))

    for packet in packets:
        assert isinstance(packet.track, VideoTrack)
        data = with_parameter_sets(packet.track.config, packet.data) if packet.is_keyframe else packet.data
        show(join_annexb(split_length_prefixed(data)))
    show(None)
    return found
