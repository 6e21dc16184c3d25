"""What has to be told of viewers: to whoever looks at figures here, and to the other servers. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from control_api.viewer.audience import Audience, Viewer
from control_api.viewer.shared import Act, Note


class Rumours:
    """Keeps what is to be told until somebody takes it."""

    def __init__(self) -> None:
        self.is_shared = False
        """Whether other servers are told; otherwise notes are not kept."""
        self._moved: dict[str, None] = {}
        self._notes: list[Note] = []
        self._later: dict[Viewer, None] = {}

    def __len__(self) -> int:
        """Count the notes that other servers should have now."""
        return len(self._notes)

    def move(self, stream_id: str) -> None:
        """Take note that the figures of a stream have changed."""
        self._moved[stream_id] = None

    def add(self, stream_id: str, key: str, act: Act, now: float) -> None:
        """Take note of what other servers should know at once."""
        if self.is_shared:
            self._notes.append(Note(stream_id, key, act, now))

    def later(self, viewer: Viewer) -> None:
        """Take note of a sign of life of who is present: other servers should know within a second."""
        if self.is_shared:
            self._later[viewer] = None

    def take_moved(self) -> Sequence[str]:
        """Take the streams whose figures have changed."""
        moved, self._moved = list(self._moved), {}
        return moved

    def take_notes(self) -> Sequence[Note]:
        """Take what other servers should know, in its order."""
        notes, self._notes = self._notes, []
        return notes

    def hurry(self, limit: int) -> None:
        """Let signs of life be told now, of so many viewers."""
        for viewer in list(islice(self._later, limit)):
            del self._later[viewer]
            if viewer.left_at is None:
                self._notes.append(_note(viewer))

    def forget(self) -> None:
        """Drop what was to be told to other servers: they don't listen, or are told everything anew."""
        self._notes.clear()
        self._later.clear()


def all_of(audience: Audience) -> Sequence[Note]:
    """Tell everything that is known of an audience."""
    return [_note(viewer) for viewer in audience.viewers.values()]


def _note(viewer: Viewer) -> Note:
    present = Act.OPEN if viewer.opened else Act.SEEN
    act = present if viewer.left_at is None else Act.KNOWN
    return Note(viewer.audience.stream_id, viewer.key, act, viewer.seen_at)
