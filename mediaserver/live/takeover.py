"""Two encoders with one key: the newer one takes over, unless they keep taking turns. Pure."""

from __future__ import annotations

from collections import deque

from media.error import StreamError

MAX_TAKEOVERS = 3
"""A person who moves a show to another machine needs one or two; encoders that reconnect by themselves never stop."""

WINDOW_S = 30.0
"""In which they are counted. Encoders reconnect every two to ten seconds."""


class Takeovers:
    """Counts how often a publisher has taken over from one that was still connected."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def note(self, now: float, peer: str) -> None:
        """Take note of a takeover at `now`, in seconds.

        Args:
            now: seconds on a clock that never steps back.
            peer: address of the encoder that is connected.

        Raises:
            StreamError: `taking_turns`: there were too many, the one that is connected stays.
        """
        while self._times and now - self._times[0] > WINDOW_S:
            self._times.popleft()
        if len(self._times) >= MAX_TAKEOVERS:
            wait_s = round(WINDOW_S - (now - self._times[0])) + 1
            detail = (
                f"Two encoders take turns with this stream key; the one at {peer} stays connected. "
                f"Stop one of them, or try again in {wait_s} s."
            )
            raise StreamError("taking_turns", detail)
        self._times.append(now)
