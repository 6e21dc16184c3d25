"""In which forms the same packets go out: peers number payload types and header extensions as they like."""

from __future__ import annotations

from typing import NamedTuple


class Variant(NamedTuple):
    """What differs between the packets of two viewers but for their sequence numbers."""

    payload_type: int
    abs_send_time_id: int
    """Of the header extension; 0 where it was not negotiated."""
