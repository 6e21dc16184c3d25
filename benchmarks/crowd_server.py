"""The server, which also writes down when each part was published: `benchmarks.crowd` compares with that."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from hls.rendition import Rendition
from mediaserver.cli import main

_changed = Rendition.changed


def changed(rendition: Rendition) -> None:
    """Note the newest part, on the clock that all processes share."""
    if rendition.last is not None and LOG is not None:
        msn, part = rendition.last
        LOG.write(f"{rendition.name} {msn} {part} {time.monotonic():.6f}\n")
    _changed(rendition)


LOG = Path(os.environ["PUBLISHED"]).open("a", buffering=1) if "PUBLISHED" in os.environ else None  # noqa: SIM115
Rendition.changed = changed  # type: ignore[method-assign, assignment]

if __name__ == "__main__":
    main()
