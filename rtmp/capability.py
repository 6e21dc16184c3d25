"""What both ends of Enhanced RTMP can do: `connect` and its answer (E-RTMP v2, "Enhancing … connect Command")."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

from rtmp.amf import AmfValue


class CapsEx(enum.IntFlag):
    """Bits of `capsEx`."""

    RECONNECT = 1
    MULTITRACK = 2
    MOD_EX = 4
    TIMESTAMP_NANO_OFFSET = 8


class FourCcInfo(enum.IntFlag):
    """What can be done with a codec."""

    DECODE = 1
    ENCODE = 2
    FORWARD = 4


_VIDEO = {
    "avc1": FourCcInfo.DECODE | FourCcInfo.FORWARD,
    "hvc1": FourCcInfo.DECODE | FourCcInfo.FORWARD,
    "av01": FourCcInfo.DECODE | FourCcInfo.FORWARD,
    "vp09": FourCcInfo.DECODE,
}
_AUDIO = {
    "mp4a": FourCcInfo.DECODE | FourCcInfo.FORWARD,
    "Opus": FourCcInfo.DECODE,
    ".mp3": FourCcInfo.DECODE,
    "fLaC": FourCcInfo.DECODE,
    "ac-3": FourCcInfo.DECODE,
    "ec-3": FourCcInfo.DECODE,
}

_NAMES = ("fourCcList", "videoFourCcInfoMap", "audioFourCcInfoMap", "capsEx")


@dataclass(frozen=True, slots=True)
class ClientCapabilities:
    """What a client says of itself. Which codecs it names does not matter: it may send any that is served here."""

    is_enhanced: bool = False
    """Whether it speaks Enhanced RTMP, of any version."""
    caps_ex: int = 0
    """Bits of `CapsEx`."""


def read_capabilities(command_object: AmfValue) -> ClientCapabilities:
    """Read the object of `connect`; what makes no sense is taken for absent."""
    members = command_object if isinstance(command_object, dict) else {}
    number = members.get("capsEx")
    bits = int(number) if isinstance(number, float) and math.isfinite(number) else 0
    return ClientCapabilities(any(name in members for name in _NAMES), bits & sum(CapsEx))


def server_capabilities() -> dict[str, AmfValue]:
    """Say what this server takes, for the answer to `connect`."""
    return {
        "fourCcList": [*_VIDEO, *_AUDIO],
        "videoFourCcInfoMap": {name: float(info) for name, info in _VIDEO.items()},
        "audioFourCcInfoMap": {name: float(info) for name, info in _AUDIO.items()},
        "capsEx": float(sum(CapsEx)),
    }
