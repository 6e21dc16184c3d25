"""The same viewers served by aiortc as it is: an `RTCRtpSender` for each kind and viewer, packets passed through.

Handshakes are left out: each sender has a transport that only encrypts and sends, as `RTCDtlsTransport` and aioice do,
from a socket of its own. So consent checks and incoming reports are not in the figures, in aiortc's favour.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
import uvloop
from aiortc import MediaStreamTrack, RTCRtpCodecParameters, RTCRtpSender
from aiortc.rtcrtpparameters import RTCRtpSendParameters
from pylibsrtp import Policy, Session

from benchmarks.webrtc_stream import SENDER_CORE, Figures, Item, stream
from media.h264 import join_annexb, split_length_prefixed

CODECS = {
    "video": RTCRtpCodecParameters("video/H264", 90_000, payloadType=102),
    "audio": RTCRtpCodecParameters("audio/opus", 48_000, channels=2, payloadType=111),
}


class Wire:
    """What a sender needs of its transport."""

    state = "connected"

    def __init__(self, transport: asyncio.DatagramTransport, key: bytes) -> None:
        self._transport = transport
        profile = Policy.SRTP_PROFILE_AEAD_AES_128_GCM
        self._session = Session(Policy(key, Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile))
        self.packets = 0
        self.last_at = 0.0

    def _register_rtp_sender(self, sender: object, parameters: object) -> None:
        """Nothing comes back."""

    def _unregister_rtp_sender(self, sender: object) -> None:
        """Nothing comes back."""

    async def _send_rtp(self, data: bytes) -> None:
        if 192 <= data[1] < 224:
            self._transport.sendto(self._session.protect_rtcp(data))
            return
        self._transport.sendto(self._session.protect(data))
        self.packets += 1
        self.last_at = time.monotonic()


class Track(MediaStreamTrack):
    """Gives what it is given."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__()
        self.queue: asyncio.Queue[Any] = asyncio.Queue()

    async def recv(self) -> Any:
        return await self.queue.get()


def av_packet(item: Item) -> Any:
    data = join_annexb(split_length_prefixed(item.data)) if item.is_video else item.data
    packet = av.Packet(data)
    packet.pts, packet.time_base = item.pts, Fraction(1, 90_000)
    return packet


async def _open(ports: Sequence[int]) -> tuple[dict[str, list[Track]], list[Wire], list[RTCRtpSender]]:
    tracks: dict[str, list[Track]] = {"video": [], "audio": []}
    wires, senders = [], []
    for number, port in enumerate(ports):
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=("127.0.0.1", port)
        )
        wires.append(Wire(transport, number.to_bytes(28, "big")))
        for kind, ours in tracks.items():
            ours.append(Track(kind))
            sender = RTCRtpSender(ours[-1], wires[-1])  # type: ignore[arg-type]  # as much of one as it uses
            parameters = RTCRtpSendParameters(codecs=[CODECS[kind]], muxId=kind)
            parameters.rtcp.cname = "bench"
            await sender.send(parameters)
            senders.append(sender)
    return tracks, wires, senders


async def _run(ports: Sequence[int], seconds: float) -> dict[str, float]:
    items = [(item, av_packet(item)) for item in stream(seconds)]
    tracks, wires, senders = await _open(ports)
    figures, started = Figures(), time.monotonic()
    due, was_video = started, False
    for item, packet in [*items, (items[-1][0]._replace(due_s=seconds), None)]:
        wait_s = started + item.due_s - time.monotonic()
        await asyncio.sleep(max(0.0, wait_s))
        if was_video:
            late_s = max(wire.last_at for wire in wires) - due
            figures.late_s.append(late_s)
            figures.frame_late_s.append(late_s)
        if packet is not None:
            due, was_video = started + item.due_s, item.is_video
            for track in tracks["video" if item.is_video else "audio"]:
                track.queue.put_nowait(packet)
    result = figures.report(len(ports), sum(wire.packets for wire in wires))
    for sender in senders:
        await sender.stop()
    return result


def run(ports: Sequence[int], seconds: float) -> dict[str, float]:
    """Send the stream to these ports."""
    os.sched_setaffinity(0, SENDER_CORE)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(ports, seconds))
