"""Heads of WebSocket frames, before they are read: what RFC 6455 forbids and the framework lets pass. Pure."""

from __future__ import annotations

CONTINUATION, CLOSE = 0, 8
MASKED = 0x80
SHORT_LENGTHS = {126: 2, 127: 8}
"""Bytes of the length proper, by what stands for it."""
MASK_SIZE = 4
CODE_SIZE = 2
RESERVED_CODES = frozenset({1004, 1005, 1006, 1015})


class FrameGuard:
    """Follows the frames of one client, wherever they are cut."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._left = 0
        """Bytes of a payload that are still to come."""
        self._is_fragmented = False

    def receive_data(self, data: bytes) -> tuple[int, str]:
        """Take what a client sends.

        Returns:
            How many bytes may be read, and what is wrong with the frame behind them; empty when nothing is.
        """
        place = begin = 0
        while place < len(data):
            if self._left:
                skipped = min(self._left, len(data) - place)
                self._left -= skipped
                place += skipped
                continue
            if not self._head:
                begin = place
            taken = data[place : place + self._wanted() - len(self._head)]
            self._head += taken
            place += len(taken)
            if len(self._head) < self._wanted():
                continue
            if fault := self._fault():
                return begin, fault
            self._left = self._size() - self._peeked()
            self._head.clear()
        return place, ""

    def _wanted(self) -> int:
        """How long the head is, as far as that is known, and with it the code of a close."""
        if len(self._head) < 2:
            return 2
        more = SHORT_LENGTHS.get(self._head[1] & 0x7F, 0)
        mask = MASK_SIZE if self._head[1] & MASKED else 0
        return 2 + more + mask + self._peeked()

    def _peeked(self) -> int:
        """How much of the payload is looked at."""
        is_close = self._head[0] & 0x0F == CLOSE
        return CODE_SIZE if is_close and CODE_SIZE <= self._head[1] & 0x7F < min(SHORT_LENGTHS) else 0

    def _size(self) -> int:
        short = self._head[1] & 0x7F
        more = SHORT_LENGTHS.get(short, 0)
        return int.from_bytes(self._head[2 : 2 + more], "big") if more else short

    def _fault(self) -> str:
        opcode, is_last = self._head[0] & 0x0F, bool(self._head[0] & 0x80)
        if not self._head[1] & MASKED:
            return "frames of clients are masked"
        if opcode < CLOSE:
            if opcode != CONTINUATION and self._is_fragmented:
                return "a message begins within another one"
            self._is_fragmented = not is_last
        elif self._peeked() and self._code() in RESERVED_CODES:
            return "this close code is never sent"
        return ""

    def _code(self) -> int:
        mask, code = self._head[-MASK_SIZE - CODE_SIZE : -CODE_SIZE], self._head[-CODE_SIZE:]
        return (code[0] ^ mask[0]) << 8 | code[1] ^ mask[1]
