"""How much memory an object holds."""

from __future__ import annotations

import gc
import sys
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

_SHARED = (type, ModuleType, FunctionType, BuiltinFunctionType)


def held_bytes(root: object) -> int:
    """Add up the sizes of all objects that can be reached, code and classes aside."""
    seen: set[int] = set()
    pending = [root]
    total = 0
    while pending:
        current = pending.pop()
        if id(current) in seen or isinstance(current, _SHARED):
            continue
        seen.add(id(current))
        total += sys.getsizeof(current)
        if not isinstance(current, MethodType) or current.__self__ is not None:
            pending.extend(gc.get_referents(current))
    return total
