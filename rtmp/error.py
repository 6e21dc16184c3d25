"""What a peer is told when it is turned away."""

from __future__ import annotations

from media.error import PeerError


class RefusedError(PeerError):
    """The peer asked for something that is not served here.

    Args:
        code: for `onStatus`, such as ``NetStream.Publish.Rejected``.
        detail: a sentence for the person at the encoder.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
