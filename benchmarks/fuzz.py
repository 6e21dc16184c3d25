"""Fuzz the RTMP parsers with atheris, and keep count: `make fuzz MINUTES=10`.

Each target of `tests.fuzz.target` runs for so many minutes. Inputs that reach new code are kept in
`tests/fuzz/corpus`, as few and small as reach it all. `benchmarks/results/fuzz.json` adds up the inputs of all runs. An
input that breaks a promise is written to `.fuzz/`, and the status is 1.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.clip import RESULTS
from tests.fuzz.reduce import reduce
from tests.fuzz.seed import CORPUS, seeds
from tests.fuzz.target import MAX_INPUT_BYTES, TARGETS

WORK = Path(".fuzz")
RESULT = RESULTS / "fuzz.json"
GOAL_INPUTS = 10_000_000
MAX_MEMORY_MIB = 1024
"""Of a whole fuzzing process; the bounds of the parsers themselves are checked at each input."""
MAX_INPUT_S = 10
MAX_CORPUS_BYTES = 40_000
"""Of a target in the repository."""

_EXECUTED = re.compile(r"number_of_executed_units:\s*(\d+)")


@dataclass(frozen=True, slots=True)
class Run:
    """What came of fuzzing one target."""

    target: str
    inputs: int
    seconds: float
    has_failed: bool


def fuzz(target: str, seconds: float) -> Run:
    """Run a target for a while."""
    found, begin = WORK / target / "found", WORK / target / "seed"
    for folder in (found, begin, CORPUS / target):
        folder.mkdir(parents=True, exist_ok=True)
    for index, seed in enumerate(seeds(target)):
        (begin / f"{index:03d}").write_bytes(seed)
    options = [
        f"-max_total_time={seconds:.0f}",
        f"-max_len={MAX_INPUT_BYTES}",
        f"-rss_limit_mb={MAX_MEMORY_MIB}",
        f"-timeout={MAX_INPUT_S}",
        f"-artifact_prefix={WORK / target}/",
        "-print_final_stats=1",
    ]
    status, output = _run(target, seconds + 120, *options, str(found), str(begin), str(CORPUS / target))
    (WORK / target / "log").write_text(output)
    executed = _EXECUTED.search(output)
    return Run(target, int(executed[1]) if executed else 0, seconds, status != 0)


def _run(target: str, timeout_s: float, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "tests.fuzz.fuzzer", target, *arguments]
    process = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout_s, check=False
    )
    return process.returncode, process.stdout.decode(errors="replace")


def keep(target: str) -> None:
    """Make the corpus of a target anew out of the old one and what was found."""
    corpus = CORPUS / target
    folders = (corpus, WORK / target / "found")
    inputs = [path.read_bytes() for folder in folders for path in folder.iterdir()]
    kept = reduce(TARGETS[target], seeds(target), inputs)
    for path in corpus.iterdir():
        path.unlink()
    size = 0
    for data in kept:
        size += len(data)
        if size <= MAX_CORPUS_BYTES:
            (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


def record(runs: list[Run]) -> int:
    """Add runs to the count of all runs; return it."""
    report = json.loads(RESULT.read_text()) if RESULT.exists() else {"targets": {}}
    for run in runs:
        entry = report["targets"].setdefault(run.target, {"inputs": 0, "minutes": 0.0, "failures": 0})
        entry["inputs"] += run.inputs
        entry["minutes"] = round(entry["minutes"] + run.seconds / 60, 1)
        entry["failures"] += run.has_failed
    total: int = sum(entry["inputs"] for entry in report["targets"].values())
    report = {"goal": GOAL_INPUTS, "inputs": total, "targets": dict(sorted(report["targets"].items()))}
    RESULT.write_text(json.dumps(report, indent=2) + "\n")
    return total


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="targets at a time")
    parser.add_argument("targets", nargs="*", default=list(TARGETS), metavar="target")
    options = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        raise SystemExit("atheris is not there: it has wheels for Linux on x86-64 and Python 3.11 to 3.13")
    with ThreadPoolExecutor(options.jobs) as pool:
        runs = list(pool.map(lambda target: fuzz(target, options.minutes * 60), options.targets))
    total = record(runs)
    for run in runs:
        if not run.has_failed:
            keep(run.target)
        print(f"{run.target:10s} {run.inputs:9d} inputs", "FAILED, see .fuzz/" if run.has_failed else "")
    print(f"{total} inputs in all runs so far")
    return any(run.has_failed for run in runs)


if __name__ == "__main__":
    sys.exit(main())
