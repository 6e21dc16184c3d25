"""What a colour of HDR becomes in BT.709. Pure; needs numpy, which only a worker with such a source loads."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from transcode.colour import BT2020, HLG, PQ

Light = NDArray[np.float64]
"""Values of R, G, B in the last dimension."""

TABLE_SIZE = 33
"""Steps on each axis, even in the signal, which follows what the eye tells apart; between them is interpolated."""

PEAK_NITS = 1000.0
"""Brightest that is told apart, cd/m²: what screens for HDR are made for. A live stream seldom says."""

WHITE_NITS = 203.0
"""What HDR shows diffuse white with (ITU-R BT.2408, 2.2), and so the brightness that becomes SDR's full signal: faces
keep their place, highlights above are rolled off, white itself comes out at 91 %."""

_BT2020_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
)
"""ITU-R BT.2087, annex 1, in linear light."""

_BT2020_LUMA = np.array([0.2627, 0.6780, 0.0593])

SDR_GAMMA = 2.4
"""ITU-R BT.1886."""


def to_bt709(signal: Light, transfer: int, primaries: int) -> Light:
    """Convert R'G'B' values from 0 to 1."""
    if transfer == PQ:
        light = _roll_off(_pq_to_nits(signal)) / WHITE_NITS
    elif transfer == HLG:
        light = _roll_off(_hlg_to_nits(signal)) / WHITE_NITS
    else:
        light = signal**SDR_GAMMA
    if primaries == BT2020:
        light = light @ _BT2020_TO_BT709.T
    mapped: Light = np.clip(light, 0, 1) ** (1 / SDR_GAMMA)
    return mapped


def cube(transfer: int, primaries: int) -> str:
    """Write the table as Adobe's .cube format has it."""
    axis = np.linspace(0, 1, TABLE_SIZE)
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")  # red changes fastest
    values = to_bt709(np.stack([red, green, blue], axis=-1).reshape(-1, 3), transfer, primaries)
    lines = "\n".join(f"{r:.5f} {g:.5f} {b:.5f}" for r, g, b in values.tolist())
    return f"LUT_3D_SIZE {TABLE_SIZE}\n{lines}\n"


# ITU-R BT.2100, table 4.
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32


def _pq_to_nits(signal: Light) -> Light:
    power = signal ** (1 / _M2)
    nits: Light = 10_000 * (np.maximum(power - _C1, 0) / (_C2 - _C3 * power)) ** (1 / _M1)
    return nits


def _nits_to_pq(nits: Light) -> Light:
    power = (nits / 10_000) ** _M1
    signal: Light = ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2
    return signal


# ITU-R BT.2100, table 5; the system gamma of a screen of 1000 cd/m² is 1.2.
_A, _B, _C = 0.17883277, 0.28466892, 0.55991073


def _hlg_to_nits(signal: Light) -> Light:
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - _C) / _A) + _B) / 12)
    luma = scene @ _BT2020_LUMA
    nits: Light = PEAK_NITS * scene * luma[..., None] ** 0.2
    return nits


def _roll_off(nits: Light) -> Light:
    """Bring `PEAK_NITS` down to `WHITE_NITS` by the curve of ITU-R BT.2390 (5.4.1), the hue kept."""
    peak, white = _nits_to_pq(np.array([PEAK_NITS, WHITE_NITS]))
    brightest = np.maximum(nits.max(axis=-1, keepdims=True), 1e-6)
    level = np.minimum(_nits_to_pq(brightest) / peak, 1)
    top = white / peak
    knee = 1.5 * top - 0.5
    t = np.maximum(level - knee, 0) / (1 - knee)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * top
    )
    mapped = _pq_to_nits(np.where(level < knee, level, spline) * peak)
    rolled: Light = nits * (mapped / brightest)
    return rolled
