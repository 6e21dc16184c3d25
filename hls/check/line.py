"""A line of a playlist, and a fault in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from .attribute import Attributes
from .finding import Place, Rule


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is neither empty nor a comment."""

    number: int
    text: str
    tag: str = ""
    """Name without the number sign; empty for an address."""
    value: str = ""
    attributes: Attributes = field(default_factory=dict)

    def text_of(self, attribute: str) -> str:
        """Return the text of an attribute; empty when it is not there."""
        return self.attributes[attribute].text if attribute in self.attributes else ""

    def place(self, name: str) -> Place:
        """Name this line in a playlist."""
        return Place(name, self.number, self.text)


class Fault(NamedTuple):
    """A rule that a line did or did not keep."""

    rule: Rule
    line: Line
    detail: str
