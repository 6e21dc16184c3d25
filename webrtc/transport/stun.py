"""Connectivity checks as they are on the wire (RFC 8489, RFC 8445 section 7), over aioice's codec."""

from __future__ import annotations

import struct

from aioice import stun

from media.error import PeerError

MAX_REQUEST_BYTES = 548
"""A request that is longer is none: those of browsers have about 100 bytes, and the longest names fit."""
_HEADER = struct.Struct("!HHI")
_ATTRIBUTE = struct.Struct("!HH")
_HEADER_BYTES = 20
_BINDING_REQUEST = 0x0001
_MAGIC_COOKIE = 0x2112A442
_USERNAME = 0x0006
_MAX_ATTRIBUTES = 24
"""Browsers send about ten."""
_ROLE_CONFLICT = (487, "Role Conflict")


def find_username(data: bytes) -> tuple[str, str] | None:
    """Look up whom a Binding request is for, before anything is computed for it.

    Returns:
        The user fragments of this side and of the peer; None when this is no Binding request with both.
    """
    if not _HEADER_BYTES <= len(data) <= MAX_REQUEST_BYTES:
        return None
    kind, length, cookie = _HEADER.unpack_from(data)
    if (
        kind != _BINDING_REQUEST
        or cookie != _MAGIC_COOKIE
        or length != len(data) - _HEADER_BYTES
        or length % 4
    ):
        return None
    position = _HEADER_BYTES
    for _ in range(_MAX_ATTRIBUTES):
        if position >= len(data):
            return None
        attribute, size = _ATTRIBUTE.unpack_from(data, position)
        position += 4
        if attribute == _USERNAME:
            local, colon, remote = data[position : position + size].decode("ascii", "replace").partition(":")
            return (local, remote) if colon else None
        position += size + (-size % 4)
    return None


def parse_request(data: bytes) -> stun.Message:
    """Parse a Binding request.

    Attributes that are not known are passed over, also those below 0x8000, which a strict agent would refuse (420).

    Raises:
        PeerError: it is malformed, or lacks what ICE asks for (RFC 8445, 7.1): USERNAME, MESSAGE-INTEGRITY and
            FINGERPRINT.
    """
    try:
        message = stun.parse_message(data)
    except (ValueError, struct.error) as problem:
        raise PeerError(f"STUN: {problem}") from problem
    if not {"USERNAME", "MESSAGE-INTEGRITY", "FINGERPRINT"} <= message.attributes.keys():
        raise PeerError("STUN: a request without credentials")
    return message


def write_success(request: stun.Message, address: tuple[str, int], password: str) -> bytes:
    """Answer a request that is all right.

    Args:
        request: what was asked.
        address: host and port that it came from.
        password: of this side.
    """
    return _write(request, stun.Class.RESPONSE, "XOR-MAPPED-ADDRESS", address, password)


def write_role_conflict(request: stun.Message, password: str) -> bytes:
    """Tell a peer that takes itself for the controlled one to control (RFC 8445, 7.3.1.1)."""
    return _write(request, stun.Class.ERROR, "ERROR-CODE", _ROLE_CONFLICT, password)


def _write(request: stun.Message, kind: stun.Class, attribute: str, value: object, password: str) -> bytes:
    answer = stun.Message(stun.Method.BINDING, kind, request.transaction_id, {attribute: value})
    answer.add_message_integrity(password.encode())
    return bytes(answer)
