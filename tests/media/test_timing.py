from __future__ import annotations

from itertools import accumulate, pairwise

import pytest

from media.timing import TimestampUnwrapper

STEPS = [40, 40, 23, -17, 40, 5000, -200, 40]


@pytest.mark.parametrize("bits", [31, 32])
@pytest.mark.parametrize("before", [0, 20, 100, 2000])
def test_steps_stay_what_they_are_over_a_roll_over(bits: int, before: int) -> None:
    times = list(accumulate(STEPS, initial=(1 << bits) - before))
    unwrapper = TimestampUnwrapper()
    unwrapped = [unwrapper.unwrap(time % (1 << bits)) for time in times]
    assert [b - a for a, b in pairwise(unwrapped)] == STEPS


def test_sound_and_picture_roll_over_one_after_the_other() -> None:
    unwrapper = TimestampUnwrapper()
    last = (1 << 31) - 10
    unwrapped = [unwrapper.unwrap(time) for time in (last, 5, last + 2, 12, 30)]
    assert [time - unwrapped[0] for time in unwrapped] == [0, 15, 2, 22, 40]


@pytest.mark.parametrize("jump", [3_600_000, -3_600_000, 86_400_000, 10_000, -10_000])
def test_jumps_stay_jumps(jump: int) -> None:
    unwrapper = TimestampUnwrapper()
    first = unwrapper.unwrap(100_000_000)
    assert unwrapper.unwrap(100_000_000 + jump) == first + jump
