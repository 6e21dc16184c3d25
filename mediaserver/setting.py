"""Kinds of settings: how each is read from text, and in which words a refusal says what is accepted."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, AnyUrl, BeforeValidator, Field, SecretStr, TypeAdapter
from pydantic_settings import NoDecode

from media.rendition import LADDER
from transcode.preference import HARDWARE_NAMES, SOFTWARE


class Accepts(str):
    """Mark of a kind: what is accepted, in words."""

    __slots__ = ()


def _words(value: object) -> object:
    """Split a list at its commas."""
    return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _off(value: object) -> object:
    return None if _lower(value) == "off" else value


def _keep(value: object) -> object:
    return None if _lower(value) == "keep" else value


def _rungs(value: object) -> object:
    names = _words(_lower(value))
    if not isinstance(names, tuple) or not names or not set(names) <= set(LADDER):
        raise ValueError("no rungs")
    return tuple(name for name in LADDER if name in names)


def _ladder(value: object) -> object:
    return word if (word := _lower(value)) in ("on_demand", "always") else _rungs(value)


def _encoders(value: object) -> object:
    """Read which hardware may be used, the preferred first; what stands behind x264 would never get its turn."""
    names = _words(_lower(value))
    if names == ("auto",):
        return HARDWARE_NAMES
    if not isinstance(names, tuple) or not names or not set(names) <= {*HARDWARE_NAMES, SOFTWARE}:
        raise ValueError("no such encoders")
    used = names[: names.index(SOFTWARE)] if SOFTWARE in names else names
    return tuple(dict.fromkeys(used))


def _address(*schemes: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        url = TypeAdapter(AnyUrl).validate_python(value) if value else None
        if url and (url.scheme not in schemes or not url.host or url.query or url.fragment):
            raise ValueError("no such address")
        return value

    return check


def _ip_addresses(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(ip_address(value)) for value in values)


def _secret_address(*schemes: str) -> Callable[[SecretStr], SecretStr]:
    def check(address: SecretStr) -> SecretStr:
        if (text := address.get_secret_value()) and text.partition("://")[0] not in schemes:
            raise ValueError("no such address")
        return address

    return check


def _grpc_address(value: str) -> str:
    if value:
        from control_api.user.graph_channel import parse_target  # noqa: PLC0415 gRPC takes long to load

        parse_target(value)
    return value


def _jwks_address(value: str) -> str:
    if value:
        from control_api.token.jwks import check_jwks_url  # noqa: PLC0415 likewise

        check_jwks_url(value)
    return value


def _long_enough(secret: SecretStr) -> SecretStr:
    if 0 < len(secret.get_secret_value()) < 8:
        raise ValueError("too short")
    return secret


_HOST = Field(pattern=r"^[A-Za-z0-9.:_-]+(%\w+)?$", max_length=253)
_HOST_NAME = Field(
    pattern=r"^(\*|(\*\.)?[A-Za-z0-9_-][A-Za-z0-9._-]*|[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)$"
)
_ICE_SERVER = r"^(stuns?:[\w.:\[\]-]+|turns?:[\w.:\[\]-]+(\?transport=(udp|tcp))?)$"
_LIST = (NoDecode, BeforeValidator(_words))
_DAY = Field(ge=0, le=86_400)

Port = Annotated[int, Field(ge=0, le=65_535), Accepts("a port from 0 to 65535; 0 is any free one")]
PortOrOff = Annotated[
    Annotated[int, Field(ge=0, le=65_535)] | None,
    BeforeValidator(_off),
    Accepts("off or a port from 0 to 65535; 0 is any free one"),
]
Host = Annotated[str, _HOST, Accepts("an IP address or a host name of this machine")]
HostName = Annotated[str, _HOST_NAME]
HostNames = Annotated[
    tuple[HostName, ...],
    *_LIST,
    Accepts("host names without ports, separated by commas; also * and *.example.org"),
]
IpAddresses = Annotated[
    tuple[str, ...], *_LIST, AfterValidator(_ip_addresses), Accepts("IP addresses, separated by commas")
]
IceServers = Annotated[
    tuple[Annotated[str, Field(pattern=_ICE_SERVER, max_length=300)], ...],
    *_LIST,
    Accepts("addresses such as stun:stun.example.org:3478 or turn:turn.example.org:3478?transport=udp"),
]
RtmpAddress = Annotated[
    str,
    AfterValidator(_address("rtmp", "rtmps")),
    Accepts("an address such as rtmp://stream.example.org/live"),
]
HttpAddress = Annotated[
    str,
    AfterValidator(_address("http", "https")),
    Accepts("an address such as https://cdn.example.org/hls, without ? and #"),
]
WebRtcAddress = Annotated[
    str,
    AfterValidator(_address("http", "https", "ws", "wss")),
    Accepts("an address such as https://stream.example.org/webrtc, without ? and #"),
]
Secret = Annotated[SecretStr, AfterValidator(_long_enough), Accepts("8 characters or more")]
DatabaseAddress = Annotated[
    SecretStr,
    AfterValidator(_secret_address("postgresql", "postgres")),
    Accepts("an address such as postgresql://user:password@host:5432/name"),
]
RedisAddress = Annotated[
    SecretStr,
    AfterValidator(_secret_address("redis", "rediss", "unix")),
    Accepts("an address such as redis://:password@host:6379/0, or rediss:// for TLS"),
]
GrpcAddress = Annotated[
    str, AfterValidator(_grpc_address), Accepts("host:port, grpc://host:port or grpcs://host:port for TLS")
]
JwksAddress = Annotated[
    str,
    AfterValidator(_jwks_address),
    Accepts("an address such as https://login.example.org/.well-known/jwks.json"),
]
Text = Annotated[str, Field(max_length=1000), Accepts("up to 1000 characters")]
Folder = Annotated[
    Path, AfterValidator(lambda path: path.expanduser().absolute()), Accepts("the path of a folder")
]
File = Annotated[
    Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())] | None,
    Accepts("the path of a file"),
]
Switch = Annotated[bool, Accepts("true or false")]
Count = Annotated[int, Field(ge=0, le=1_000_000_000), Accepts("a whole number from 0")]
SmallCount = Annotated[int, Field(ge=0, le=64), Accepts("a whole number from 0 to 64")]
Days = Annotated[int, Field(ge=0, le=36_500), Accepts("whole days from 0 to 36500; 0 is for ever")]
Delay = Annotated[float, _DAY, Accepts("seconds from 0 to 86400")]
Grace = Annotated[
    Annotated[float, _DAY] | None, BeforeValidator(_keep), Accepts("seconds from 0 to 86400, or keep")
]
SegmentLength = Annotated[float, Field(ge=0.5, le=30), Accepts("seconds from 0.5 to 30")]
PartLength = Annotated[float, Field(ge=0.1, le=5), Accepts("seconds from 0.1 to 5")]
TargetDuration = Annotated[int, Field(ge=1, le=60), Accepts("whole seconds from 1 to 60")]
Window = Annotated[float, Field(ge=0, le=604_800), Accepts("seconds from 0 to 604800")]
Gigabytes = Annotated[float, Field(ge=0.1, le=1_000_000), Accepts("gigabytes from 0.1 to 1000000")]
Ladder = Annotated[
    Literal["on_demand", "always"] | tuple[str, ...],
    NoDecode,
    BeforeValidator(_ladder),
    Accepts(f"on_demand, always, or rungs such as 1080p,480p (of {', '.join(LADDER)})"),
]
Encoders = Annotated[
    tuple[str, ...],
    NoDecode,
    BeforeValidator(_encoders),
    Accepts(f"auto, or encoders such as h264_nvenc,libx264 (of {', '.join((*HARDWARE_NAMES, SOFTWARE))})"),
]
VodLadder = Annotated[Literal["on_demand", "always"], BeforeValidator(_lower), Accepts("on_demand or always")]
LogFormat = Annotated[Literal["", "console", "json"], BeforeValidator(_lower), Accepts("console or json")]
LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"],
    BeforeValidator(_lower),
    Accepts("debug, info, warning or error"),
]
