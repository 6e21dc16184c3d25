"""Break a running server as users, networks, attackers and machines would, and see what viewers lose.

    python benchmarks/chaos.py [--rounds 3] [--only NAME ...]

Each scenario runs a server of its own with real encoders, while an audience reads every playlist of the stream. Each
promises: no playlist fails, discontinuities are at the same numbers on every rendition, no media is missing, ffmpeg
decodes what was listed, the log has neither a traceback nor a stream key; and what its own words say. All of them take
about 25 minutes. Writes `benchmarks/results/chaos.json`; exit code 1 when a promise was broken. With `--only` some
scenarios run, and their results take the place of former ones.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks import chaos_clock, chaos_crowd, chaos_machine, chaos_network, chaos_publisher
from benchmarks.chaos_kill import measure_kills
from benchmarks.chaos_scene import play
from benchmarks.clip import RESULTS

SCENARIOS = {
    scenario.__name__: scenario
    for room in (chaos_publisher, chaos_network, chaos_crowd, chaos_machine, chaos_clock)
    for scenario in room.SCENARIOS
}


async def run_scenarios(names: list[str]) -> dict[str, dict[str, Any]]:
    """Run scenarios one after the other; a fault in one does not keep the next from running."""
    results: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as sources:
        for name in names:
            scenario = SCENARIOS[name]
            found = await play(scenario, Path(sources))
            results[name] = {"promise": scenario.__doc__} | found
            print(name, json.dumps(found), file=sys.stderr, flush=True)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=SCENARIOS, default=[])
    options = parser.parse_args()
    scenarios = asyncio.run(run_scenarios(options.only or list(SCENARIOS)))
    path = RESULTS / "chaos.json"
    result = json.loads(path.read_text()) if options.only and path.exists() else {}
    if not options.only:
        result = asyncio.run(measure_kills(options.rounds))
    result["scenarios"] = result.get("scenarios", {}) | scenarios
    RESULTS.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    if any(found["faults"] for found in scenarios.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
