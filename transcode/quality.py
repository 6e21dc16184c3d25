"""How much encoding takes from a broadcast's pictures, as x264 measures it: PSNR of luma, over all of them.

x264 compares each picture with what went in while both are in the cache, for 2 % of what encoding costs. Decoding an
IDR picture now and then would cost half of that, and a decoder's memory for each rung, and judge few pictures, of the
best kind.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from media.packet import CLOCK_HZ

if TYPE_CHECKING:
    from av.packet import Packet

    from transcode.message import Quality

REPORT_TICKS = 2 * CLOCK_HZ
"""How often the server is told: once in a segment."""

MAX_PSNR_DB = 99.0
"""Of pictures without a difference; the real figure would be infinite."""

SMOOTHING = 0.25
"""Share of the newest report: a scene of a few seconds shows, a single hard cut does not."""

# AV_PKT_DATA_QUALITY_STATS: quality, type of picture, number of planes, reserved, squared error of the first plane.
_STATS = struct.Struct("<IBBHQ")


class QualityMeter:
    """Adds up the errors of a rung's pictures; on its encoder's thread alone."""

    def __init__(self, width: int, height: int) -> None:
        self._samples = width * height
        self._pictures = 0
        self._squared_error = 0

    def add(self, packet: Packet[Any]) -> None:
        """Take note of a picture; an encoder that measures nothing adds nothing."""
        if not packet.has_sidedata("quality_stats"):
            return
        stats = bytes(packet.get_sidedata("quality_stats"))
        if len(stats) < _STATS.size:
            return  # it says how coarse the picture is, not how wrong
        _, _, planes, _, squared_error = _STATS.unpack_from(stats)
        if planes:
            self._pictures += 1
            self._squared_error += squared_error

    def take(self) -> float | None:
        """Return the PSNR in dB of the pictures since the last call, None when there were none."""
        pictures, error = self._pictures, self._squared_error
        self._pictures = self._squared_error = 0
        if not pictures:
            return None
        if not error:
            return MAX_PSNR_DB
        return min(MAX_PSNR_DB, 10 * math.log10(255**2 * pictures * self._samples / error))


class QualityFigures:
    """What the reports of a broadcast's workers come to, by rung. Pure."""

    def __init__(self) -> None:
        self._rungs: dict[str, float] = {}

    @property
    def rungs(self) -> Mapping[str, float]:
        """PSNR of luma in dB, smoothed."""
        return dict(self._rungs)

    def add(self, report: Quality, wanted: Collection[str]) -> None:
        """Take a worker's report; of rungs that are not wanted any more it says nothing new."""
        for name, psnr_db in report.rungs:
            if name not in wanted:
                continue
            before = self._rungs.get(name, psnr_db)
            self._rungs[name] = before + SMOOTHING * (psnr_db - before)

    def forget(self, name: str) -> None:
        """Forget a rung that is encoded no more."""
        self._rungs.pop(name, None)
