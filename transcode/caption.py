"""Words on a picture: how large, in which lines. The font comes with Pillow."""

from __future__ import annotations

from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

MAX_CAPTION = 200
"""Characters; more than a sentence nobody reads on a telephone."""

RELATIVE_SIZE = 0.065
"""Of the shorter side: what subtitles have."""

MIN_SIZE_PX = 15
"""Below that the letters run together: at 144p the words are larger, compared with the picture."""

MAX_WIDTH = 0.88
MAX_HEIGHT = 0.8
"""Of the picture; words that take more are set smaller."""

SHRINK = 0.85
SMALLEST_PX = 6
OUTLINE = 0.09
"""Width of the dark outline, of the font's size."""


class Caption(NamedTuple):
    """Masks of the picture's size: how much of the words, and of them with their outline, each sample carries."""

    words: Image.Image
    outlined: Image.Image


def draw_caption(text: str, width: int, height: int) -> Caption:
    """Set a text in the middle of a picture, broken into lines that fit."""
    words = "".join(letter if letter.isprintable() else " " for letter in text[:MAX_CAPTION]).split()
    size = float(max(MIN_SIZE_PX, round(min(width, height) * RELATIVE_SIZE)))
    lines, font = _lines(words, width, size)
    while size > SMALLEST_PX and not _fits(lines, font, width, height):
        size *= SHRINK
        lines, font = _lines(words, width, size)
    stroke = max(1, round(size * OUTLINE))
    return Caption(
        _mask("\n".join(lines), font, width, height, 0), _mask("\n".join(lines), font, width, height, stroke)
    )


def _lines(words: list[str], width: int, size: float) -> tuple[list[str], ImageFont.FreeTypeFont]:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # noqa: S101 - with a size it is; wheels of Pillow have FreeType
    lines: list[str] = []
    for word in words:
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width * MAX_WIDTH:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines, font


def _fits(lines: list[str], font: ImageFont.FreeTypeFont, width: int, height: int) -> bool:
    ascent, descent = font.getmetrics()
    widest = max((font.getlength(line) for line in lines), default=0)
    return widest <= width * MAX_WIDTH and len(lines) * (ascent + descent) <= height * MAX_HEIGHT


def _mask(text: str, font: ImageFont.FreeTypeFont, width: int, height: int, stroke: int) -> Image.Image:
    mask = Image.new("L", (width, height))
    ImageDraw.Draw(mask).multiline_text(
        (width / 2, height / 2), text, 255, font, anchor="mm", align="center", stroke_width=stroke
    )
    return mask
