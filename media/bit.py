"""Reading of bit fields, most significant bit first, as the parameter sets of all codecs here are written."""

from __future__ import annotations

from media.error import PeerError

MAX_EXP_GOLOMB_ZEROS = 32
"""Leading zeros of the longest Exp-Golomb code: no syntax element is wider than 32 bits (H.264, 9.1)."""


class BitReader:
    """A cursor over bits. Reading past the end raises `PeerError`: the sender cut its message short."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self._end = len(data) * 8

    @property
    def remaining(self) -> int:
        """Bits not read yet."""
        return self._end - self._position

    def read(self, bits: int) -> int:
        """Read an unsigned integer of `bits` bits."""
        start, end = self._position, self._position + bits
        if end > self._end:
            raise PeerError(f"codec configuration is cut short: {bits} bits wanted, {self.remaining} left")
        self._position = end
        chunk = int.from_bytes(self._data[start >> 3 : (end + 7) >> 3], "big")
        return (chunk >> (-end & 7)) & ((1 << bits) - 1)

    def read_flag(self) -> bool:
        """Read one bit."""
        return self.read(1) == 1

    def read_ue(self) -> int:
        """Read an unsigned Exp-Golomb code, ue(v) (H.264, 9.1)."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > MAX_EXP_GOLOMB_ZEROS:
                raise PeerError("codec configuration holds an Exp-Golomb code of more than 32 bits")
        return (1 << zeros) - 1 + self.read(zeros)

    def read_se(self) -> int:
        """Read a signed Exp-Golomb code, se(v) (H.264, 9.1.1)."""
        code = self.read_ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)

    def skip(self, bits: int) -> None:
        """Pass over `bits` bits."""
        if bits > self.remaining:
            raise PeerError(f"codec configuration is cut short: {bits} bits wanted, {self.remaining} left")
        self._position += bits
