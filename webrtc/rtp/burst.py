"""The packets of one frame, built once for all viewers of a variant, in runs that the kernel takes in one call."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from webrtc.rtp.packet import header_bytes, write_header
from webrtc.rtp.variant import Variant

MAX_RUN = 24
"""Packets of a run: a frame of 720p at 3 Mbit/s and 30 Hz has a dozen. The kernel takes 64."""
PACED_RUN = 16
"""The same where a frame has more: such a frame goes out bit by bit, and this is what a bit is."""
MAX_RUN_BYTES = 60_000
"""With room for SRTP: what one datagram may have, for the kernel cuts the run out of one."""
_OVERHEAD_BYTES = 64
"""Of a packet, more than header, extension and SRTP have."""


class Batch:
    """A run of packets of one size, of which only the last may be shorter.

    Args:
        first: index of the first one in its flow; sequence numbers are indices modulo 2**16.
        packets: at least one.
        payload_bytes: what sender reports count.
    """

    __slots__ = ("_joined", "_packets", "count", "first", "last_bytes", "packet_bytes", "payload_bytes")

    def __init__(self, first: int, packets: Sequence[bytes], payload_bytes: int) -> None:
        self.first = first
        self.count = len(packets)
        self.packet_bytes = len(packets[0])
        self.last_bytes = len(packets[-1])
        self.payload_bytes = payload_bytes
        self._packets = tuple(packets)
        self._joined: dict[int, bytes] = {}

    @property
    def packets(self) -> Sequence[bytes]:
        """RTP packets in their order."""
        return self._packets

    def joined(self, room: int) -> bytes:
        """Return the packets one behind the other, each with `room` zero bytes behind it."""
        joined = self._joined.get(room)
        if joined is None:
            gap = bytes(room)
            joined = self._joined[room] = gap.join((*self._packets, b""))
        return joined


class Burst:
    """A frame on its way.

    Args:
        index: of its first packet in the flow, 64 bits.
        payloads: of its packets, at least one.
        pts: on the broadcast's timeline, in ticks of 90 kHz.
        timestamp: of RTP, modulo 2**32.
        has_marker: whether the last packet bears the marker (RFC 6184, 5.1).
    """

    __slots__ = (
        "_batches", "_has_marker", "_payloads", "_ssrc", "built_at", "count", "due", "index", "is_keyframe",
        "pts", "runs", "size_bytes", "timestamp",
    )  # fmt: skip

    def __init__(
        self,
        index: int,
        payloads: Sequence[bytes],
        *,
        pts: int,
        timestamp: int,
        ssrc: int,
        now: float,
        is_keyframe: bool,
        has_marker: bool,
    ) -> None:
        self.index = index
        self.count = len(payloads)
        self.pts = pts
        self.timestamp = timestamp
        self.is_keyframe = is_keyframe
        self.built_at = now
        self.size_bytes = sum(map(len, payloads))
        """Of the payloads."""
        self.runs = _runs([len(payload) for payload in payloads])
        """First packet of each batch and the one behind its last, the same for all variants."""
        self.due = [now] * len(self.runs)
        """When each batch is meant to go out; a pacer may say later ones before the batches are built."""
        self._payloads = payloads
        self._ssrc = ssrc
        self._has_marker = has_marker
        self._batches: dict[Variant, tuple[Batch, ...]] = {}

    @property
    def is_paced(self) -> bool:
        """Whether it is so large that it should not go out all at once."""
        return self.count > MAX_RUN

    def batches(self, variant: Variant) -> Sequence[Batch]:
        """Return the packets of a variant in runs; built when they are asked for first."""
        batches = self._batches.get(variant)
        if batches is None:
            batches = self._batches[variant] = tuple(
                self._build(variant, start, stop, due)
                for (start, stop), due in zip(self.runs, self.due, strict=True)
            )
        return batches

    def packets(self, variant: Variant) -> Sequence[bytes]:
        """Return the packets of a variant. Their sequence numbers are their indices modulo 2**16."""
        return [packet for batch in self.batches(variant) for packet in batch.packets]

    def _build(self, variant: Variant, start: int, stop: int, due: float) -> Batch:
        last = self.count - 1 if self._has_marker else None
        payloads = self._payloads[start:stop]
        packets = [
            write_header(
                variant,
                self.index + number,
                self.timestamp,
                self._ssrc,
                is_marked=number == last,
                sent_at=due,
            )
            + payload
            for number, payload in enumerate(payloads, start)
        ]
        payload_bytes = sum(map(len, packets)) - len(packets) * header_bytes(variant)
        return Batch(self.index + start, packets, payload_bytes)


def _runs(sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Cut payloads of these sizes into runs, as few as may be."""
    limit = MAX_RUN if len(sizes) <= MAX_RUN else PACED_RUN
    starts = [0]
    for number, (before, size) in enumerate(pairwise(sizes), 1):
        first, length = sizes[starts[-1]], number - starts[-1]
        is_full = length >= limit or (length + 1) * (first + _OVERHEAD_BYTES) > MAX_RUN_BYTES
        if is_full or size > first or before < first:
            starts.append(number)
    return list(pairwise((*starts, len(sizes))))
