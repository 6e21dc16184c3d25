"""Application, stream key and query out of what encoders put into `connect` and `publish`.

Encoders split a server address in their own ways: OBS has a field for the key and sends the address as it
stands, FFmpeg takes the last part of the path for the key, hardware often has one field for all. So the key
may be empty and stand at the end of the application, and queries stand anywhere. Values are not
URL-encoded.

Two kinds of credentials come along and are left aside, since the stream key is the credential here: the fields
of Adobe's authentication (`?authmod=adobe&user=…`), which some encoders send without being asked, and librtmp's
options (`pubUser=… pubPasswd=…`, behind a space) pasted into the key field of an encoder that is not librtmp.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from rtmp.amf import AmfValue

_AUTHMOD_FIELDS = frozenset(
    {"authmod", "user", "nonce", "cnonce", "nc", "realm", "salt", "challenge", "opaque", "response"}
)
"""Of its two forms, `adobe` and `llnw`."""

MAX_ENCODER_NAME = 100
"""Characters; the longest seen is a version string of 60. It goes to the log and to the stream's owner."""


@dataclass(frozen=True, slots=True)
class ConnectAddress:
    """What `connect` says about where the peer wants to go."""

    app: str = ""
    query: str = ""
    encoder: str = ""


@dataclass(frozen=True, slots=True)
class PublishAddress:
    """Where a stream is published to."""

    app: str
    stream_key: str
    query: str


def read_connect(command_object: AmfValue) -> ConnectAddress:
    """Read the object of `connect`, an AMF object or array; whatever is missing stays empty."""
    members = command_object if isinstance(command_object, dict) else {}
    texts = {name.lower(): value for name, value in members.items() if isinstance(value, str)}
    app = texts.get("app", "")
    if not app.strip("/'\" "):
        app = _path_of(texts.get("tcurl", ""))
    app, _, query = app.strip("'\" ").partition("?")
    return ConnectAddress(app.strip("/"), _without_authmod(query), _encoder(texts))


def _encoder(texts: dict[str, str]) -> str:
    name = texts.get("flashver", "")
    return name[:MAX_ENCODER_NAME] if name.isprintable() else ""


def publish_address(connect: ConnectAddress, name: str) -> PublishAddress:
    """Combine what `connect` and `publish` said."""
    key, _, query = name.strip().partition("?")
    key = key.partition(" ")[0].strip("/")
    app = connect.app
    if not key:
        app, _, key = app.rpartition("/")
    return PublishAddress(
        app, key, "&".join(part for part in (connect.query, _without_authmod(query)) if part)
    )


def _without_authmod(query: str) -> str:
    fields = query.split("&")
    if not any(field.startswith("authmod=") for field in fields):
        return query
    return "&".join(field for field in fields if field.partition("=")[0] not in _AUTHMOD_FIELDS)


def _path_of(url: str) -> str:
    try:
        parts = urlsplit(url.strip("'\" "))
    except ValueError:
        return ""
    return parts.path.strip("/") + (f"?{parts.query}" if parts.query else "")
