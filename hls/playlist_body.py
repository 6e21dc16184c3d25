"""A playlist as bytes: rendered once and compressed at most once, for everyone who asks."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from functools import cached_property

LEVEL = 6

_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""Deflate, no name, no time, unknown system (RFC 1952, 2.3)."""


class Stretch:
    """A piece of text that many playlists have in common, compressed once.

    It is compressed by itself and ends on a byte, so playlists are put together from pieces and nothing is compressed
    again: two hours of segments, on every quality, twice a second would keep a core busy.
    """

    def __init__(self, plain: bytes) -> None:
        self.plain = plain

    @cached_property
    def deflated(self) -> bytes:
        """The compressed text without head and end (RFC 1951); what follows does not refer to it."""
        return _deflate(self.plain, zlib.Z_FULL_FLUSH)


class PlaylistBody:
    """A playlist.

    Args:
        head: its first lines.
        past: what comes next, in pieces.
        tail: its last lines.
    """

    def __init__(self, head: str, past: Sequence[Stretch] = (), tail: str = "") -> None:
        self.heads: dict[object, bytes] = {}
        """What goes before it over HTTP, by what that depends on; kept here since it lives as long."""
        self._past = past
        self._head, self._tail = head.encode(), tail.encode()

    @cached_property
    def plain(self) -> bytes:
        """The text."""
        return b"".join([self._head, *(stretch.plain for stretch in self._past), self._tail])

    @cached_property
    def gzipped(self) -> bytes:
        """The compressed text."""
        if not self._past:
            pieces = [_deflate(self.plain, zlib.Z_FINISH)]
        else:
            pieces = [_deflate(self._head, zlib.Z_FULL_FLUSH), *(stretch.deflated for stretch in self._past)]
            pieces.append(_deflate(self._tail, zlib.Z_FINISH))
        end = struct.pack("<II", zlib.crc32(self.plain), len(self.plain) & 0xFFFFFFFF)
        return b"".join([_GZIP_HEAD, *pieces, end])


def _deflate(data: bytes, flush: int) -> bytes:
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush(flush)
