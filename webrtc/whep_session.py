"""The sessions of WHEP as HTTP sees them: whose they are, which ICE counts, who reads their events. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from .port import Presence, Rung
from .sdp.description import IceCredentials, PeerDescription
from .whep_port import SessionView

EVENTS = ("active", "inactive", "layers")
"""Types of events that there are (draft-ietf-wish-whep-03, 4.9.1)."""

MAX_READERS = 4
"""Connections that read events of one session; a page needs one, and one more while it comes back."""

MAX_CHANNELS = 8
"""Selections of events that one session may have made."""


class Reader:
    """Somebody who reads the events of a session.

    Args:
        channel: selection that is read; empty for all events.
        types: of the events that are wanted.
        wake: tells that there may be something new.
    """

    def __init__(self, channel: str, types: frozenset[str], wake: Callable[[], None]) -> None:
        self.channel = channel
        self.is_over = False
        self._types = types
        self._wake = wake
        self._is_live: bool | None = None
        self._layers = ""

    def wake(self) -> None:
        """Tell that there may be something new."""
        self._wake()

    def close(self) -> None:
        """Tell that nothing will come any more."""
        self.is_over = True
        self._wake()

    def update(self, is_live: bool, layers: str) -> str:
        """Write the events for what has changed since the last time, as an event stream; empty for nothing.

        Args:
            is_live: whether the broadcast is on the air.
            layers: what `layers_text` gives.
        """
        found = []
        if is_live != self._is_live:
            # Who comes while nothing is on the air is not told that it went away.
            if is_live or self._is_live is not None:
                found.append(("active" if is_live else "inactive", "{}"))
            self._is_live = is_live
        if layers != self._layers:
            found.append(("layers", layers))
            self._layers = layers
        return "".join(f"event: {name}\ndata: {data}\n\n" for name, data in found if name in self._types)


@dataclass(slots=True, eq=False)
class Session:
    """A session."""

    name: str
    stream_id: str
    token: str | None
    """With which the viewer came."""
    section: int | None
    """Index of the m-line with the pictures."""
    etag: str
    ice: IceCredentials
    """The viewer's, those that count."""
    is_pending: bool = False
    """Whether a counter-offer waits for its answer."""
    is_over: bool = False
    presence: Presence | None = None
    channels: dict[str, frozenset[str]] = field(default_factory=dict)
    readers: list[Reader] = field(default_factory=list)

    @property
    def path(self) -> str:
        """Where the session is."""
        return f"/webrtc/{self.stream_id}/session/{self.name}"

    def attend(self, presence: Presence) -> None:
        """Keep the viewer present until the session ends, which it may have done by now."""
        if self.is_over:
            presence.close()
        else:
            self.presence = presence

    def add_reader(self, reader: Reader) -> None:
        """Let somebody read; who has read for the longest time has to go when there are too many."""
        self.readers.append(reader)
        while len(self.readers) > MAX_READERS:
            self.readers.pop(0).close()

    def remove_reader(self, reader: Reader) -> None:
        """Let a reader go, any number of times."""
        if reader in self.readers:
            self.readers.remove(reader)

    def wake(self) -> None:
        """Tell all readers that there may be something new."""
        for reader in self.readers:
            reader.wake()

    def close(self) -> None:
        """End everything that hangs on the session, any number of times."""
        self.is_over = True
        if self.presence is not None:
            self.presence.close()
            self.presence = None
        for reader in self.readers:
            reader.close()


def video_section(peer: PeerDescription) -> int | None:
    """Find the m-line with the pictures."""
    kinds = [item.kind if item.codec is not None else "" for item in peer.media]
    return kinds.index("video") if "video" in kinds else None


def layers_document(view: SessionView) -> dict[str, object]:
    """Write what is at the address of the layers: what a viewer may choose from, and what it gets."""
    layers = [_layer(rung) for rung in view.rungs]
    return {"active": view.active, "chosen": view.chosen, "layers": layers}


def layers_text(view: SessionView, section: int | None) -> str:
    """Write the data of a `layers` event: layers by index of their m-line, and beside them which one is sent."""
    shown = {} if section is None else {str(section): [_layer(rung) for rung in view.rungs]}
    return json.dumps(shown | {"active": view.active, "chosen": view.chosen})


def _layer(rung: Rung) -> dict[str, object]:
    """Describe a rung; both names for its name are in use: `rid` since draft 02, `encodingId` in players."""
    return {
        "encodingId": rung.name,
        "rid": rung.name,
        "width": rung.width,
        "height": rung.height,
        # A layer with a bitrate of 0 is one that is not made at the moment.
        "bitrate": rung.bitrate_bps if rung.is_made else 0,
        "targetBitrate": rung.bitrate_bps,
    }
