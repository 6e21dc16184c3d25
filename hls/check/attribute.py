"""Attribute lists and the forms that their values have (draft-pantos-hls-rfc8216bis, 4.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from media.error import PeerError

_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^",\s]+)(,|$)')
_INTEGER = re.compile(r"\d{1,20}", re.ASCII)
_DECIMAL = re.compile(r"\d{1,30}(\.\d{1,30})?", re.ASCII)


class PlaylistError(PeerError):
    """What should be a playlist, or a part of one, is none."""


@dataclass(frozen=True, slots=True)
class Value:
    """The value of an attribute."""

    text: str
    """Without its quotes."""
    is_quoted: bool = False

    @property
    def integer(self) -> int | None:
        """The value as a decimal-integer."""
        return None if self.is_quoted else parse_integer(self.text)

    @property
    def number(self) -> float | None:
        """The value as a decimal-floating-point."""
        return None if self.is_quoted else parse_decimal(self.text)

    @property
    def is_yes(self) -> bool:
        """Whether it is the enumerated string YES."""
        return self.text == "YES" and not self.is_quoted


Attributes = Mapping[str, Value]


def parse_attributes(text: str) -> dict[str, Value]:
    """Parse an attribute list.

    Raises:
        PlaylistError: it is none, or an attribute is there twice.
    """
    found: dict[str, Value] = {}
    position, is_open = 0, True
    while is_open:
        match = _ATTRIBUTE.match(text, position)
        if match is None:
            raise PlaylistError(f"no attribute at {text[position : position + 40]!r}")
        name, value, separator = match.groups()
        if name in found:
            raise PlaylistError(f"{name} is there twice")
        is_quoted = value.startswith('"')
        found[name] = Value(value[1:-1] if is_quoted else value, is_quoted)
        position, is_open = match.end(), separator == ","
    return found


def parse_integer(text: str) -> int | None:
    """Read a decimal-integer of up to 20 digits; None when it is none."""
    return int(text) if _INTEGER.fullmatch(text) else None


def parse_decimal(text: str) -> float | None:
    """Read a decimal-floating-point or decimal-integer; None when it is none."""
    return float(text) if _DECIMAL.fullmatch(text) else None
