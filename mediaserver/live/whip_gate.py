"""The stage as WHIP's gate: who publishes over WebRTC is let in, and replaced, as over RTMP."""

from __future__ import annotations

from rtmp.port import PublishRequest
from webrtc.port import Kick

from .session import Publication
from .stage import Stage

APP = "live"
"""The RTMP application that stream keys are for; addresses of WHIP name none."""


class WhipGate:
    """Implements `webrtc.port.PublishGate`.

    Args:
        stage: has the sessions.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    async def authorize(self, stream_key: str) -> None:
        """Find out whether somebody with this key may publish.

        Raises:
            StreamError: `detail` is what the publisher gets to see.
        """
        await self._stage.authorize(APP, stream_key)

    async def publish(self, stream_key: str, peer: str, encoder: str, kick: Kick) -> Publication:
        """Let a publisher in.

        Raises:
            StreamError: it may not; `detail` is what it gets to see.
        """
        return await self._stage.publish(PublishRequest(APP, stream_key, "", peer, encoder), kick)
