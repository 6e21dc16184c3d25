"""Why a quality is not made, or made with less effort, in words for the streamer. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from transcode.governed import BroadcastLoad
from transcode.survey import Survey


def reasons(survey: Survey, capacity: float) -> Mapping[str, str]:
    """Say for each broadcast that lacks something what it lacks and why."""
    found = {}
    for load in survey.loads:
        shed = [rung.name for rung in load.rungs if rung.is_shed]
        cheap = [rung.name for rung in load.rungs if not rung.is_shed and rung.preset != rung.presets[-1]]
        if shed:
            verb = "is" if len(shed) == 1 else "are"
            found[load.id] = f"{_list(shed)} {verb} not made at the moment: {_why(load, survey, capacity)}."
        elif cheap:
            verb = "is" if len(cheap) == 1 else "are"
            found[load.id] = f"{_list(cheap)} {verb} made with less effort: {_why(load, survey, capacity)}."
    return found


def _why(load: BroadcastLoad, survey: Survey, capacity: float) -> str:
    if survey.is_strained(load):
        return (
            f"this source takes more than one processor core can do in time ({load.lag_s:.1f} s behind live)"
        )
    figures = f"{survey.use:.1f} of {capacity:.1f} processor cores taken by all broadcasts"
    return f"the machine is busy ({load.lag_s:.1f} s behind live, {figures})"


def _list(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
