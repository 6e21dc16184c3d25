"""The server, which sheds a rung and brings it back when its standard input says so: `shed 480p`, `restore 480p`.

What decides otherwise is the load of the machine, which no test can set; its decisions are passed over.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
from mediaserver.cli import main
from mediaserver.live import rungs
from mediaserver.live.ladder import Ladder

ORDER_BYTES = 1024


class ObedientLadder(Ladder):
    """A ladder that follows orders of standard input and no others."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options | {"admit": lambda _: True})
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), self._obey)

    def shed(self, name: str, *, at_once: bool = False) -> None:
        """Pass over what the load of this machine asks for."""

    def restore(self, name: str) -> None:
        """Likewise."""

    def _obey(self) -> None:
        data = os.read(sys.stdin.fileno(), ORDER_BYTES)
        if not data:
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        for line in data.decode().splitlines():
            order, name = line.split()
            if order == "shed":
                super().shed(name, at_once=True)
            else:
                super().restore(name)


if __name__ == "__main__":
    rungs.Ladder = ObedientLadder  # type: ignore[attr-defined]
    sys.exit(main())
