"""One target under atheris, guided by coverage: `python -m tests.fuzz.fuzzer <target> [libFuzzer's arguments]`."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["rtmp", "media"]):
    from tests.fuzz.target import TARGETS


def main() -> None:
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
