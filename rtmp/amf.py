"""What AMF 0 and AMF 3 share: the values, the bounds, and reading bytes in order."""

from __future__ import annotations

import struct
from typing import TypeAlias

from media.error import PeerError

AmfValue: TypeAlias = "bool | float | str | list[AmfValue] | dict[str, AmfValue] | None"

MAX_DEPTH = 16
"""Nesting of objects; metadata of real encoders has two levels, capability maps three."""
MAX_VALUES = 4096
"""In one message; the longest metadata seen has about a hundred."""

_DOUBLE = struct.Struct(">d")


class AmfSource:
    """The bytes of a message, read in order, and a count of the values in it."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self.count = 0
        """Values counted so far."""
        self.deepest = 0
        """Depth of the deepest of them."""

    @property
    def is_at_end(self) -> bool:
        """Whether all bytes are read."""
        return self._position >= len(self._data)

    def take(self, size: int) -> bytes:
        """Read bytes.

        Raises:
            PeerError: there are not so many.
        """
        start, self._position = self._position, self._position + size
        if self._position > len(self._data):
            raise PeerError("AMF value is cut short")
        return self._data[start : self._position]

    def take_int(self, size: int) -> int:
        """Read an unsigned integer of so many bytes."""
        return int.from_bytes(self.take(size), "big")

    def take_double(self) -> float:
        """Read a double."""
        value: float = _DOUBLE.unpack(self.take(8))[0]
        return value

    def take_if(self, wanted: bytes) -> bool:
        """Read these bytes if they come next, and tell whether they did."""
        is_next = self._data.startswith(wanted, self._position)
        self._position += len(wanted) * is_next
        return is_next

    def enter(self, depth: int, values: int = 1) -> None:
        """Take note that values begin here, at a depth.

        Raises:
            PeerError: they are too many or nested too deep.
        """
        self.count += values
        if self.count > MAX_VALUES:
            raise PeerError(f"AMF message with more than {MAX_VALUES} values")
        if depth > MAX_DEPTH:
            raise PeerError(f"AMF objects nested more than {MAX_DEPTH} deep")
        self.deepest = max(self.deepest, depth)


def pack_double(value: float) -> bytes:
    """Write a double."""
    return _DOUBLE.pack(value)
