"""The machine-readable strip at the foot of the demo picture: which frame is this, and when was it drawn.

Layout: the lowest sixth of the picture, full width, is a grid of 3 rows and 32 columns of blocks, white = 1
and black = 0, read row by row from the left, most significant bit first::

    row 0   frame counter, 32 bits
    row 1   milliseconds since 1970-01-01 UTC, upper 32 of 48 bits
    row 2   its lower 16 bits, then CRC-16/XMODEM (`binascii.crc_hqx`, start 0) of the ten bytes before

A block is 8 x 8 pixels when the picture has been scaled to 256x144, so it survives every rung and every
bitrate of the ladder; the checksum says when it did not.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Luma = NDArray[np.uint8]
"""Height x width, one byte for each pixel."""

ROWS = 3
COLUMNS = 32
STRIP_HEIGHT = 6
"""The strip is the lowest 1/6 of the picture."""
BLACK, WHITE = 16, 235
"""Luma of limited range (ITU-R BT.709)."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the strip says."""

    frame: int
    """Frame counter, modulo 2^32."""
    time_ms: int
    """Milliseconds since 1970-01-01 UTC."""


def strip_top(height: int) -> int:
    """Return the first line of the strip in a picture of this height; even, for 4:2:0."""
    return (height - height // STRIP_HEIGHT) & ~1


def encode_strip(stamp: Stamp, width: int, height: int) -> Luma:
    """Draw the strip of a picture of this size: lines `strip_top` to the last."""
    lines = height - strip_top(height)
    bits = np.unpackbits(np.frombuffer(_pack(stamp), np.uint8)).reshape(ROWS, COLUMNS)
    rows = np.arange(lines) * ROWS // lines
    columns = np.arange(width) * COLUMNS // width
    blocks: Luma = np.where(bits, WHITE, BLACK).astype(np.uint8)
    return blocks[:, columns][rows]


def decode_strip(luma: Luma) -> Stamp | None:
    """Read the strip of a whole picture of any size; None when it cannot be read."""
    height = luma.shape[0]
    strip = luma[height - height // STRIP_HEIGHT :]
    return decode_levels(
        [_block_level(strip, row, column) for row in range(ROWS) for column in range(COLUMNS)]
    )


def decode_levels(levels: Sequence[float]) -> Stamp | None:
    """Read the strip from the brightness of its 96 blocks (0 to 255); None when the checksum is wrong."""
    bits = np.asarray(levels) > (BLACK + WHITE) / 2
    return _unpack(np.packbits(bits).tobytes())


def _block_level(strip: Luma, row: int, column: int) -> float:
    """Average the inner half of a block: its edges are blurred by scaling."""
    block_height, block_width = strip.shape[0] / ROWS, strip.shape[1] / COLUMNS
    y, x = row * block_height, column * block_width
    inner = strip[
        int(y + block_height / 4) : int(y + block_height * 3 / 4) + 1,
        int(x + block_width / 4) : int(x + block_width * 3 / 4) + 1,
    ]
    return float(inner.mean())


def _pack(stamp: Stamp) -> bytes:
    payload = (stamp.frame % 2**32).to_bytes(4, "big") + stamp.time_ms.to_bytes(6, "big")
    return payload + binascii.crc_hqx(payload, 0).to_bytes(2, "big")


def _unpack(data: bytes) -> Stamp | None:
    payload, checksum = data[:10], data[10:]
    if binascii.crc_hqx(payload, 0) != int.from_bytes(checksum, "big") or not any(payload):
        return None
    return Stamp(int.from_bytes(payload[:4], "big"), int.from_bytes(payload[4:], "big"))
