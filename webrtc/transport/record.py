"""DTLS records as datagrams carry them (RFC 6347, 4.1)."""

from __future__ import annotations

import struct
from collections.abc import Sequence

MAX_DATAGRAM_BYTES = 1200
"""Fits every path that browsers are on (QUIC relies on the same, RFC 9000, 14)."""
_HEADER = struct.Struct("!BBBHHIH")
_HEADER_BYTES = 13
_VERSION_MAJOR = 0xFE
_CONTENT_TYPES = range(20, 24)
"""Change of cipher, alert, handshake, application data."""
_HANDSHAKE = 22
_CLIENT_HELLO = 1
_MAX_RECORD_BYTES = (1 << 14) + 2048


def is_record(data: bytes) -> bool:
    """Tell whether a datagram begins like a DTLS record: most of what is none goes no further."""
    if len(data) <= _HEADER_BYTES:
        return False
    content, major, _, _, _, _, length = _HEADER.unpack_from(data)
    return (
        content in _CONTENT_TYPES
        and major == _VERSION_MAJOR
        and length <= min(_MAX_RECORD_BYTES, len(data) - _HEADER_BYTES)
    )


def is_client_hello(data: bytes) -> bool:
    """Tell whether a datagram that begins with a record may begin a handshake."""
    return data[0] == _HANDSHAKE and not any(data[3:5]) and data[_HEADER_BYTES] == _CLIENT_HELLO


def split_records(data: bytes) -> list[bytes]:
    """Split what OpenSSL wrote into a stream into its records."""
    records = []
    position = 0
    while position < len(data):
        end = position + _HEADER_BYTES + int.from_bytes(data[position + 11 : position + 13])
        records.append(data[position:end])
        position = end
    return records


def is_clear(record: bytes) -> bool:
    """Tell whether a record is of epoch 0, which is neither encrypted nor signed."""
    return not any(record[3:5])


def with_sequence(record: bytes, sequence: int) -> bytes:
    """Give a clear record another sequence number."""
    return record[:5] + sequence.to_bytes(6) + record[11:]


def pack_datagrams(records: Sequence[bytes]) -> list[bytes]:
    """Put records into as few datagrams as they need, in order."""
    datagrams = [b""]
    for record in records:
        if datagrams[-1] and len(datagrams[-1]) + len(record) > MAX_DATAGRAM_BYTES:
            datagrams.append(b"")
        datagrams[-1] += record
    return datagrams if datagrams[0] else []
