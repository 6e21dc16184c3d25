"""AMF 3, the values that Flash-era encoders switch to when they connect with object encoding 3 (AMF 3, 1.0 to 3.17).

Only read: servers answer in AMF 0, which every client of object encoding 3 takes. Numbers become `float`,
objects and dictionaries `dict`, arrays and vectors `list`; an array with both kinds of members becomes a dict.
Bytes become None, as nothing in RTMP says something with them. References are followed: one counts as all the
values that it stands for, as deep as they are, so that few bytes cannot become many or deeply nested values; one
to an object that is not finished, a cycle, becomes None.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from media.error import PeerError
from rtmp.amf import AmfSource, AmfValue

_UNDEFINED, _NULL, _FALSE, _TRUE, _INTEGER, _DOUBLE, _STRING, _XML_DOCUMENT, _DATE, _ARRAY = range(10)
_OBJECT, _XML, _BYTES, _INT_VECTOR, _UINT_VECTOR, _DOUBLE_VECTOR, _OBJECT_VECTOR, _DICTIONARY = range(10, 18)

_WRAPPERS = frozenset({"flex.messaging.io.ArrayCollection", "flex.messaging.io.ObjectProxy"})
"""Externalizable classes whose body is known: one value."""

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class _Traits:
    names: tuple[str, ...]
    is_dynamic: bool
    is_wrapper: bool


@dataclass(slots=True)
class _Seen:
    """An entry of the table of objects; `size` and `height` are 0 while it is being read."""

    value: AmfValue = None
    size: int = 0
    """How many values there are in it, itself included."""
    height: int = 0
    """How much deeper than it the deepest of them is."""


def parse_values(data: bytes) -> list[AmfValue]:
    """Parse all values of a message that is AMF 3 throughout.

    Raises:
        PeerError: cut short, of an unknown type, over a bound, or a reference to nothing.
    """
    source = AmfSource(data)
    reader = Amf3Reader(source)
    values = []
    while not source.is_at_end:
        values.append(reader.read_value(0))
    return values


class Amf3Reader:
    """Reads values that share tables of references.

    The tables are bounded by the bytes of the message: each entry takes at least one.
    """

    def __init__(self, source: AmfSource) -> None:
        self._source = source
        self._strings: list[str] = []
        self._traits: list[_Traits] = []
        self._seen: list[_Seen] = []
        self._complex: dict[int, Callable[[int, int], AmfValue]] = {
            _XML_DOCUMENT: self._read_text,
            _DATE: self._read_date,
            _ARRAY: self._read_array,
            _OBJECT: self._read_object,
            _XML: self._read_text,
            _BYTES: self._read_bytes,
            _INT_VECTOR: self._read_int_vector,
            _UINT_VECTOR: self._read_uint_vector,
            _DOUBLE_VECTOR: self._read_double_vector,
            _OBJECT_VECTOR: self._read_object_vector,
            _DICTIONARY: self._read_dictionary,
        }

    def read_value(self, depth: int) -> AmfValue:
        """Read one value.

        Raises:
            PeerError: as `parse_values`.
        """
        self._source.enter(depth)
        marker = self._source.take_int(1)
        if marker in self._complex:
            return self._read_complex(self._complex[marker], depth)
        if marker in (_UNDEFINED, _NULL):
            return None
        if marker in (_FALSE, _TRUE):
            return marker == _TRUE
        if marker == _INTEGER:
            number = self._take_u29()
            return float(number - (1 << 29) if number >> 28 else number)
        if marker == _DOUBLE:
            return self._source.take_double()
        if marker == _STRING:
            return self._take_string()
        raise PeerError(f"AMF 3 value of unknown type {marker}")

    def _take_u29(self) -> int:
        """Read a variable-length integer (1.3.1): seven bits a byte, eight in a fourth."""
        number = 0
        for _ in range(3):
            byte = self._source.take_int(1)
            number = number << 7 | byte & 0x7F
            if byte < 0x80:
                return number
        return number << 8 | self._source.take_int(1)

    def _take_string(self) -> str:
        head = self._take_u29()
        if not head & 1:
            return _entry(self._strings, head >> 1)
        text = self._take_text(head >> 1)
        if text:  # the empty string is never referred to
            self._strings.append(text)
        return text

    def _take_text(self, size: int) -> str:
        return self._source.take(size).decode("utf-8", "replace")

    def _read_complex(self, read: Callable[[int, int], AmfValue], depth: int) -> AmfValue:
        """Read what has a place in the table of objects: a reference to one, or one itself."""
        head = self._take_u29()
        if not head & 1:
            seen = _entry(self._seen, head >> 1)
            self._source.enter(depth + seen.height, seen.size)
            return seen.value
        place, count, deepest = _Seen(), self._source.count, self._source.deepest
        self._seen.append(place)
        self._source.deepest = depth
        place.value = read(head >> 1, depth + 1)
        place.size, place.height = 1 + self._source.count - count, self._source.deepest - depth
        self._source.deepest = max(deepest, self._source.deepest)
        return place.value

    def _read_text(self, size: int, _depth: int) -> AmfValue:
        return self._take_text(size)

    def _read_bytes(self, size: int, _depth: int) -> AmfValue:
        self._source.take(size)
        return None

    def _read_date(self, _head: int, _depth: int) -> AmfValue:
        return self._source.take_double()

    def _read_array(self, count: int, depth: int) -> AmfValue:
        named = self._read_members({}, depth)
        items = [self.read_value(depth) for _ in range(count)]
        if not named:
            return items
        return named | {str(index): item for index, item in enumerate(items)}

    def _read_members(self, members: dict[str, AmfValue], depth: int) -> dict[str, AmfValue]:
        while name := self._take_string():
            members[name] = self.read_value(depth)
        return members

    def _read_object(self, head: int, depth: int) -> AmfValue:
        traits = self._read_traits(head)
        if traits.is_wrapper:
            return self.read_value(depth)
        members = {name: self.read_value(depth) for name in traits.names}
        return self._read_members(members, depth) if traits.is_dynamic else members

    def _read_traits(self, head: int) -> _Traits:
        if not head & 1:
            return _entry(self._traits, head >> 1)
        name = self._take_string()
        if head & 2:
            if name not in _WRAPPERS:
                raise PeerError("AMF 3 object of a class that only its own program can read")
            traits = _Traits((), is_dynamic=False, is_wrapper=True)
        else:
            names = tuple(self._take_name() for _ in range(head >> 3))
            traits = _Traits(names, is_dynamic=bool(head & 4), is_wrapper=False)
        self._traits.append(traits)
        return traits

    def _take_name(self) -> str:
        self._source.enter(0)
        return self._take_string()

    def _read_int_vector(self, count: int, depth: int) -> AmfValue:
        return [float(number) for number in self._take_items(count, depth, self._take_signed)]

    def _read_uint_vector(self, count: int, depth: int) -> AmfValue:
        return [float(number) for number in self._take_items(count, depth, lambda: self._source.take_int(4))]

    def _read_double_vector(self, count: int, depth: int) -> AmfValue:
        return [*self._take_items(count, depth, self._source.take_double)]

    def _read_object_vector(self, count: int, depth: int) -> AmfValue:
        self._source.take(1)  # whether its length is fixed
        self._take_string()  # the class of its items
        return [self.read_value(depth) for _ in range(count)]

    def _take_items(self, count: int, depth: int, take: Callable[[], _Item]) -> list[_Item]:
        self._source.take(1)  # whether its length is fixed
        self._source.enter(depth, count)
        return [take() for _ in range(count)]

    def _take_signed(self) -> int:
        return int.from_bytes(self._source.take(4), "big", signed=True)

    def _read_dictionary(self, count: int, depth: int) -> AmfValue:
        self._source.take(1)  # whether its keys are weak
        members: dict[str, AmfValue] = {}
        for _ in range(count):
            key, value = self.read_value(depth), self.read_value(depth)
            if isinstance(key, str):
                members[key] = value
        return members


def _entry(table: list[_Item], index: int) -> _Item:
    if index >= len(table):
        raise PeerError("AMF 3 reference to something that was never sent")
    return table[index]
