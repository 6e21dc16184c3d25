"""MPEG-TS segments: packets, tables, times and key pictures (ISO/IEC 13818-1; 3.1.1)."""

from __future__ import annotations

from dataclasses import dataclass, field

from media.error import PeerError

PACKET_BYTES = 188
_SYNC = 0x47
_CLOCK_HZ = 90_000
_WRAP = 1 << 33
MAX_PES_HEAD_BYTES = 1 << 16
"""Of a picture that are looked at for its first slice: parameter sets and SEI come before, no more."""

VIDEO_TYPES = {0x1B: "h264", 0x24: "hevc"}
AUDIO_TYPES = {0x0F: "aac", 0x11: "aac", 0x03: "mp3", 0x04: "mp3", 0x81: "ac3", 0x87: "eac3"}


class TransportError(PeerError):
    """What should be an MPEG transport stream is none."""


@dataclass(slots=True)
class Stream:
    """One elementary stream of a segment."""

    codec: str
    kind: str
    times: list[int] = field(default_factory=list)
    """Presentation times in ticks of 90 kHz, in the order of the file, without wrap."""
    is_key_first: bool | None = None
    head: bytearray = field(default_factory=bytearray)
    """Begin of its first frame."""
    frames: int = 0


@dataclass(slots=True)
class Transport:
    """What a segment holds."""

    streams: dict[int, Stream]
    """By packet identifier."""
    has_tables: bool
    """Whether PAT and PMT come before media."""
    first_counters: dict[int, int]
    """Continuity counter of the first packet with a payload, by packet identifier."""
    last_counters: dict[int, int]
    breaks: int
    """Packets whose continuity counter is another one than follows."""


def read_transport(data: bytes) -> Transport:
    """Read a segment.

    Raises:
        TransportError: it is no whole number of packets, or sync is lost.
    """
    if len(data) < PACKET_BYTES or len(data) % PACKET_BYTES:
        raise TransportError(f"{len(data)} bytes are no whole number of packets of {PACKET_BYTES}")
    reader = _Reader(data)
    for start in range(0, len(data), PACKET_BYTES):
        reader.read(start)
    return reader.finish()


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._pmt: int | None = None
        self._found = Transport({}, False, {}, {}, 0)
        self._saw_media = False

    def read(self, start: int) -> None:
        data = self._data
        if data[start] != _SYNC:
            raise TransportError(f"sync is lost at byte {start}")
        pid = (data[start + 1] & 0x1F) << 8 | data[start + 2]
        control = data[start + 3] >> 4 & 3
        if pid == 0x1FFF or not control & 1:
            return
        position, end = start + 4, start + PACKET_BYTES
        is_announced = False
        if control & 2:
            length = data[position]
            is_announced = length > 0 and bool(data[position + 1] & 0x80)
            position += 1 + length
        if position > end:
            raise TransportError(f"an adaptation field at byte {start} is longer than its packet")
        self._count(pid, data[start + 3] & 15, is_announced=is_announced)
        is_start = bool(data[start + 1] & 0x40)
        payload = data[position:end]
        if pid == 0 and is_start:
            self._pmt = _program_map(payload)
        elif pid == self._pmt and is_start and not self._found.streams:
            self._found.streams = _streams(payload)
            self._found.has_tables = bool(self._found.streams) and not self._saw_media
        elif pid in self._found.streams:
            self._add(self._found.streams[pid], payload, is_start=is_start)
        elif pid not in (0, self._pmt):
            self._saw_media = self._saw_media or (is_start and payload[:3] == b"\0\0\1")

    def finish(self) -> Transport:
        for stream in self._found.streams.values():
            if stream.kind == "video" and stream.head:
                stream.is_key_first = _has_key(bytes(stream.head), stream.codec)
        return self._found

    def _count(self, pid: int, counter: int, *, is_announced: bool) -> None:
        last = self._found.last_counters.get(pid)
        if last is None:
            self._found.first_counters[pid] = counter
        elif counter not in (last, (last + 1) & 15) and not is_announced:
            self._found.breaks += 1
        self._found.last_counters[pid] = counter

    def _add(self, stream: Stream, payload: bytes, *, is_start: bool) -> None:
        if is_start:
            stream.frames += 1
            time = _presentation_time(payload)
            if time is not None:
                stream.times.append(_unwrap(time, stream.times[-1] if stream.times else None))
        if stream.frames == 1 and len(stream.head) < MAX_PES_HEAD_BYTES:
            stream.head += payload


def _section(payload: bytes) -> bytes:
    """Return a table section behind its pointer field, without its checksum."""
    start = 1 + payload[0] if payload else 0
    if len(payload) < start + 3:
        return b""
    length = (payload[start + 1] & 0x0F) << 8 | payload[start + 2]
    return payload[start : start + 3 + length - 4]


def _program_map(payload: bytes) -> int | None:
    section = _section(payload)
    for position in range(8, len(section) - 3, 4):
        if section[position] or section[position + 1]:
            return (section[position + 2] & 0x1F) << 8 | section[position + 3]
    return None


def _streams(payload: bytes) -> dict[int, Stream]:
    section = _section(payload)
    found: dict[int, Stream] = {}
    if len(section) < 12:
        return found
    position = 12 + ((section[10] & 0x0F) << 8 | section[11])
    while position + 5 <= len(section):
        kind = section[position]
        pid = (section[position + 1] & 0x1F) << 8 | section[position + 2]
        if kind in VIDEO_TYPES:
            found[pid] = Stream(VIDEO_TYPES[kind], "video")
        elif kind in AUDIO_TYPES:
            found[pid] = Stream(AUDIO_TYPES[kind], "audio")
        position += 5 + ((section[position + 3] & 0x0F) << 8 | section[position + 4])
    return found


def _presentation_time(payload: bytes) -> int | None:
    if len(payload) < 14 or payload[:3] != b"\0\0\1" or not payload[7] & 0x80:
        return None
    high, low = int.from_bytes(payload[10:12], "big") >> 1, int.from_bytes(payload[12:14], "big") >> 1
    return (payload[9] >> 1 & 7) << 30 | high << 15 | low


def _unwrap(time: int, last: int | None) -> int:
    if last is None:
        return time
    return last + step(last, time)


def _has_key(head: bytes, codec: str) -> bool | None:
    """Find out whether the first slice is of a key picture; None when there is no slice in what is known."""
    position = head.find(b"\0\0\1", 9)
    while position >= 0 and position + 3 < len(head):
        first = head[position + 3]
        kind = first & 0x1F if codec == "h264" else first >> 1 & 0x3F
        if codec == "h264" and kind in (1, 5):
            return kind == 5
        if codec == "hevc" and kind < 32:
            return 16 <= kind <= 21
        position = head.find(b"\0\0\1", position + 3)
    return None


def step(earlier: int, later: int) -> int:
    """Return the ticks between two times of 33 bits, the short way round."""
    return (later - earlier + _WRAP // 2) % _WRAP - _WRAP // 2


def ticks_to_s(ticks: float) -> float:
    """Turn ticks of the transport stream's clock into seconds."""
    return ticks / _CLOCK_HZ
