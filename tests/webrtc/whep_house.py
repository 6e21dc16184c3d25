"""A house with one broadcast and a gateway in memory, which answers with real session descriptions."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from media.error import CapacityError, PeerError, StreamError
from webrtc.port import Rung, Source
from webrtc.sdp.description import LocalDescription, PeerDescription
from webrtc.sdp.fragment import parse_fragment, write_fragment
from webrtc.sdp.reader import parse_answer, parse_offer
from webrtc.sdp.writer import write_answer, write_offer
from webrtc.whep_port import CounterOffer, Established, SessionView

from .sdp.offer import SENDS

RUNGS = (
    Rung("720p", 1280, 720, 2_500_000, is_made=True, can_force=True),
    Rung("360p", 640, 360, 700_000, is_made=False, can_force=True),
)


class SilentSource:
    def attach(self, sink: object) -> None: ...
    def detach(self) -> None: ...
    def want(self, rungs: object, *, audio: bool) -> None: ...
    def force_keyframe(self, rung: str, after_pts: int) -> None: ...


class HousePresence:
    def __init__(self, house: House, token: str | None) -> None:
        self._house = house
        self._token = token

    def close(self) -> None:
        self._house.present.remove(self._token)


@dataclass
class House:
    """Knows the streams `live`, `created` and `private` (with the token `secret`)."""

    is_live: bool = True
    is_closing: bool = False
    """Whether nobody is let in any more who has passed the door."""
    on_attend: Callable[[], None] = lambda: None
    """Called while a viewer is being counted."""
    present: list[str | None] = field(default_factory=list)

    async def authorize(self, stream_id: str, token: str | None) -> None:
        if stream_id == "members":
            raise StreamError("unauthorized", "sign in to watch this")
        if stream_id not in ("live", "created", "private") or (stream_id == "private" and token != "secret"):
            raise StreamError("not_found", "no such stream")

    def find_source(self, stream_id: str) -> Source | None:
        return SilentSource() if self.is_live and stream_id != "created" else None

    async def attend(self, stream_id: str, token: str | None) -> HousePresence:
        if self.is_closing:
            raise CapacityError("nobody can be counted now")
        self.on_attend()
        self.present.append(token)
        return HousePresence(self, token)


@dataclass
class Held:
    offer: PeerDescription | None
    local: LocalDescription
    on_change: Callable[[], None]
    active: str | None = None
    chosen: str | None = None
    restarts: int = 0


class MemoryGateway:
    def __init__(self) -> None:
        self.sessions: dict[str, Held] = {}
        self.is_full = False

    async def offer(
        self, stream_id: str, sdp: str, on_change: Callable[[], None]
    ) -> Established | CounterOffer:
        offer = parse_offer(sdp)
        if self.is_full:
            raise CapacityError("there is no room", 3.2)
        name = secrets.token_urlsafe(24)
        if not offer.is_servable:
            self.sessions[name] = Held(None, SENDS, on_change)
            return CounterOffer(name, write_offer(SENDS))
        self.sessions[name] = Held(offer, SENDS, on_change)
        return Established(name, write_answer(offer, SENDS), "ice0")

    async def answer(self, session: str, sdp: str) -> None:
        self.sessions[session].offer = parse_answer(sdp)

    async def restart(self, session: str, fragment: str) -> tuple[str, str]:
        held, asked = self.sessions[session], parse_fragment(fragment)
        if asked.ice is not None and asked.ice.ufrag == "late":
            raise PeerError("the fragment cannot be used")
        held.restarts += 1
        return write_fragment(asked, held.local), f"ice{held.restarts}"

    async def choose(self, session: str, rung: str | None) -> None:
        held = self.sessions[session]
        held.chosen = held.active = rung
        held.on_change()

    def view(self, session: str) -> SessionView | None:
        held = self.sessions.get(session)
        return None if held is None else SessionView(held.active, held.chosen, RUNGS, is_connected=True)

    async def end(self, session: str) -> None:
        self.sessions.pop(session, None)

    def lose(self, session: str) -> None:
        """End a session as it ends by itself."""
        self.sessions.pop(session).on_change()
