"""The newest pictures that are kept for a slate, within bounds."""

from __future__ import annotations

from media.packet import Packet
from mediaserver.live.last_gop import MAX_BYTES, MAX_PACKETS, LastGop

from .scene import VIDEO


def picture(number: int, *, key: bool = False, data: bytes = b"x") -> Packet:
    return Packet(VIDEO, number, number, data, key)


def test_begins_with_the_last_keyframe() -> None:
    gop = LastGop()
    gop.receive(picture(0))
    assert gop.packets == []
    for number in range(1, 25):
        gop.receive(picture(number, key=number % 10 == 0))
    assert [packet.pts for packet in gop.packets] == [20, 21, 22, 23, 24]


def test_long_gop_is_its_keyframe_alone() -> None:
    gop = LastGop()
    gop.receive(picture(0, key=True))
    for number in range(1, 2 * MAX_PACKETS):
        gop.receive(picture(number))
    assert [packet.pts for packet in gop.packets] == [0]
    gop.receive(picture(1000, key=True))
    gop.receive(picture(1001))
    assert [packet.pts for packet in gop.packets] == [1000, 1001]


def test_heavy_gop_is_its_keyframe_alone() -> None:
    gop = LastGop()
    gop.receive(picture(0, key=True))
    for number in range(1, 10):
        gop.receive(picture(number, data=bytes(MAX_BYTES // 5)))
    assert [packet.pts for packet in gop.packets] == [0]
