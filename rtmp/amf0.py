"""AMF 0, the values in commands and metadata (Action Message Format, AMF 0).

Objects become `dict`, ECMA arrays `EcmaArray` (a dict too), strict arrays `list`, dates a number of
milliseconds since 1970; undefined becomes None. Class names of typed objects are dropped. A value may
switch to AMF 3 (marker 0x11); the one after it is AMF 0 again.
"""

from __future__ import annotations

from collections.abc import Iterable

from media.error import PeerError
from rtmp.amf import MAX_DEPTH, MAX_VALUES, AmfSource, AmfValue, pack_double
from rtmp.amf3 import Amf3Reader

__all__ = ["MAX_DEPTH", "MAX_VALUES", "AmfValue", "EcmaArray", "parse_values", "serialize_values"]

_NUMBER, _BOOLEAN, _STRING, _OBJECT, _NULL, _UNDEFINED, _REFERENCE = 0, 1, 2, 3, 5, 6, 7
_ECMA_ARRAY, _OBJECT_END, _STRICT_ARRAY, _DATE, _LONG_STRING, _XML, _TYPED_OBJECT = 8, 9, 10, 11, 12, 15, 16
_AMF3 = 17


class EcmaArray(dict[str, AmfValue]):
    """An associative array; on the wire it has a count, which is not to be trusted."""


def parse_values(data: bytes) -> list[AmfValue]:
    """Parse all values of a message.

    Raises:
        PeerError: cut short, of an unknown type, or over a bound.
    """
    source = AmfSource(data)
    reader = _Reader(source)
    values = []
    while not source.is_at_end:
        values.append(reader.read_value(0))
    return values


class _Reader:
    def __init__(self, source: AmfSource) -> None:
        self._source = source

    def _take_string(self, length_size: int) -> str:
        return self._source.take(self._source.take_int(length_size)).decode("utf-8", "replace")

    def read_value(self, depth: int) -> AmfValue:
        self._source.enter(depth)
        marker = self._source.take_int(1)
        if marker in (_OBJECT, _ECMA_ARRAY, _STRICT_ARRAY, _TYPED_OBJECT):
            return self._read_container(marker, depth)
        if marker == _AMF3:
            # Each switch has reference tables of its own, as in Flash's servers.
            return Amf3Reader(self._source).read_value(depth)
        return self._read_scalar(marker)

    def _read_scalar(self, marker: int) -> AmfValue:
        source = self._source
        if marker == _NUMBER:
            return source.take_double()
        if marker == _BOOLEAN:
            return source.take_int(1) != 0
        if marker == _STRING:
            return self._take_string(2)
        if marker in (_LONG_STRING, _XML):
            return self._take_string(4)
        if marker in (_NULL, _UNDEFINED):
            return None
        if marker == _REFERENCE:
            source.take(2)
            return None
        if marker == _DATE:
            milliseconds = source.take_double()
            source.take(2)  # time zone, reserved
            return milliseconds
        raise PeerError(f"AMF value of unknown type {marker}")

    def _read_container(self, marker: int, depth: int) -> AmfValue:
        if marker == _STRICT_ARRAY:
            return [self.read_value(depth + 1) for _ in range(self._source.take_int(4))]
        if marker == _ECMA_ARRAY:
            self._source.take(4)  # a count that lies in the wild
            return self._read_members(EcmaArray(), depth)
        if marker == _TYPED_OBJECT:
            self._take_string(2)
        return self._read_members({}, depth)

    def _read_members(self, members: dict[str, AmfValue], depth: int) -> dict[str, AmfValue]:
        # An array at the end of a message may lack its end marker.
        while not (self._source.is_at_end and isinstance(members, EcmaArray)):
            key = self._take_string(2)
            if not key and self._source.take_if(bytes([_OBJECT_END])):
                break
            members[key] = self.read_value(depth + 1)
        return members


def serialize_values(values: Iterable[AmfValue]) -> bytes:
    """Write values one after the other."""
    return b"".join(_serialize(value) for value in values)


def _serialize(value: AmfValue) -> bytes:
    if value is None:
        return bytes([_NULL])
    if isinstance(value, bool):
        return bytes([_BOOLEAN, value])
    if isinstance(value, int | float):
        return bytes([_NUMBER]) + pack_double(value)
    if isinstance(value, str):
        return _serialize_string(value)
    if isinstance(value, list):
        return bytes([_STRICT_ARRAY]) + len(value).to_bytes(4, "big") + serialize_values(value)
    members = b"".join(_short(key) + _serialize(member) for key, member in value.items())
    end = bytes([0, 0, _OBJECT_END])
    if isinstance(value, EcmaArray):
        return bytes([_ECMA_ARRAY]) + len(value).to_bytes(4, "big") + members + end
    return bytes([_OBJECT]) + members + end


def _serialize_string(value: str) -> bytes:
    data = value.encode()
    if len(data) < 1 << 16:
        return bytes([_STRING]) + _short(value)
    return bytes([_LONG_STRING]) + len(data).to_bytes(4, "big") + data


def _short(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data
