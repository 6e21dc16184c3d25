"""The fan-out with its inner loop in C (`fanout.c`), where that has been built."""

from __future__ import annotations

import ctypes
import ipaddress
import struct
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from webrtc.rtp.burst import Batch
from webrtc.rtp.line import Line, Protection
from webrtc.rtp.line import Path as Route
from webrtc.rtp.python_fanout import PythonFanOut, Socket
from webrtc.transport.pinned import ffi, lib

LIBRARY = Path(__file__).with_name("libfanout.so")
"""Built by `hatch_build.py`."""

_AF_INET, _AF_INET6 = 2, 10
_CONTROL_HEADER = struct.Struct("@Nii")
_CONTROL_BYTES = 64
_BUFFER_BYTES = 256 << 10
"""What is encrypted before it is sent: several times the largest batch, and still in the processor's cache."""


class _Batch(ctypes.Structure):
    _fields_ = (
        ("packets", ctypes.c_char_p),
        ("count", ctypes.c_uint32),
        ("packet_bytes", ctypes.c_uint32),
        ("last_bytes", ctypes.c_uint32),
        ("first_sequence", ctypes.c_uint32),
    )


class _Line(ctypes.Structure):
    _fields_ = (
        ("srtp", ctypes.c_void_p),
        ("overhead", ctypes.c_uint32),
        ("takes_runs", ctypes.c_uint32),
        ("sent", ctypes.c_uint32),
        ("is_stopped", ctypes.c_uint32),
        ("address_bytes", ctypes.c_uint32),
        ("control_bytes", ctypes.c_uint32),
        ("address", ctypes.c_uint8 * 32),
        ("control", ctypes.c_uint8 * _CONTROL_BYTES),
    )


_INTERFACE = 1 << 24 | ctypes.sizeof(_Batch) << 12 | ctypes.sizeof(_Line)


class NativeSocket(Socket, Protocol):
    """What of a socket is needed."""

    @property
    def family(self) -> int:
        """Address family."""

    def fileno(self) -> int:
        """Return the descriptor."""


class Record:
    """A line as C has it."""

    __slots__ = ("address", "line")

    def __init__(self, line: _Line) -> None:
        self.line = line
        self.address = ctypes.addressof(line)


class NativeFanOut:
    """See `webrtc.rtp.fanout.FanOut`.

    Raises:
        OSError: the library is not there, or does not fit.
    """

    is_native = True

    def __init__(self, sock: NativeSocket, library: Path = LIBRARY) -> None:
        loaded = ctypes.CDLL(str(library))
        if loaded.fanout_interface() != _INTERFACE:
            raise OSError(f"{library} was built from another source")
        self._call = loaded.fanout_send
        self._call.restype = ctypes.c_uint32
        self._call.argtypes = (
            ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(_Batch), ctypes.c_uint32,
            ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p, ctypes.c_size_t,
        )  # fmt: skip
        self._protect = int(ffi.cast("uintptr_t", ffi.addressof(lib, "srtp_protect")))
        self._buffer = ctypes.create_string_buffer(_BUFFER_BYTES)
        self._python = PythonFanOut(sock)
        self._sock = sock
        self._family = int(sock.family)

    def send(self, batches: Sequence[Batch], lines: Sequence[Line]) -> list[Line]:
        """Send batches to all lines; return the lines for which the kernel refused one."""
        refused: list[Line] = []
        if any(line.native is None for line in lines):
            lines, refused = self._enrol(batches, lines)
        addresses = array("Q", [line.native.address for line in lines])
        offsets = array("H", [line.offset & 0xFFFF for line in lines])
        stopped = self._call(
            self._sock.fileno(), self._protect, _pack_batches(batches), len(batches),
            addresses.buffer_info()[0], offsets.buffer_info()[0], len(lines), self._buffer, _BUFFER_BYTES,
        )  # fmt: skip
        packets = sum(batch.count for batch in batches)
        octets = sum(batch.payload_bytes for batch in batches)
        if not stopped:
            for line in lines:
                line.sent_packets += packets
                line.sent_octets += octets
            return refused
        for line in lines:
            for batch in batches[: line.native.line.sent]:
                line.sent_packets += batch.count
                line.sent_octets += batch.payload_bytes
        return refused + [line for line in lines if line.native.line.is_stopped]

    def send_packet(self, line: Line, packet: bytes) -> bool:
        """Protect and send one RTP packet."""
        return self._python.send_packet(line, packet)

    def send_rtcp(self, srtp: Protection, route: Route, packet: bytes) -> bool:
        """Protect and send RTCP packets."""
        return self._python.send_rtcp(srtp, route, packet)

    def _enrol(self, batches: Sequence[Batch], lines: Sequence[Line]) -> tuple[list[Line], list[Line]]:
        """Make records of lines that have none; those with routes that C does not know are served in Python.

        Returns:
            lines that have records now, and lines that were refused.
        """
        known: list[Line] = []
        refused: list[Line] = []
        for line in lines:
            if line.native is None:
                line.native = _record(line, self._family)
            if line.native is None:
                refused += self._python.send(batches, [line])
            else:
                known.append(line)
        return known, refused


def _pack_batches(batches: Sequence[Batch]) -> Any:
    packed = [
        _Batch(batch.joined(0), batch.count, batch.packet_bytes, batch.last_bytes, batch.first & 0xFFFF)
        for batch in batches
    ]
    return (_Batch * len(packed))(*packed)


def _record(line: Line, family: int) -> Record | None:
    """Write a line for C; None when its route is of an unusual kind."""
    try:
        address = _socket_address(line.route.address, family)
    except (ValueError, struct.error):
        return None
    control = b"".join(_control_message(*message) for message in line.route.ancillary)
    if len(control) > _CONTROL_BYTES:
        return None
    record = _Line(
        srtp=int(ffi.cast("uintptr_t", line.srtp.tx_pointer)),
        overhead=line.srtp.overhead,
        takes_runs=1,
        address_bytes=len(address),
        control_bytes=len(control),
    )
    ctypes.memmove(record.address, address, len(address))
    ctypes.memmove(record.control, control, len(control))
    return Record(record)


def _socket_address(address: tuple[Any, ...], family: int) -> bytes:
    """Write `struct sockaddr_in` or `sockaddr_in6` (ip(7), ipv6(7))."""
    host, port = address[:2]
    if family == _AF_INET:
        return struct.pack("=H", _AF_INET) + struct.pack("!H4s8x", port, ipaddress.IPv4Address(host).packed)
    flow, scope = (*address[2:], 0, 0)[:2]
    packed = ipaddress.IPv6Address(host.partition("%")[0]).packed
    return struct.pack("=H", _AF_INET6) + struct.pack("!HI16s", port, flow, packed) + struct.pack("=I", scope)


def _control_message(level: int, kind: int, data: bytes) -> bytes:
    """Write `struct cmsghdr` with its data, padded (cmsg(3))."""
    message = _CONTROL_HEADER.pack(_CONTROL_HEADER.size + len(data), level, kind) + data
    return message.ljust(-(-len(message) // 8) * 8, b"\0")
