"""Chooses the codec of a section: H.264 and Opus are what there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from .description import Codec
from .section import Section

ENCODINGS = {"video": "h264/90000", "audio": "opus/48000/2"}
"""What `a=rtpmap` has to say, in lower case, by kind of media."""

FEEDBACK = frozenset({"nack", "nack pli", "ccm fir", "goog-remb"})
"""What viewers may tell. Not `transport-cc`, which needs a number of its own in each packet of each viewer."""

_UNUSABLE = range(64, 96)
"""Payload types that look like RTCP on a shared port (RFC 5761, 4)."""

_FORMAT = re.compile(r"[0-9]{1,3}")
_PROFILE = re.compile(r"[0-9a-fA-F]{6}")
_PARAMETER = re.compile(r"[!-:<-~]{1,128}")

_CONSTRAINED = 0x40
"""constraint_set1_flag, which makes a baseline stream a constrained one."""


class _Choice(NamedTuple):
    """A payload type that would do; the smallest is the best."""

    mode_rank: int
    profile_rank: int
    position: int
    payload_type: int


def choose_codec(section: Section) -> Codec | None:
    """Choose the payload type that suits best; None when there is none that we could fill.

    A receiver says what it would take. All of them decode High where they say Baseline (OBS, MediaMTX and Janus
    count on it), so the first choice is what everybody has, constrained baseline, and the choice says nothing of
    the pictures, which are the same for all.
    """
    table = _Table(section)
    best = min(_choices(section.kind, table), default=None)
    if best is None:
        return None
    number = best.payload_type
    return Codec(
        name=ENCODINGS[section.kind].partition("/")[0],
        payload_type=number,
        fmtp=table.fmtp.get(number, ""),
        # A lost packet of sound is mended by what Opus puts into the next one.
        rtx_payload_type=_find_rtx(table, number) if section.kind == "video" else None,
        feedback=frozenset(_feedback(section, number)),
    )


def parse_fmtp(text: str) -> dict[str, str]:
    """Take parameters apart; names in lower case, what is malformed is left out."""
    found: dict[str, str] = {}
    for item in text.split(";"):
        name, _, value = item.strip().partition("=")
        if _PARAMETER.fullmatch(name) and (not value or _PARAMETER.fullmatch(value)):
            found.setdefault(name.lower(), value)
    return found


class _Table:
    """What a section says of its payload types."""

    def __init__(self, section: Section) -> None:
        self.numbers = tuple(dict.fromkeys(_payload_types(section)))
        self.encoding = {number: text.lower() for number, text in _by_number(section, "rtpmap").items()}
        self.fmtp = _by_number(section, "fmtp")


def _choices(kind: str, table: _Table) -> Iterator[_Choice]:
    encoding = ENCODINGS.get(kind)
    for position, number in enumerate(table.numbers):
        if encoding is None or table.encoding.get(number) != encoding:
            continue
        if kind == "audio":
            yield _Choice(0, 0, position, number)
            continue
        parameters = parse_fmtp(table.fmtp.get(number, ""))
        mode, profile = _mode_rank(parameters), _profile_rank(parameters)
        if mode is not None and profile is not None:
            yield _Choice(mode, profile, position, number)


def _mode_rank(parameters: dict[str, str]) -> int | None:
    # Without fragments (mode 0) a keyframe does not fit into packets. GStreamer's offers don't say any mode and
    # mean that they take all.
    return {"1": 0, None: 1}.get(parameters.get("packetization-mode"))


def _profile_rank(parameters: dict[str, str]) -> int | None:
    text = parameters.get("profile-level-id")
    if text is None:
        return 1
    if not _PROFILE.fullmatch(text):
        return None
    profile, constraints = int(text[:2], 16), int(text[2:4], 16)
    if profile == 0x42:
        return 0 if constraints & _CONSTRAINED else 1
    return {0x4D: 2, 0x64: 3}.get(profile, 4)


def _payload_types(section: Section) -> Iterator[int]:
    for item in section.formats:
        if _FORMAT.fullmatch(item) and int(item) < 128 and int(item) not in _UNUSABLE:
            yield int(item)


def _by_number(section: Section, name: str) -> dict[int, str]:
    found: dict[int, str] = {}
    for value in section.all(name):
        number, _, text = value.partition(" ")
        if _FORMAT.fullmatch(number):
            found.setdefault(int(number), text.strip())
    return found


def _find_rtx(table: _Table, number: int) -> int | None:
    for candidate in table.numbers:
        if not table.encoding.get(candidate, "").startswith("rtx/"):
            continue
        if parse_fmtp(table.fmtp.get(candidate, "")).get("apt") == str(number):
            return candidate
    return None


def _feedback(section: Section, number: int) -> Iterator[str]:
    for value in section.all("rtcp-fb"):
        key, _, text = value.partition(" ")
        kind = " ".join(text.split())
        if key in ("*", str(number)) and kind in FEEDBACK:
            yield kind
