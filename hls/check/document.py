"""A playlist as lines: strict about what the specification says of any playlist (4.1 to 4.4).

Faults are collected, since a checker has to see past the first one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

from .attribute import PlaylistError, parse_attributes, parse_integer
from .finding import Place, Report, Rule, Severity
from .line import Fault, Line
from .variable import VARIABLE, resolve_variables
from .vocabulary import KINDS, ONCE, TAGS, Form, Scope, TagForm

MAX_LINES = 1_000_000
"""Of a playlist: a week of one-second segments has fewer."""

ENCODING = Rule(
    "playlist-encoding", "4.1", Severity.ERROR, "UTF-8 without byte order mark or control characters, in NFC"
)
HEAD = Rule("playlist-head", "4.4.1.1", Severity.ERROR, "EXTM3U is the first line")
KNOWN_TAG = Rule("playlist-known-tag", "4.1", Severity.NOTE, "tags are those of the specification")
TAG_VALUE = Rule("playlist-tag-value", "4.4", Severity.ERROR, "a tag has the value that its form asks for")
ATTRIBUTE_LIST = Rule("playlist-attribute-list", "4.2", Severity.ERROR, "attribute lists are well formed")
ATTRIBUTE_KIND = Rule(
    "playlist-attribute-kind", "4.2", Severity.ERROR, "attributes have the form of their kind"
)
ATTRIBUTE_MISSING = Rule("playlist-attribute-missing", "4.4", Severity.ERROR, "required attributes are there")
TAG_ONCE = Rule("playlist-tag-once", "4.4.3", Severity.ERROR, "a tag of the whole playlist is there once")
ONE_KIND = Rule(
    "playlist-one-kind", "4.1", Severity.ERROR, "a playlist has tags of one kind: media or multivariant"
)


@dataclass(frozen=True, slots=True)
class Document:
    """The lines of a playlist, and what is wrong with them."""

    lines: tuple[Line, ...]
    faults: tuple[Fault, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    """Values by name, as EXT-X-DEFINE gives them."""

    @property
    def is_multivariant(self) -> bool:
        """Whether it lists variants and not segments."""
        kinds = [TAGS[line.tag].scope for line in self.lines if line.tag in TAGS]
        return Scope.MULTIVARIANT in kinds

    def find(self, tag: str) -> Line | None:
        """Return the first line with a tag."""
        return next((line for line in self.lines if line.tag == tag), None)

    def report(self, name: str, report: Report) -> None:
        """Report what is wrong with the lines; each line counts as looked at."""
        broken = {fault.rule.id for fault in self.faults}
        for rule in RULES:
            if rule.id not in broken:
                report.expect(rule, True, Place(name), "")
        for fault in self.faults:
            report.expect(fault.rule, False, fault.line.place(name), fault.detail)


RULES = (
    ENCODING,
    HEAD,
    KNOWN_TAG,
    TAG_VALUE,
    ATTRIBUTE_LIST,
    ATTRIBUTE_KIND,
    ATTRIBUTE_MISSING,
    TAG_ONCE,
    ONE_KIND,
    VARIABLE,
)
"""Rules of any playlist."""


def parse_document(data: bytes, url: str = "", imported: Mapping[str, str] | None = None) -> Document:
    """Read a playlist.

    Args:
        data: the playlist.
        url: its address.
        imported: variables of the multivariant playlist that led to it.

    Raises:
        PlaylistError: it is none at all: the first line is another one, or it has too many lines.
    """
    faults: list[Fault] = []
    text = _decode(data, faults)
    rows = text.replace("\r\n", "\n").split("\n")
    if rows[0].rstrip() != "#EXTM3U":
        raise PlaylistError(f"no playlist: it begins with {rows[0][:60]!r} and not with #EXTM3U")
    if len(rows) > MAX_LINES:
        raise PlaylistError(f"a playlist of more than {MAX_LINES} lines")
    lines = [
        _read_line(number, row, faults)
        for number, row in enumerate(rows, 1)
        if row.strip() and (not row.startswith("#") or row.startswith("#EXT"))
    ]
    _check_once(lines, faults)
    _check_kind(lines, faults)
    lines, variables = resolve_variables(lines, url, imported or {}, faults)
    return Document(tuple(lines), tuple(faults), variables)


def _decode(data: bytes, faults: list[Fault]) -> str:
    text = data.decode("utf-8", "replace")
    first = Line(1, text[:80].split("\n")[0])
    if text.startswith("\ufeff"):
        faults.append(Fault(ENCODING, first, "there is a byte order mark"))
        text = text[1:]
    if "\ufffd" in text and "\ufffd".encode() not in data:
        faults.append(Fault(ENCODING, first, "it is not UTF-8"))
    if any(unicodedata.category(char) == "Cc" and char not in "\r\n" for char in set(text)):
        faults.append(Fault(ENCODING, first, "there are control characters"))
    if not unicodedata.is_normalized("NFC", text):
        faults.append(Fault(ENCODING, first, "it is not normalized (NFC)"))
    return text


def _read_line(number: int, row: str, faults: list[Fault]) -> Line:
    if not row.startswith("#"):
        line = Line(number, row)
        if row != row.strip():
            faults.append(Fault(TAG_VALUE, line, "there is white space around the address"))
        return Line(number, row.strip())
    name, separator, value = row[1:].partition(":")
    known = TAGS.get(name.rstrip())
    line = Line(number, row, name.rstrip(), value)
    if known is None:
        faults.append(Fault(KNOWN_TAG, line, f"{name[:60]} is no tag of the specification"))
        return line
    # EXTINF ends with a title, which is free text.
    if name != name.rstrip() or (value != value.strip() and name != "EXTINF"):
        faults.append(Fault(TAG_VALUE, line, "there is white space around the value"))
        line = Line(number, row, name.rstrip(), value.strip())
    if known.form is Form.NOTHING and separator:
        faults.append(Fault(TAG_VALUE, line, "the tag takes no value"))
    if known.form is Form.INTEGER and parse_integer(line.value) is None:
        faults.append(Fault(TAG_VALUE, line, "the value is no decimal-integer"))
    if known.form is Form.ATTRIBUTES:
        return _with_attributes(line, known, faults)
    return line


def _with_attributes(line: Line, known: TagForm, faults: list[Fault]) -> Line:
    try:
        attributes = parse_attributes(line.value)
    except PlaylistError as error:
        faults.append(Fault(ATTRIBUTE_LIST, line, str(error)))
        return line
    faults += [
        Fault(ATTRIBUTE_MISSING, line, f"{name} is missing")
        for name in known.required
        if name not in attributes
    ]
    for name, value in attributes.items():
        kind = known.attributes.get(name)
        if kind is not None and not KINDS[kind](value):
            faults.append(Fault(ATTRIBUTE_KIND, line, f"{name} is no {kind}"))
    return Line(line.number, line.text, line.tag, line.value, attributes)


def _check_once(lines: list[Line], faults: list[Fault]) -> None:
    seen: set[str] = set()
    for line in lines:
        if line.tag in ONCE and line.tag in seen:
            rule = HEAD if line.tag == "EXTM3U" else TAG_ONCE
            faults.append(Fault(rule, line, f"{line.tag} is there again"))
        seen.add(line.tag)


def _check_kind(lines: list[Line], faults: list[Fault]) -> None:
    scopes = {line.tag: TAGS[line.tag].scope for line in lines if line.tag in TAGS}
    if Scope.MULTIVARIANT not in scopes.values():
        return
    faults += [
        Fault(ONE_KIND, line, f"{line.tag} is in a multivariant playlist")
        for line in lines
        if scopes.get(line.tag) in (Scope.MEDIA, Scope.SEGMENT)
    ]
