"""Session descriptions as lines: cut into sections, attributes by name, nothing understood yet (RFC 8866)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from media.error import PeerError

MAX_CHARACTERS = 64 * 1024
"""Of a description. Chromium's with all its codecs has 13 kB."""

MAX_SECTIONS = 16
"""m-lines of one description: a viewer needs two."""

MAX_LINES = 512
"""Of one section. Chromium's video section has 170, and one more for each candidate."""

_LINE = re.compile(r"([a-z])=([^\x00-\x08\x0b-\x1f\x7f]*)")
_MEDIA = re.compile(
    r"([a-z]{1,32}) ([0-9]{1,5})(?:/[0-9]{1,5})? ([A-Za-z0-9/]{1,64})((?: [!-~]{1,64}){1,255})"
)


@dataclass(slots=True)
class Section:
    """What stands below one m-line, or above the first."""

    kind: str = ""
    """First word of the m-line; empty for the lines above the first."""
    port: int = 0
    protocol: str = ""
    formats: tuple[str, ...] = ()
    attributes: dict[str, list[str]] = field(default_factory=dict)
    """Values of each attribute in their order; an empty text where there is none."""
    line_count: int = 0

    def first(self, name: str) -> str | None:
        """Return the first value of an attribute, None where it is not given."""
        values = self.attributes.get(name)
        return values[0] if values else None

    def all(self, name: str) -> list[str]:
        """Return all values of an attribute."""
        return self.attributes.get(name, [])

    def __contains__(self, name: str) -> bool:
        return name in self.attributes

    def _add(self, key: str, value: str) -> None:
        self.line_count += 1
        if self.line_count > MAX_LINES:
            raise PeerError(f"the session description has a section with more than {MAX_LINES} lines")
        if key == "a":
            name, _, text = value.partition(":")
            self.attributes.setdefault(name.strip(), []).append(text.strip())


def parse_description(text: str) -> tuple[Section, list[Section]]:
    """Cut a whole description into its session part and its media sections.

    Raises:
        PeerError: it is no session description, or has no section.
    """
    if not text.lstrip("\r\n").startswith("v=0"):
        raise PeerError("the session description does not begin with v=0")
    session, media = parse_lines(text)
    if not media:
        raise PeerError("the session description has no m-line")
    return session, media


def parse_lines(text: str) -> tuple[Section, list[Section]]:
    """Cut lines into those above the first m-line and the sections.

    Raises:
        PeerError: a line is malformed, or there are too many.
    """
    session, media = Section(), list[Section]()
    for key, value in _lines(text):
        if key != "m":
            (media[-1] if media else session)._add(key, value)
        elif len(media) == MAX_SECTIONS:
            raise PeerError(f"the session description has more than {MAX_SECTIONS} m-lines")
        else:
            media.append(_parse_media_line(value))
    return session, media


def _lines(text: str) -> Iterator[tuple[str, str]]:
    if len(text) > MAX_CHARACTERS:
        raise PeerError(f"the session description is longer than {MAX_CHARACTERS} characters")
    for line in text.split("\n"):
        content = line.rstrip("\r")
        if not content:
            continue  # some libraries end with an empty line
        match = _LINE.fullmatch(content)
        if match is None:
            raise PeerError(f"the session description has a line that is none: {content[:40]!a}")
        yield match[1], match[2]


def _parse_media_line(value: str) -> Section:
    match = _MEDIA.fullmatch(value.rstrip(" "))
    if match is None or int(match[2]) > 0xFFFF:
        raise PeerError(f"the session description has a malformed m-line: {value[:40]!a}")
    return Section(match[1], int(match[2]), match[3], tuple(match[4].split()))
