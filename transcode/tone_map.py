"""HDR and wide colours into BT.709: a three-dimensional table, made once and looked up for every picture.

What a picture in PQ or HLG (ITU-R BT.2100) means in light, and which of its colours BT.709 has, is not linear.
libswscale would do it at twice the cost, and would cut off highlights. Here the picture is made small first, its R'G'B'
goes through the table at 16 bits, the only depth for which FFmpeg has vector code, and what comes out is BT.709.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from transcode.colour import BT709, BT2020, HLG, PQ
from transcode.filter import open_filter

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

RGB_FORMAT = "gbrp16le"


def needs_table(transfer: int, primaries: int) -> bool:
    """Tell whether a matrix is not enough to make a picture BT.709."""
    return transfer in (PQ, HLG) or primaries == BT2020


def tag_bt709(picture: VideoFrame) -> None:
    """Say that a picture's curve and primaries are those of BT.709."""
    picture.color_trc = picture.color_primaries = BT709


class ToneMap:
    """Looks up pictures of one size in `RGB_FORMAT`."""

    def __init__(self, transfer: int, primaries: int, width: int, height: int) -> None:
        from transcode.tone_curve import cube  # noqa: PLC0415 - who has no such source does without numpy

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "table.cube"
            path.write_text(cube(transfer, primaries))
            options = f"file={path}:interp=tetrahedral"
            self._graph = open_filter("lut3d", options, width, height, RGB_FORMAT)

    def apply(self, picture: VideoFrame) -> VideoFrame:
        """Return the picture in R'G'B' of BT.709."""
        self._graph.vpush(picture)
        mapped = self._graph.vpull()
        tag_bt709(mapped)
        return mapped
