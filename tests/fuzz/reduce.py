"""The fewest and smallest inputs that reach what all of them reach."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

_ROOMS = ("/rtmp/", "/media/")


def reduce(target: Callable[[bytes], object], known: Iterable[bytes], inputs: Iterable[bytes]) -> list[bytes]:
    """Return those inputs, small ones first, that go from one line to another where no earlier or known one went."""
    reached: set[tuple[str, int, int]] = set()
    for data in known:
        reached |= _steps(target, data)
    kept = []
    for data in sorted(set(inputs), key=lambda data: (len(data), data)):
        steps = _steps(target, data)
        if not steps <= reached:
            reached |= steps
            kept.append(data)
    return kept


def _steps(target: Callable[[bytes], object], data: bytes) -> set[tuple[str, int, int]]:
    """Run a target; return the pairs of lines that followed each other, by file."""
    steps: set[tuple[str, int, int]] = set()

    def enter(frame: FrameType, _event: str, _argument: Any) -> Callable[..., Any] | None:
        name = frame.f_code.co_filename
        if "/tests/" in name or not any(room in name for room in _ROOMS):
            return None
        last = 0

        def follow(frame: FrameType, event: str, _argument: Any) -> Callable[..., Any]:
            nonlocal last
            if event == "line":
                steps.add((name, last, frame.f_lineno))
                last = frame.f_lineno
            return follow

        return follow

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        target(data)
    finally:
        sys.settrace(before)
    return steps
