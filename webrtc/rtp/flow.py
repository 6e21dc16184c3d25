"""A rung's video or the audio as a flow of packets, with what retransmissions and joiners need of its past."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from media.error import LocalStateError
from webrtc.rtp.burst import Burst

VIDEO_HZ = 90_000
"""Clock of video and of the broadcast's timeline."""
MAX_PACKET_PAYLOAD = 8192
"""What the fan-out has room for. Ours are a seventh of it; Opus packets of 120 ms have 7,650 bytes at most."""
MAX_KEPT_BYTES = 16 << 20
"""Whatever was asked to be kept: a second of 130 Mbit/s."""


class Flow:
    """What all viewers of a rung share: one SSRC, one clock, packets that are numbered from `first_index` on.

    Args:
        timestamp_base: RTP timestamp at pts 0.
        clock_rate: of RTP timestamps; 90 kHz means video, whose frames end with a marked packet.
        first_index: of the first packet, 64 bits.
        keep_s: for so long a packet can be sent again.
        max_bytes: what has come since the newest keyframe is kept beyond that, unless it is more than this.
    """

    def __init__(
        self,
        ssrc: int,
        timestamp_base: int,
        clock_rate: int,
        *,
        first_index: int,
        keep_s: float,
        max_bytes: int,
    ) -> None:
        self.ssrc = ssrc
        self.next_index = first_index
        """Of the packet that comes next."""
        self.packet_count = 0
        self.octet_count = 0
        """Payloads, as sender reports count them."""
        self._timestamp_base = timestamp_base
        self._clock_rate = clock_rate
        self._keep_s = keep_s
        self._max_bytes = max_bytes
        self._bursts: list[Burst] = []
        self._kept_bytes = 0
        self._keyframe_index: int | None = None
        self._keyframe_bytes = 0
        """Since the newest keyframe, itself included."""

    @property
    def bursts(self) -> Sequence[Burst]:
        """What is kept, oldest first."""
        return self._bursts

    def timestamp(self, pts: int) -> int:
        """Return the RTP timestamp of a point of the timeline."""
        ticks = (pts * self._clock_rate + VIDEO_HZ // 2) // VIDEO_HZ
        return (ticks + self._timestamp_base) & 0xFFFFFFFF

    def add(self, payloads: Sequence[bytes], pts: int, now: float, *, is_keyframe: bool) -> Burst:
        """Append a frame of at least one packet, none of them with more than `MAX_PACKET_PAYLOAD` bytes."""
        if max(map(len, payloads)) > MAX_PACKET_PAYLOAD:
            raise LocalStateError(f"payload of more than {MAX_PACKET_PAYLOAD} bytes")
        burst = Burst(
            self.next_index,
            payloads,
            pts=pts,
            timestamp=self.timestamp(pts),
            ssrc=self.ssrc,
            now=now,
            is_keyframe=is_keyframe,
            has_marker=self._clock_rate == VIDEO_HZ,
        )
        self.next_index += burst.count
        self.packet_count += burst.count
        self.octet_count += burst.size_bytes
        if is_keyframe:
            self._keyframe_index, self._keyframe_bytes = burst.index, 0
        self._keyframe_bytes += burst.size_bytes
        self._bursts.append(burst)
        self._kept_bytes += burst.size_bytes
        self._trim(now)
        return burst

    def since_keyframe(self) -> list[Burst]:
        """Return the newest keyframe and what follows; nothing when it is not kept."""
        if self._keyframe_index is None:
            return []
        position = self._position(self._keyframe_index)
        return self._bursts[position:] if position >= 0 else []

    def find(self, index: int) -> tuple[Burst, int] | None:
        """Return the burst that a packet is in, and its place there; None when it is not kept or not yet there."""
        position = self._position(index)
        if position < 0 or index >= self.next_index:
            return None
        burst = self._bursts[position]
        return burst, index - burst.index

    def _position(self, index: int) -> int:
        return bisect_right(self._bursts, index, key=_index) - 1

    def _trim(self, now: float) -> None:
        if self._keyframe_index is not None and self._keyframe_bytes <= self._max_bytes:
            needed_from = self._keyframe_index
        else:
            needed_from = self.next_index
        dropped = 0
        for burst in self._bursts[:-1]:
            is_wanted = now - burst.built_at <= self._keep_s or burst.index >= needed_from
            if is_wanted and self._kept_bytes <= MAX_KEPT_BYTES:
                break
            self._kept_bytes -= burst.size_bytes
            dropped += 1
        del self._bursts[:dropped]


def _index(burst: Burst) -> int:
    return burst.index
