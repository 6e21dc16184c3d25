"""A bound on decoder configurations, whatever the codec."""

from __future__ import annotations

from media.error import PeerError

MAX_CONFIGURATION_BYTES = 64 << 10
"""Real ones have a few hundred bytes. Each is kept as long as something refers to it, and sent to every viewer."""


def check_configuration_size(codec: str, size_bytes: int) -> None:
    """Refuse a configuration that is far too large.

    Args:
        codec: its name, for the words.
        size_bytes: of a record, or of the parameter sets in it.

    Raises:
        PeerError: it is.
    """
    if size_bytes > MAX_CONFIGURATION_BYTES:
        raise PeerError(
            f"{codec} configuration of {size_bytes} bytes; up to {MAX_CONFIGURATION_BYTES} are accepted"
        )
