"""Which node of a Redis cluster holds what. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import count
from typing import Any

from redis.crc import key_slot

Address = tuple[str, int]
"""Host and port."""

SLOTS = 16384


class SlotMap:
    """The masters of a cluster and their slots.

    Args:
        answer: of CLUSTER SLOTS.
        seed: the address of who has given it; it may not know its own host.
    """

    def __init__(self, answer: Sequence[Sequence[Any]], seed: Address) -> None:
        self._ranges: list[tuple[int, int, Address]] = sorted(
            (first, last, _address(master, seed)) for first, last, master, *_ in answer
        )
        self._firsts = [first for first, _, _ in self._ranges]

    @property
    def addresses(self) -> list[Address]:
        """List the masters, each once."""
        return list(dict.fromkeys(address for _, _, address in self._ranges))

    @property
    def is_whole(self) -> bool:
        """Tell whether each slot has a master."""
        return sum(last - first + 1 for first, last, _ in self._ranges) == SLOTS

    def address(self, key: str) -> Address:
        """Find who holds a key, or a channel of that name. The map has to be whole."""
        return self._ranges[bisect_right(self._firsts, key_slot(key.encode())) - 1][2]

    def key_of(self, address: Address, prefix: str) -> str:
        """Make up a key that a master holds."""
        return next(key for key in (f"{prefix}{n}" for n in count()) if self.address(key) == address)


def _address(master: Sequence[Any], seed: Address) -> Address:
    host = master[0].decode() if isinstance(master[0], bytes) else master[0]
    return (host if host and host != "?" else seed[0], int(master[1]))
