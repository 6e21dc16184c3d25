"""A short run of each fuzz target, the same on every machine; `make fuzz` looks for new inputs."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from tests.fuzz.reduce import reduce
from tests.fuzz.seed import inputs, mutate, seeds
from tests.fuzz.session import play_session, play_tags
from tests.fuzz.target import TARGETS

MUTATIONS = 1500
PEAK_BYTES = 1 << 20
"""Above what was given: the opening, tables, and what parsers make on the way."""
PEAK_PER_BYTE = 200


@pytest.mark.parametrize("name", TARGETS)
def test_corpus_keeps_the_promises_and_memory_its_bound(name: str) -> None:
    target = TARGETS[name]
    everything = inputs(name)
    target(everything[0])
    tracemalloc.start()
    try:
        for data in everything:
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            target(data)
            peak = tracemalloc.get_traced_memory()[1] - before
            assert peak <= PEAK_BYTES + PEAK_PER_BYTE * len(data), data
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_inputs_keep_the_promises(name: str) -> None:
    source = random.Random(name)  # noqa: S311 repeatable, not secret
    known = inputs(name)
    for _ in range(MUTATIONS):
        data = mutate(source.choice(known), source.choice(known), source)
        try:
            TARGETS[name](data)
        except Exception as problem:
            problem.add_note(f"input: {data.hex()}")
            raise


def test_the_seeds_reach_media() -> None:
    assert play_tags(seeds("tag")[0]) == 3
    assert play_session(seeds("session")[0]) == 3


def test_an_input_that_adds_nothing_is_not_kept() -> None:
    number, boolean = bytes(9), b"\x01\x01"
    assert reduce(TARGETS["amf0"], [], [number, number + number, boolean]) == [boolean, number]
    assert reduce(TARGETS["amf0"], [number + number], [number]) == []
