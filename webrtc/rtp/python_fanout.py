"""The fan-out in Python: one copy, one patch and one encryption for each viewer and packet, one system call for a run.

libsrtp is called through cffi on one buffer that all share. That buffer begins with the packets' lengths, which
libsrtp rewrites, so that one copy brings back lengths and packets for the next viewer.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import pylibsrtp

from media.error import PeerError
from webrtc.rtp.burst import MAX_RUN, MAX_RUN_BYTES, Batch
from webrtc.rtp.line import Line, Path, Protection
from webrtc.transport.pinned import ffi, lib

SOL_UDP = 17
UDP_SEGMENT = 103
"""Says at which size the kernel is to cut what it gets into datagrams (udp(7))."""
RUN_REFUSALS = frozenset({errno.EIO, errno.EINVAL, errno.EOPNOTSUPP, errno.EMSGSIZE})
"""A device without checksums, one whose packets are smaller, a kernel that knows nothing of it."""

_LENGTH = struct.Struct("=i")
_LENGTHS_BYTES = _LENGTH.size * MAX_RUN
_put_sequence = struct.Struct("!H").pack_into

Ancillary = tuple[tuple[int, int, bytes], ...]


class Socket(Protocol):
    """What of a socket is needed."""

    def sendmsg(self, buffers: Any, ancillary: Any, flags: int, address: Any, /) -> int:
        """Send a datagram."""


class _Run(NamedTuple):
    """A batch made ready for viewers of one overhead."""

    template: bytes
    """What is copied to the buffer for each viewer."""
    size: int
    view: memoryview
    """The part of the buffer that is sent."""
    first: int
    sequences: Sequence[int]
    """Where in the buffer the packets' sequence numbers are."""
    packets: Sequence[tuple[Any, Any]]
    """Where in the buffer each packet is, and its length, as libsrtp wants them."""
    ancillary: Ancillary
    spacing: int
    packet_count: int
    payload_bytes: int


class PythonFanOut:
    """See `webrtc.rtp.fanout.FanOut`."""

    is_native = False

    def __init__(self, sock: Socket) -> None:
        self._sendmsg = sock.sendmsg
        self._buffer = bytearray(_LENGTHS_BYTES + MAX_RUN_BYTES)
        self._view = memoryview(self._buffer)
        self._start = ffi.from_buffer(self._buffer)

    def send(self, batches: Sequence[Batch], lines: Sequence[Line]) -> list[Line]:
        """Send batches to all lines; return the lines for which the kernel refused one."""
        runs: dict[int, list[_Run]] = {}
        refused: list[Line] = []
        for line in lines:
            room = line.srtp.overhead
            ready = runs.get(room)
            if ready is None:
                ready = runs[room] = [self._prepare(batch, room) for batch in batches]
            if not self._send_runs(ready, line):
                refused.append(line)
        return refused

    def send_packet(self, line: Line, packet: bytes) -> bool:
        """Protect and send one RTP packet."""
        try:
            protected = line.srtp.protect_rtp(packet)
        except (PeerError, pylibsrtp.Error, ValueError):
            return False
        return self._send_datagram(line.route, protected)

    def send_rtcp(self, srtp: Protection, route: Path, packet: bytes) -> bool:
        """Protect and send RTCP packets."""
        try:
            protected = srtp.protect_rtcp(packet)
        except (PeerError, pylibsrtp.Error, ValueError):
            return False
        return self._send_datagram(route, protected)

    def _prepare(self, batch: Batch, room: int) -> _Run:
        spacing = batch.packet_bytes + room
        starts = range(_LENGTHS_BYTES, _LENGTHS_BYTES + batch.count * spacing, spacing)
        lengths = _LENGTH.pack(batch.packet_bytes) * (batch.count - 1) + _LENGTH.pack(batch.last_bytes)
        template = lengths.ljust(_LENGTHS_BYTES, b"\0") + batch.joined(room)
        length = ffi.cast("int *", self._start)
        return _Run(
            template=template,
            size=len(template),
            view=self._view[_LENGTHS_BYTES : len(template)],
            first=batch.first,
            sequences=[start + 2 for start in starts],
            packets=[(self._start + start, length + number) for number, start in enumerate(starts)],
            ancillary=((SOL_UDP, UDP_SEGMENT, struct.pack("=H", spacing)),) if batch.count > 1 else (),
            spacing=spacing,
            packet_count=batch.count,
            payload_bytes=batch.payload_bytes,
        )

    def _send_runs(self, runs: Sequence[_Run], line: Line) -> bool:
        """Send all of a frame to one viewer, as far as the kernel takes it."""
        buffer, copy, protect = self._buffer, ffi.memmove, lib.srtp_protect
        srtp, route, offset = line.srtp.tx_pointer, line.route, line.offset
        address, ancillary = route.address, route.ancillary
        for run in runs:
            copy(buffer, run.template, run.size)
            sequence = run.first + offset
            for position in run.sequences:
                _put_sequence(buffer, position, sequence & 0xFFFF)
                sequence += 1
            for packet, length in run.packets:
                if protect(srtp, packet, length):
                    return False
            try:
                if line.takes_runs:
                    self._sendmsg((run.view,), ancillary + run.ancillary, 0, address)
                else:
                    self._send_singly(run, route)
            except OSError as problem:
                if not self._send_again(problem, run, line):
                    return False
            line.sent_packets += run.packet_count
            line.sent_octets += run.payload_bytes
        return True

    def _send_again(self, problem: OSError, run: _Run, line: Line) -> bool:
        """Try what may help after a refusal; return whether it did. The buffer holds the run, protected."""
        route = line.route
        try:
            if (
                problem.errno == errno.ECONNREFUSED
            ):  # of an earlier packet, to whomever: ours was not looked at
                self._sendmsg((run.view,), route.ancillary + run.ancillary, 0, route.address)
            elif problem.errno in RUN_REFUSALS and run.packet_count > 1 and line.takes_runs:
                self._send_singly(run, route)
                line.takes_runs = False
            else:
                return False
        except OSError:
            return False
        return True

    def _send_singly(self, run: _Run, route: Path) -> None:
        for start in range(0, len(run.view), run.spacing):
            self._sendmsg((run.view[start : start + run.spacing],), route.ancillary, 0, route.address)

    def _send_datagram(self, route: Path, data: bytes) -> bool:
        try:
            self._sendmsg((data,), route.ancillary, 0, route.address)
        except OSError:
            return False
        return True
