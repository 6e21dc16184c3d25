"""Broadcasts that have ended: their last playlists and media can still be fetched for a while."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from hls.output import HlsOutput

ENDED_KEPT = 20
"""Ended broadcasts whose last playlists can still be fetched: players read the ENDLIST within seconds."""

ENDED_BYTES = 512 << 20
"""Media that they hold in memory together; the newest one stays in any case."""


class EndedOutputs:
    """The HLS side of broadcasts that have ended, by stream id.

    Args:
        on_forgotten: called with the id of each that is forgotten.
    """

    def __init__(self, on_forgotten: Callable[[str], None]) -> None:
        self._on_forgotten = on_forgotten
        self._outputs: OrderedDict[str, HlsOutput] = OrderedDict()

    def __len__(self) -> int:
        return len(self._outputs)

    def __contains__(self, stream_id: str) -> bool:
        return stream_id in self._outputs

    def get(self, stream_id: str) -> HlsOutput | None:
        """Return the output of a broadcast, None when it is not here."""
        return self._outputs.get(stream_id)

    def add(self, stream_id: str, output: HlsOutput) -> None:
        """Keep a broadcast that ends now."""
        self._outputs[stream_id] = output

    def forget_surplus(self) -> None:
        """Forget the oldest ones where they are too many, or too large together."""
        while len(self._outputs) > ENDED_KEPT or (
            len(self._outputs) > 1
            and sum(output.size_bytes for output in self._outputs.values()) > ENDED_BYTES
        ):
            self.forget_oldest()

    def forget_oldest(self) -> bool:
        """Forget the broadcast that ended first; tell whether there was one."""
        if not self._outputs:
            return False
        stream_id, _ = self._outputs.popitem(last=False)
        self._on_forgotten(stream_id)
        return True
