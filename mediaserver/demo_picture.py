"""The moving picture of the demo broadcast, drawn straight into 4:2:0 planes with numpy.

The background is drawn once. Each frame changes small regions only: the clock, the frame counter, a ball that
crosses the picture, a band of stripes that scrolls, a lamp that flashes with the beep, and the strip.
"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from mediaserver.demo_strip import BLACK, WHITE, Luma, Stamp, encode_strip, strip_top

FLASH_MS = 100
"""The lamp is lit and the beep sounds for this long at the start of each second of the wall clock."""

_GLYPHS = {
    "0": "0e11131519110e",
    "1": "040c040404040e",
    "2": "0e11010204081f",
    "3": "1f02040201110e",
    "4": "02060a121f0202",
    "5": "1f101e0101110e",
    "6": "0608101e11110e",
    "7": "1f010204080808",
    "8": "0e11110e11110e",
    "9": "0e11110f01020c",
    ":": "000c0c000c0c00",
    ".": "00000000000c0c",
    "-": "0000001f000000",
    " ": "00000000000000",
    "F": "1f10101e101010",
    "R": "1e11111e141211",
    "A": "0e11111f111111",
    "M": "111b1515111111",
    "E": "1f10101e10101f",
    "U": "1111111111110e",
    "T": "1f040404040404",
    "C": "0e11101010110e",
}
"""Letters of 5 x 7 dots: a byte for each line, the lowest five bits are the dots."""

_BARS = (
    (180, 128, 128),
    (162, 44, 142),
    (131, 156, 44),
    (112, 72, 58),
    (84, 184, 198),
    (65, 100, 212),
    (35, 212, 114),
)
"""Y, Cb, Cr of 75 % colour bars (ITU-R BT.709): grey, yellow, cyan, green, magenta, red, blue."""


class DemoPicture:
    """Draws frame after frame into one buffer.

    Args:
        width: in pixels, even, at least 64.
        height: in pixels, even, at least 64.
    """

    def __init__(self, width: int, height: int) -> None:
        self._width, self._height = width, height
        self._buffer = np.empty((height * 3 // 2, width), np.uint8)
        self._luma = self._buffer[:height]
        chroma = self._buffer[height:].reshape(2, height // 2, width // 2)
        self._blue, self._red = chroma[0], chroma[1]
        self._scale = max(1, min(width // 110, height // 40))
        self._glyphs = {letter: _glyph(dots, self._scale) for letter, dots in _GLYPHS.items()}
        self._background()
        self._ball = _Ball(self._luma[: self._track_height()])
        self._stripes = _stripes(width, max(2, height // 24))

    def draw(self, stamp: Stamp) -> NDArray[np.uint8]:
        """Draw a frame.

        Returns:
            The picture as yuv420p, (height * 3 / 2) x width bytes; the same buffer each time, so copy it
            before the next call.
        """
        self._ball.draw(stamp.frame)
        self._scroll(stamp.frame)
        now = datetime.fromtimestamp(stamp.time_ms // 1000, UTC)
        top = self._text_top()
        self._write(f"{now:%H:%M:%S}.{stamp.time_ms % 1000:03d} UTC", top)
        self._write(f"FRAME {stamp.frame % 10**8:08d}", top + 9 * self._scale)
        self._lamp(lit=stamp.time_ms % 1000 < FLASH_MS)
        self._luma[strip_top(self._height) :] = encode_strip(stamp, self._width, self._height)
        return self._buffer

    def _background(self) -> None:
        edges = [self._width * i // len(_BARS) & ~1 for i in range(len(_BARS))] + [self._width]
        for (luma, blue, red), left, right in zip(_BARS, edges, edges[1:], strict=False):
            self._luma[:, left:right] = luma
            self._blue[:, left // 2 : right // 2] = blue
            self._red[:, left // 2 : right // 2] = red
        box = self._text_top() - self._scale * 2 & ~1
        self._luma[box:] = BLACK
        self._blue[box // 2 :] = 128
        self._red[box // 2 :] = 128

    def _text_top(self) -> int:
        return strip_top(self._height) - 20 * self._scale

    def _track_height(self) -> int:
        return (self._text_top() - self._scale * 2 & ~1) - max(2, self._height // 24)

    def _write(self, text: str, top: int) -> None:
        advance = 6 * self._scale
        left = max(0, (self._width - advance * len(text)) // 2)
        for i, letter in enumerate(text):
            glyph = self._glyphs[letter]
            x = left + i * advance
            if x + glyph.shape[1] <= self._width:
                self._luma[top : top + glyph.shape[0], x : x + glyph.shape[1]] = glyph

    def _scroll(self, frame: int) -> None:
        top = self._track_height()
        lines, period = self._stripes.shape[0], self._stripes.shape[1] - self._width
        shift = frame * 4 % period
        self._luma[top : top + lines] = self._stripes[:, shift : shift + self._width]

    def _lamp(self, *, lit: bool) -> None:
        side = 7 * self._scale
        top = self._text_top()
        self._luma[top : top + side, self._scale : self._scale + side] = WHITE if lit else 48


class _Ball:
    """A disc that moves to and fro over the upper part of the picture; only its own region is redrawn."""

    def __init__(self, field: Luma) -> None:
        self._field = field
        self._clean = field.copy()
        self._size = max(4, field.shape[0] // 3)
        axis = np.arange(self._size) - (self._size - 1) / 2
        self._disc = np.hypot(axis[:, None], axis) <= self._size / 2
        self._last = (0, 0)

    def draw(self, frame: int) -> None:
        self._area(self._field)[:] = self._area(self._clean)
        span_y, span_x = self._field.shape[0] - self._size, self._field.shape[1] - self._size
        speed = max(1, self._field.shape[1] // 160)
        self._last = (_bounce(frame * speed * 2 // 3, span_y), _bounce(frame * speed, span_x))
        self._area(self._field)[self._disc] = WHITE

    def _area(self, picture: Luma) -> Luma:
        top, left = self._last
        return picture[top : top + self._size, left : left + self._size]


def _bounce(distance: int, span: int) -> int:
    """Fold an ever-growing distance to and fro over 0..span."""
    span = max(1, span)
    return span - abs(distance % (2 * span) - span)


def _glyph(dots: str, scale: int) -> Luma:
    """Draw a letter, seven lines of five dots, each dot `scale` pixels wide and high."""
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(dots), np.uint8)[:, None], axis=1)[:, 3:]
    dot = np.ones((scale, scale), np.uint8)
    return np.where(np.kron(bits, dot), WHITE, BLACK).astype(np.uint8)


def _stripes(width: int, lines: int) -> Luma:
    """Draw diagonal stripes, one period wider than the picture, so that a slice of it scrolls."""
    period = max(8, width // 16) & ~7
    phase = (np.arange(width + period) + np.arange(lines)[:, None]) % period
    return np.where(phase < period // 2, 60, 150).astype(np.uint8)
