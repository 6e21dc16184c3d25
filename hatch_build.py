"""Builds what is faster in C, when the package is built or installed. Nothing is missing where there is no compiler.

python hatch_build.py   builds it in place; `make setup` does that too.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = "webrtc/rtp/fanout.c"
LIBRARY = "webrtc/rtp/libfanout.so"
FLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC")
TIMEOUT_S = 60


class NativeBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # its configuration has no type of its own
    """Puts the library into the wheel, which then is one for this platform."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build; an editable installation finds the library where it was built."""
        if self.target_name == "wheel" and build(Path(self.root)) and version != "editable":
            build_data["artifacts"].append(LIBRARY)
            build_data["pure_python"] = False
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data["tag"] = f"py3-none-{platform}"


def build(root: Path, library: Path | None = None) -> bool:
    """Build the library; return whether it is there. A compiler that is missing or fails is a message, no error."""
    library = library or root / LIBRARY
    compiler = shlex.split(os.environ.get("CC", "")) or [shutil.which("cc") or shutil.which("gcc") or ""]
    unfinished = library.with_suffix(f".{os.getpid()}")
    command = [*compiler, *FLAGS, "-o", str(unfinished), str(root / SOURCE)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT_S)  # noqa: S603  # our own words
        unfinished.replace(library)
    except (OSError, subprocess.SubprocessError) as problem:
        unfinished.unlink(missing_ok=True)
        reason = getattr(problem, "stderr", None) or str(problem).encode()
        sys.stderr.write(
            f"The native fan-out was not built, Python does its work: {reason.decode(errors='replace')}\n"
        )
        return False
    return True


if __name__ == "__main__":
    build(Path(__file__).parent)
