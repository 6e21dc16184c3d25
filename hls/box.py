"""Boxes of the ISO base media file format (ISO/IEC 14496-12, 4.2)."""

from __future__ import annotations

import struct


def box(kind: bytes, *payload: bytes) -> bytes:
    """Build a box; `kind` is its four-character code."""
    size = 8 + sum(map(len, payload))
    return b"".join((struct.pack(">I4s", size, kind), *payload))


def full_box(kind: bytes, version: int, flags: int, *payload: bytes) -> bytes:
    """Build a box with version and flags."""
    return box(kind, struct.pack(">I", version << 24 | flags), *payload)
