from __future__ import annotations

import pytest

from media.bit import BitReader
from media.error import PeerError


def bits(text: str) -> BitReader:
    text = text.replace(" ", "")
    text += "0" * (-len(text) % 8)
    return BitReader(int(text, 2).to_bytes(len(text) // 8, "big"))


def test_reads_fields_across_bytes() -> None:
    reader = BitReader(b"\xa5\x0f\xf0")
    assert [reader.read(3), reader.read(9), reader.read(0), reader.read(12)] == [0b101, 0x50, 0, 0xFF0]
    assert reader.remaining == 0


@pytest.mark.parametrize(
    ("code", "unsigned", "signed"),
    [("1", 0, 0), ("010", 1, 1), ("011", 2, -1), ("00100", 3, 2), ("00111", 6, -3), ("0001000", 7, 4)],
)
def test_exp_golomb_codes(code: str, unsigned: int, signed: int) -> None:
    assert bits(code).read_ue() == unsigned
    assert bits(code).read_se() == signed


def test_longest_exp_golomb_code() -> None:
    assert bits("0" * 32 + "1" + "0" * 32).read_ue() == 2**32 - 1


def test_reading_past_the_end_is_the_peers_error() -> None:
    reader = BitReader(b"\x00")
    reader.skip(8)
    for read in (
        lambda: reader.read(1),
        lambda: reader.skip(1),
        reader.read_flag,
        BitReader(bytes(9)).read_ue,
    ):
        with pytest.raises(PeerError):
            read()
