"""The tags of a playlist: where each may be, what follows its colon, what its attributes are (4.4)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from .attribute import Value, parse_decimal, parse_integer


class Scope(Enum):
    """Which kind of playlist a tag belongs to."""

    BOTH = auto()
    MEDIA = auto()
    """Once in a media playlist (4.4.3)."""
    SEGMENT = auto()
    """Any number of times in a media playlist (4.4.4, 4.4.5)."""
    MULTIVARIANT = auto()


class Form(Enum):
    """What follows a tag's colon."""

    NOTHING = auto()
    INTEGER = auto()
    ATTRIBUTES = auto()
    OTHER = auto()
    """A form that only the reader of the tag knows."""


_RESOLUTION = re.compile(r"\d{1,20}x\d{1,20}", re.ASCII)
_HEXADECIMAL = re.compile(r"0[xX][0-9A-F]+")
_SIGNED = re.compile(r"-?\d{1,30}(\.\d{1,30})?", re.ASCII)

KINDS: Mapping[str, Callable[[Value], bool]] = {
    "decimal-integer": lambda value: not value.is_quoted and parse_integer(value.text) is not None,
    "decimal-floating-point": lambda value: not value.is_quoted and parse_decimal(value.text) is not None,
    "signed-decimal-floating-point": lambda value: (
        not value.is_quoted and _SIGNED.fullmatch(value.text) is not None
    ),
    "quoted-string": lambda value: value.is_quoted,
    "enumerated-string": lambda value: not value.is_quoted,
    "hexadecimal-sequence": lambda value: (
        not value.is_quoted and _HEXADECIMAL.fullmatch(value.text) is not None
    ),
    "decimal-resolution": lambda value: not value.is_quoted and _RESOLUTION.fullmatch(value.text) is not None,
    "quoted-string or NONE": lambda value: value.is_quoted or value.text == "NONE",
}
"""Forms of attribute values."""


@dataclass(frozen=True, slots=True)
class TagForm:
    """What a tag has to look like."""

    scope: Scope
    form: Form = Form.NOTHING
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Kind by name."""
    required: tuple[str, ...] = ()


def _kinds(**names: str) -> dict[str, str]:
    """Turn `kind="NAME OTHER-NAME"` into kind by name."""
    kinds = {
        "int": "decimal-integer",
        "float": "decimal-floating-point",
        "signed": "signed-decimal-floating-point",
        "quoted": "quoted-string",
        "enum": "enumerated-string",
        "hex": "hexadecimal-sequence",
        "size": "decimal-resolution",
        "quoted_or_none": "quoted-string or NONE",
    }
    return {name: kinds[kind] for kind, listed in names.items() for name in listed.split()}


def _list(scope: Scope, required: str, **names: str) -> TagForm:
    return TagForm(scope, Form.ATTRIBUTES, _kinds(**names), tuple(required.split()))


_STREAM = {
    "int": "BANDWIDTH AVERAGE-BANDWIDTH",
    "float": "SCORE FRAME-RATE",
    "quoted": "CODECS SUPPLEMENTAL-CODECS ALLOWED-CPC STABLE-VARIANT-ID AUDIO VIDEO SUBTITLES PATHWAY-ID "
    "REQ-VIDEO-LAYOUT",
    "enum": "HDCP-LEVEL VIDEO-RANGE",
    "size": "RESOLUTION",
    "quoted_or_none": "CLOSED-CAPTIONS",
}

TAGS: Mapping[str, TagForm] = {
    "EXTM3U": TagForm(Scope.BOTH),
    "EXT-X-VERSION": TagForm(Scope.BOTH, Form.INTEGER),
    "EXT-X-INDEPENDENT-SEGMENTS": TagForm(Scope.BOTH),
    "EXT-X-START": _list(Scope.BOTH, "TIME-OFFSET", signed="TIME-OFFSET", enum="PRECISE"),
    "EXT-X-DEFINE": _list(Scope.BOTH, "", quoted="NAME VALUE IMPORT QUERYPARAM"),
    "EXT-X-TARGETDURATION": TagForm(Scope.MEDIA, Form.INTEGER),
    "EXT-X-MEDIA-SEQUENCE": TagForm(Scope.MEDIA, Form.INTEGER),
    "EXT-X-DISCONTINUITY-SEQUENCE": TagForm(Scope.MEDIA, Form.INTEGER),
    "EXT-X-ENDLIST": TagForm(Scope.MEDIA),
    "EXT-X-PLAYLIST-TYPE": TagForm(Scope.MEDIA, Form.OTHER),
    "EXT-X-I-FRAMES-ONLY": TagForm(Scope.MEDIA),
    "EXT-X-PART-INF": _list(Scope.MEDIA, "PART-TARGET", float="PART-TARGET"),
    "EXT-X-SERVER-CONTROL": _list(
        Scope.MEDIA,
        "",
        float="CAN-SKIP-UNTIL HOLD-BACK PART-HOLD-BACK",
        enum="CAN-SKIP-DATERANGES CAN-BLOCK-RELOAD",
    ),
    "EXTINF": TagForm(Scope.SEGMENT, Form.OTHER),
    "EXT-X-BYTERANGE": TagForm(Scope.SEGMENT, Form.OTHER),
    "EXT-X-DISCONTINUITY": TagForm(Scope.SEGMENT),
    "EXT-X-KEY": _list(
        Scope.SEGMENT, "METHOD", enum="METHOD", quoted="URI KEYFORMAT KEYFORMATVERSIONS", hex="IV"
    ),
    "EXT-X-MAP": _list(Scope.SEGMENT, "URI", quoted="URI BYTERANGE"),
    "EXT-X-PROGRAM-DATE-TIME": TagForm(Scope.SEGMENT, Form.OTHER),
    "EXT-X-GAP": TagForm(Scope.SEGMENT),
    "EXT-X-BITRATE": TagForm(Scope.SEGMENT, Form.INTEGER),
    "EXT-X-PART": _list(
        Scope.SEGMENT, "URI DURATION", quoted="URI BYTERANGE", float="DURATION", enum="INDEPENDENT GAP"
    ),
    "EXT-X-DATERANGE": _list(
        Scope.SEGMENT,
        "ID",
        quoted="ID CLASS START-DATE CUE END-DATE",
        float="DURATION PLANNED-DURATION",
        enum="END-ON-NEXT",
        hex="SCTE35-CMD SCTE35-OUT SCTE35-IN",
    ),
    "EXT-X-SKIP": _list(
        Scope.MEDIA, "SKIPPED-SEGMENTS", int="SKIPPED-SEGMENTS", quoted="RECENTLY-REMOVED-DATERANGES"
    ),
    "EXT-X-PRELOAD-HINT": _list(
        Scope.SEGMENT, "TYPE URI", enum="TYPE", quoted="URI", int="BYTERANGE-START BYTERANGE-LENGTH"
    ),
    "EXT-X-RENDITION-REPORT": _list(Scope.SEGMENT, "URI", quoted="URI", int="LAST-MSN LAST-PART"),
    "EXT-X-MEDIA": _list(
        Scope.MULTIVARIANT,
        "TYPE GROUP-ID NAME",
        enum="TYPE DEFAULT AUTOSELECT FORCED",
        quoted="URI GROUP-ID LANGUAGE ASSOC-LANGUAGE NAME STABLE-RENDITION-ID INSTREAM-ID CHARACTERISTICS CHANNELS",
        int="BIT-DEPTH SAMPLE-RATE",
    ),
    "EXT-X-STREAM-INF": _list(Scope.MULTIVARIANT, "BANDWIDTH", **_STREAM),
    "EXT-X-I-FRAME-STREAM-INF": _list(
        Scope.MULTIVARIANT, "BANDWIDTH URI", **(_STREAM | {"quoted": _STREAM["quoted"] + " URI"})
    ),
    "EXT-X-SESSION-DATA": _list(
        Scope.MULTIVARIANT, "DATA-ID", quoted="DATA-ID VALUE URI LANGUAGE", enum="FORMAT"
    ),
    "EXT-X-SESSION-KEY": _list(
        Scope.MULTIVARIANT, "METHOD", enum="METHOD", quoted="URI KEYFORMAT KEYFORMATVERSIONS", hex="IV"
    ),
    "EXT-X-CONTENT-STEERING": _list(Scope.MULTIVARIANT, "SERVER-URI", quoted="SERVER-URI PATHWAY-ID"),
}
"""By name, without the number sign. Tags that are not here are none of the specification's."""

ONCE = {"EXTM3U", "EXT-X-VERSION", "EXT-X-INDEPENDENT-SEGMENTS", "EXT-X-START", "EXT-X-CONTENT-STEERING"} | {
    name for name, tag in TAGS.items() if tag.scope is Scope.MEDIA
}
"""Tags that a playlist may have once (4.4.1, 4.4.2, 4.4.3, 4.4.5)."""
