"""What a broadcast wants encoded, said in a way that can be said again to another worker. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from transcode.backlog import NOTHING_DELIVERED
from transcode.message import (
    MAX_FORMER,
    Activate,
    ActivateAudio,
    Deactivate,
    DeactivateAudio,
    EncodedAudio,
    ForceKeyframe,
    Message,
)
from transcode.rung import RungSpec

MAX_PLACED = 64
"""Source packets whose places are kept: more than a second, and a successor begins with the last fifth of one."""


class Wanted:
    """Rungs, audio outputs and IDR pictures on order; each change is also a message for the present worker."""

    def __init__(self) -> None:
        self._rungs: dict[
            str, list[Activate]
        ] = {}  # the last one is in force, or will be behind those before it
        self._outputs: dict[str, int] = {}  # the first pts that has not been delivered
        self._placed: dict[
            str, deque[tuple[int, int]]
        ] = {}  # source packets by output, as `ActivateAudio` has them
        self._keyframes: list[ForceKeyframe] = []
        self._waiting: set[str] = set()  # rungs whose first frame has not come

    @property
    def is_anything(self) -> bool:
        """Whether a worker is needed."""
        return bool(self._rungs or self._outputs)

    @property
    def rungs(self) -> tuple[str, ...]:
        """Names of the active rungs."""
        return tuple(self._rungs)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the active audio outputs."""
        return tuple(self._outputs)

    @property
    def audio_pts(self) -> int:
        """Every audio output has delivered what lies before this."""
        return min(self._outputs.values(), default=NOTHING_DELIVERED)

    def start_of(self, name: str) -> int:
        """Tell where the activation begins that the next frame of an active rung belongs to."""
        return self._rungs[name][0].from_pts

    @property
    def first_pts(self) -> int:
        """Where the rung begins that has been wanted longest; one has to be active."""
        return min(actives[0].from_pts for actives in self._rungs.values())

    def activate(self, spec: RungSpec, from_pts: int) -> Message:
        """Want a rung, or want it to be another one from `from_pts` on."""
        if spec.name not in self._rungs:
            self._waiting.add(spec.name)
        earlier = [active for active in self._rungs.get(spec.name, ()) if active.from_pts < from_pts]
        self._rungs[spec.name] = [*earlier[-MAX_FORMER:], Activate(spec, from_pts)]
        return self._rungs[spec.name][-1]

    def deactivate(self, name: str) -> Message:
        """Want a rung no more; it has to be active."""
        del self._rungs[name]
        self._waiting.discard(name)
        return Deactivate(name)

    def activate_audio(self, output: str) -> Message:
        """Want an audio output."""
        self._outputs[output] = NOTHING_DELIVERED
        self._placed[output] = deque(maxlen=MAX_PLACED)
        return ActivateAudio(output, NOTHING_DELIVERED)

    def deactivate_audio(self, output: str) -> Message:
        """Want an audio output no more; it has to be active."""
        del self._outputs[output]
        return DeactivateAudio(output)

    def force_keyframe(self, pts: int, rung: str | None) -> Message:
        """Order an IDR picture."""
        self._keyframes.append(ForceKeyframe(pts, rung))
        return self._keyframes[-1]

    def take_frame(self, name: str, pts: int, is_keyframe: bool) -> bool:
        """Tell whether a frame of a rung is wanted: none of an activation before this one is."""
        if name not in self._rungs:
            return False
        if name in self._waiting:
            if not is_keyframe or pts < self._rungs[name][0].from_pts:
                return False
            self._waiting.discard(name)
        self._rungs[name] = _from(self._rungs[name], pts)
        return True

    def forget_keyframes(self, delivered_pts: int) -> None:
        """Forget ordered IDR pictures that have been delivered."""
        if self._keyframes and self._keyframes[0].pts <= delivered_pts:
            self._keyframes = [order for order in self._keyframes if order.pts > delivered_pts]

    def take_audio(self, packet: EncodedAudio) -> bool:
        """Note a delivered audio packet; False when it is not wanted or was there before."""
        output, pts = packet.output, packet.pts
        if output not in self._outputs or pts < self._outputs[output]:
            return False
        self._outputs[output] = pts + 1
        placed = (packet.source_pts, packet.source_position)
        if placed not in self._placed[output]:
            self._placed[output].append(placed)
        return True

    def resume(self, delivered_pts: int) -> Iterator[Message]:
        """Say everything again: each rung goes on behind the last delivered frame, with an IDR."""
        for actives in self._rungs.values():
            for active in _from(actives, delivered_pts + 1):
                yield Activate(active.spec, max(active.from_pts, delivered_pts + 1))
        for output, from_pts in self._outputs.items():
            yield ActivateAudio(output, from_pts, tuple(self._placed[output]))
        yield from self._keyframes


def _from(actives: list[Activate], pts: int) -> list[Activate]:
    """Leave out what another activation of the same rung has replaced at `pts` or before."""
    first = max((index for index, active in enumerate(actives) if active.from_pts <= pts), default=0)
    return actives[first:]
