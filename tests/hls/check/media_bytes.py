"""Bytes of fMP4 and MPEG-TS as a packager writes them, small enough to spoil by hand."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

AVCC = bytes.fromhex("0142c01effe100196742c01eda0280bfe5c044000003000400000300c83c58ba8001000468ce0fc8")
ESDS = bytes.fromhex(
    "0000000003808080250002000480808017401500000000010d8800010d880580808005118856e500068080800102"
)
IDR, SLICE = b"\0\0\0\x05\x65abcd", b"\0\0\0\x05\x41abcd"
PICTURE_HZ, SOUND_HZ = 90_000, 48_000


def box(kind: str, *payload: bytes) -> bytes:
    """Build a box."""
    body = b"".join(payload)
    return struct.pack(">I4s", 8 + len(body), kind.encode()) + body


def track(number: int, entry: str, *, edits: tuple[tuple[int, int], ...] = ()) -> bytes:
    """Build a `trak` of pictures (`avc1`, `hev1`…) or sound (`mp4a`)."""
    is_sound = entry == "mp4a"
    head = struct.pack(">IIIIII", 0, 0, 0, number, 0, 0) + bytes(60)
    media_head = struct.pack(">IIIII", 0, 0, 0, SOUND_HZ if is_sound else PICTURE_HZ, 0) + bytes(4)
    handler = bytes(8) + (b"soun" if is_sound else b"vide") + bytes(13)
    if is_sound:
        sample = box(entry, bytes(24), struct.pack(">I", SOUND_HZ << 16), box("esds", ESDS))
    else:
        size = struct.pack(">HH", 640, 360)
        sample = box(entry, bytes(24), size, bytes(50), box("avcC" if entry == "avc1" else "hvcC", AVCC))
    table = box("stbl", box("stsd", struct.pack(">II", 0, 1), sample))
    media = box("mdia", box("mdhd", media_head), box("hdlr", handler), box("minf", table))
    listed = b"".join(struct.pack(">IiI", duration, start, 1 << 16) for duration, start in edits)
    edit = box("edts", box("elst", struct.pack(">II", 0, len(edits)), listed)) if edits else b""
    return box("trak", box("tkhd", head), edit, media)


def initialization(*tracks: bytes, head: bytes = box("ftyp", b"iso6"), extends: bool = True) -> bytes:
    """Build an initialization section."""
    defaults = b"".join(
        box("trex", struct.pack(">IIIIII", 0, number, 1, 3600, 9, 0)) for number in range(1, len(tracks) + 1)
    )
    more = box("mvex", defaults) if extends else b""
    return head + box("moov", *tracks, more)


PICTURES = initialization(track(1, "avc1"))


@dataclass(frozen=True)
class Sample:
    """A picture."""

    data: bytes = SLICE
    duration: int = 3600
    offset: int = 0
    is_sync: bool = False


KEY = Sample(IDR, is_sync=True)


def fragment(time: int | None, samples: Sequence[Sample], *, shift: int = 0) -> bytes:
    """Build `moof` and `mdat` of one track.

    Args:
        time: of the first sample; None leaves `tfdt` out.
        samples: what it holds.
        shift: bytes by which the samples are said to be elsewhere.
    """
    rows = b"".join(
        struct.pack(">IIIi", s.duration, len(s.data), 0 if s.is_sync else 0x1_0000, s.offset) for s in samples
    )

    def build(offset: int) -> bytes:
        run = box("trun", struct.pack(">IIi", 1 << 24 | 0xF01, len(samples), offset), rows)
        begin = box("tfdt", struct.pack(">IQ", 1 << 24, time)) if time is not None else b""
        head = box("tfhd", struct.pack(">II", 0x02_0000, 1))
        return box("moof", box("mfhd", bytes(8)), box("traf", head, begin, run))

    return build(len(build(0)) + 8 + shift) + box("mdat", *(s.data for s in samples))


def pictures(time: int, count: int, *, is_key: bool = True) -> bytes:
    """Build a fragment of pictures of 40 ms, the first one a key picture."""
    first = KEY if is_key else Sample()
    return fragment(time, [first, *[Sample()] * (count - 1)])


def packet(pid: int, counter: int, payload: bytes, *, is_start: bool = True) -> bytes:
    """Build a packet of MPEG-TS, filled up by its adaptation field."""
    room = 184 - len(payload)
    head = struct.pack(
        ">BHB", 0x47, (0x4000 if is_start else 0) | pid, (0x30 if room else 0x10) | counter & 15
    )
    fill = b"" if not room else bytes([room - 1]) + (b"\0" + b"\xff" * (room - 2) if room > 1 else b"")
    return head + fill + payload


def tables() -> bytes:
    """Build PAT and PMT: pictures in H.264 are packets 256."""
    pat = b"\0" + bytes.fromhex("00b00d0001c100000001f000") + bytes(4)
    pmt = b"\0" + bytes.fromhex("02b0120001c10000e100f0001be100f000") + bytes(4)
    return packet(0, 0, pat) + packet(0x1000, 0, pmt)


def stamp(ticks: int | None) -> bytes:
    """Build the head of a frame with a presentation time."""
    if ticks is None:
        return b"\0\0\1\xe0\0\0\x80\0\0" + bytes(5)
    time = struct.pack(
        ">BHH", 0x21 | (ticks >> 30 & 7) << 1, (ticks >> 15 & 0x7FFF) << 1 | 1, (ticks & 0x7FFF) << 1 | 1
    )
    return b"\0\0\1\xe0\0\0\x80\x80\x05" + time


def transport(
    ticks: int, count: int, *, counter: int = 0, is_key: bool = True, is_timed: bool = True
) -> bytes:
    """Build a segment of pictures of 40 ms, one packet each."""
    frames = [
        packet(
            256,
            counter + index,
            stamp(ticks + 3600 * index if is_timed else None)
            + (b"\0\0\1\x65abc" if is_key and not index else b"\0\0\1\x41abc"),
        )
        for index in range(count)
    ]
    return tables() + b"".join(frames)
