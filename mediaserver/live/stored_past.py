"""The past of broadcasts on disk, over a restart of the server."""

from __future__ import annotations

from collections.abc import Collection

import structlog

from hls.archive import Archives
from hls.config import HlsConfig
from hls.ledger import Remembered
from hls.output import HlsOutput
from hls.restored import Restored, restore
from hls.timeline import Checkpoint

log = structlog.get_logger(__name__)


class StoredPasts:
    """Gives each broadcast its archive, and what an earlier process has left in it.

    Args:
        archives: None: nothing is kept on disk.
    """

    def __init__(self, archives: Archives | None) -> None:
        self._archives = archives
        self._found: dict[str, Remembered] = {}

    async def sweep(self, live: Collection[str]) -> None:
        """Remove what belongs to no stream that is live."""
        if self._archives is not None:
            await self._archives.sweep(live)

    async def load(self, stream_id: str) -> None:
        """Read what there is of a stream that goes on."""
        if self._archives is not None:
            self._found[stream_id] = await self._archives.load(stream_id)

    def make_output(self, stream_id: str, config: HlsConfig, checkpoint: Checkpoint | None) -> HlsOutput:
        """Make the HLS side of a broadcast, with the past that leads up to its checkpoint."""
        if self._archives is None:
            return HlsOutput(config, checkpoint)
        past = self._past(stream_id, checkpoint)
        if past is None:
            self._archives.remove(stream_id)
        return HlsOutput(config, checkpoint, self._archives.open(stream_id), past)

    def forget(self, stream_id: str) -> None:
        """Remove what there is of a stream that is over."""
        if self._archives is not None:
            self._archives.remove(stream_id)

    def _past(self, stream_id: str, checkpoint: Checkpoint | None) -> Restored | None:
        found = self._found.pop(stream_id, None)
        if found is None or not found.segments or checkpoint is None:
            return None
        past = restore(found, checkpoint)
        if past is None:
            log.warning(
                "the past cannot be rewound to: it does not lead to the checkpoint", stream_id=stream_id
            )
        return past
