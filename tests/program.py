"""Programs that tests run and that are not part of the project."""

from __future__ import annotations

import os
import shutil

import pytest


def need(program: str) -> str:
    """Find a program; where it is missing skip, but fail where everything has to be there."""
    path = shutil.which(program)
    if path is None:
        if os.environ.get("CI"):
            raise FileNotFoundError(f"{program} is needed for this test; scripts/system-packages installs it")
        pytest.skip(f"{program} is not installed")
    return path
