"""Who may see a stream's media: kept in memory, so that delivery asks no database."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from control_api.stream.playback import PlaybackSigner, refused
from control_api.stream.record import Stream
from media.error import StreamError

TRUST_S = 5.0
"""How long a token that was verified is not looked at again, and its viewer not told of; up to twice as long, so that
players that ask at the same moment don't all have it done at the same moment."""

MAX_TRUSTED = 50_000
"""Tokens that are remembered, 400 bytes each."""


class Witness(Protocol):
    """Whoever wants to know who watches."""

    def seen(self, stream_id: str, viewer_id: str) -> None:
        """Take note that a viewer has asked for media with a playback token."""
        ...


class _Rule(NamedTuple):
    is_private: bool
    salt: str
    """That playback tokens have to name."""
    owner_id: str
    is_upcoming: bool


class AccessRules:
    """The streams of which there is or may be media.

    Args:
        playback: verifies tokens in addresses.
        wall_clock: seconds since the epoch.
    """

    def __init__(self, playback: PlaybackSigner, wall_clock: Callable[[], float]) -> None:
        self._playback = playback
        self._wall_clock = wall_clock
        self._rules: dict[str, _Rule] = {}
        self._trusted: dict[str, tuple[_Rule, float]] = {}
        """By token: the very rule that it was verified by, and until when that will do."""
        self._witness: Witness | None = None

    def __contains__(self, stream_id: str) -> bool:
        return stream_id in self._rules

    def __len__(self) -> int:
        return len(self._rules)

    def report_to(self, witness: Witness) -> None:
        """Tell `witness` from now on of viewers whose tokens are verified, also for public streams."""
        self._witness = witness

    def note(self, stream: Stream) -> None:
        """Take note of a stream as it is now."""
        self._rules[stream.id] = _Rule(
            stream.is_private, stream.playback_salt, stream.user_id, stream.is_upcoming
        )

    def forget(self, stream_id: str) -> None:
        """Forget a stream: there is nothing of it any more."""
        self._rules.pop(stream_id, None)

    def check(self, stream_id: str, token: str | None) -> None:
        """Let a request pass: everybody's for a public stream, a token's for a private one.

        Raises:
            StreamError: `not_found`, which says nothing about streams that the viewer may not know of.
        """
        rule = self._rules.get(stream_id)
        if rule is None or (rule.is_private and token is None):
            raise _not_found(token)
        if token is not None:
            self._look_at(stream_id, rule, token)

    def check_preview(self, stream_id: str, token: str | None) -> None:
        """Let a request for what nobody else may see yet pass: the owner's and admins', whose tokens say so.

        Raises:
            StreamError: `not_found`, as for a stream that does not exist.
        """
        rule = self._rules.get(stream_id)
        if rule is None or token is None:
            raise _not_found(token)
        holder = self._playback.holder(stream_id, rule.salt, token, self._wall_clock())
        if holder.viewer_id != rule.owner_id and not holder.is_admin:
            raise _not_found(token)

    def viewer_of(self, stream_id: str, token: str | None) -> str | None:
        """Let somebody pass as `check` does, and say who it is: None for somebody without a token that is good.

        Raises:
            StreamError: as `check`.
        """
        self.check(stream_id, token)
        if token is None:
            return None
        rule = self._rules[stream_id]
        try:
            return self._playback.verify(stream_id, rule.salt, token, self._wall_clock())
        except StreamError:
            return None  # of yesterday, for a public stream

    def is_upcoming(self, stream_id: str) -> bool:
        """Tell whether a stream may still go live for the first time."""
        rule = self._rules.get(stream_id)
        return rule is not None and rule.is_upcoming

    def _look_at(self, stream_id: str, rule: _Rule, token: str) -> None:
        now = self._wall_clock()
        trusted = self._trusted.get(token)
        if trusted is not None and trusted[0] is rule and now < trusted[1]:
            return
        try:
            viewer_id = self._playback.verify(stream_id, rule.salt, token, now)
        except StreamError:
            if rule.is_private:
                raise
            return  # a public stream is for everybody, also for those whose token is of yesterday
        if len(self._trusted) >= MAX_TRUSTED:
            self._trusted.clear()
        self._trusted[token] = rule, now + TRUST_S * (1 + (hash(token) & 0xFF) / 0x100)
        if self._witness is not None:
            self._witness.seen(stream_id, viewer_id)


def _not_found(token: str | None) -> StreamError:
    """Use the words for a bad token where there is one: others would tell that there is a stream."""
    return refused() if token is not None else StreamError("not_found", "There is no such stream.")
