"""The viewers of a WebRTC process: sessions, and the broadcasts that they watch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from random import SystemRandom

from media.error import CapacityError, StreamError
from webrtc import message as say
from webrtc.channel.channel import Channel
from webrtc.channel.event import KeyframeWanted, RungChanged, Wanted
from webrtc.channel.viewer import CodecChoice, Viewer
from webrtc.endpoint import Endpoint
from webrtc.message import Message
from webrtc.rtp.fanout import FanOut
from webrtc.sdp.description import (
    ABS_SEND_TIME,
    LocalDescription,
    PeerDescription,
    SentTrack,
)
from webrtc.sdp.reader import parse_answer, parse_offer
from webrtc.sdp.writer import write_answer, write_offer
from webrtc.transport.event import Connected, Ended, Event, Moved, RtcpReceived
from webrtc.transport.peer import CLOSED_BY_PEER, Peer

MAX_SESSIONS = 2_000
"""More than a core carries."""

MAX_UNCONNECTED = 400
"""Offers whose peers have not come: each is gone after 10 s, so that is what 40 new viewers a second have open."""

COUNTER_OFFER_S = 30.0
"""How long a counter-offer is good (draft-ietf-wish-whep-03, 4.2)."""

_GONE = "There is no such session, or it is over."


class _Session:
    """One viewer."""

    __slots__ = ("channel", "peer", "stream", "viewer")

    def __init__(self, stream: str, channel: Channel, peer: Peer) -> None:
        self.stream = stream
        self.channel = channel
        self.peer = peer
        self.viewer: Viewer | None = None
        """None while a counter-offer has not been answered."""


class Viewing:
    """Takes the server's messages about viewers.

    Args:
        endpoint: where peers come to.
        fanout: sends what they get.
        send: takes messages for the server.
    """

    def __init__(self, endpoint: Endpoint, fanout: FanOut, send: Callable[[Message], None]) -> None:
        self._endpoint = endpoint
        self._fanout = fanout
        self._send = send
        self._random = SystemRandom()
        self._channels: dict[str, Channel] = {}
        self._sessions: dict[str, _Session] = {}
        self._unconnected: set[str] = set()
        self._counters: Counter[str] = Counter()

    @property
    def is_idle(self) -> bool:
        """Whether there are no sessions."""
        return not self._sessions

    @property
    def counters(self) -> Counter[str]:
        """What has been counted so far."""
        found = self._counters.copy()
        found["viewers"] = len(self._sessions) - len(self._unconnected)
        for session in self._sessions.values():
            if session.viewer is not None:
                found.update(session.viewer.counters.named())
        return found

    def has(self, session: str) -> bool:
        """Tell whether this is a viewer's session."""
        return session in self._sessions

    # What the server says.

    def handle(self, message: Message, now: float) -> None:
        """Take a message that needs no reply."""
        match message:
            case say.Video(stream, rung, frame):
                if (channel := self._channels.get(stream)) is not None:
                    channel.receive_video(rung, frame, now)
                    self._tell(stream, channel)
            case say.Audio(stream, pts, data):
                if (channel := self._channels.get(stream)) is not None:
                    channel.receive_audio(pts, data, now)
            case say.Declare(stream, rungs):
                if stream not in self._channels:
                    self._channels[stream] = Channel(stream, self._fanout, now=now, random=self._random)
                self._channels[stream].declare(rungs, now)
                self._tell(stream, self._channels[stream])
            case say.Forget(stream):
                self._forget(stream, now)
            case say.End(session):
                self._end(session, now)

    def offer(self, message: say.Offer, now: float) -> say.Reply:
        """Answer a viewer's offer, or make a counter-offer where nothing of it can be served.

        Raises:
            PeerError: it cannot be used.
            StreamError: the broadcast is over.
            CapacityError: there are too many viewers.
        """
        channel = self._channels.get(message.stream)
        if channel is None:
            raise StreamError("not_live", "The stream is not live.")
        if len(self._sessions) >= MAX_SESSIONS or len(self._unconnected) >= MAX_UNCONNECTED:
            self._counters["offers_refused"] += 1
            raise CapacityError("Too many viewers come at once. Try again in a moment.", 5.0)
        offer = parse_offer(message.sdp)
        if not offer.is_servable:
            peer = self._endpoint.make_peer(now, connect_timeout_s=COUNTER_OFFER_S)
            self._enter(message.session, _Session(message.stream, channel, peer))
            return say.Reply(message.call, write_offer(self._describe(channel, peer)), is_counter_offer=True)
        peer = self._endpoint.make_peer(now)
        session = _Session(message.stream, channel, peer)
        answer = write_answer(offer, self._describe(channel, peer))
        self._enter(message.session, session)
        self._begin(message.session, session, offer, now)
        return say.Reply(message.call, answer, self._endpoint.etag(peer))

    def accept(self, message: say.Accept, now: float) -> say.Reply:
        """Take a viewer's answer to a counter-offer.

        Raises:
            PeerError: it cannot be used.
            StreamError: there is no such counter-offer (any more).
        """
        session = self._find(message.session)
        if session.viewer is not None:
            raise StreamError("conflict", "This session has been answered.")
        self._begin(message.session, session, parse_answer(message.sdp), now)
        return say.Reply(message.call, etag=self._endpoint.etag(session.peer))

    def restart(self, message: say.Restart) -> say.Reply:
        """Restart ICE.

        Raises:
            PeerError: the fragment cannot be used.
            StreamError: there is no such session.
        """
        fragment, etag = self._endpoint.restart(self._find(message.session).peer, message.fragment)
        return say.Reply(message.call, fragment, etag)

    def choose(self, message: say.Choose, now: float) -> say.Reply:
        """Give a viewer another rung, or leave it to the network.

        Raises:
            StreamError: there is no such session.
        """
        session = self._find(message.session)
        if session.viewer is not None:
            session.channel.choose(session.viewer, message.rung, now)
            self._tell(session.stream, session.channel)
        return say.Reply(message.call)

    # Time.

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        for stream, channel in self._channels.items():
            due = channel.get_timer()
            if due is not None and due <= now:
                channel.handle_timer(now)
                self._tell(stream, channel)

    def close(self, now: float) -> None:
        """Tell all viewers that it is over."""
        for name in list(self._sessions):
            self._end(name, now)

    # Within.

    def _describe(self, channel: Channel, peer: Peer) -> LocalDescription:
        ssrcs = channel.ssrcs
        tracks = {"video": SentTrack(ssrcs.video, ssrcs.video_rtx), "audio": SentTrack(ssrcs.audio)}
        return self._endpoint.describe(peer, tracks, msid=channel.msid, cname=channel.cname)

    def _enter(self, name: str, session: _Session) -> None:
        self._sessions[name] = session
        self._unconnected.add(name)
        self._endpoint.port.add(session.peer, partial(self._on_event, name))

    def _begin(self, name: str, session: _Session, peer_says: PeerDescription, now: float) -> None:
        session.viewer = Viewer(name, _choice(peer_says, "video"), _choice(peer_says, "audio"), now)
        session.channel.add(session.viewer, now)
        session.peer.set_remote(peer_says.ice, peer_says.fingerprints)
        self._endpoint.port.flush(session.peer)
        self._tell(session.stream, session.channel)

    def _on_event(self, name: str, event: Event) -> None:
        session = self._sessions.get(name)
        if session is None:
            return
        now, peer, viewer = self._endpoint.clock(), session.peer, session.viewer
        match event:
            case RtcpReceived(data) if viewer is not None:
                session.channel.receive_rtcp(viewer, data, now)
            case Connected() if viewer is not None and peer.srtp is not None and peer.route is not None:
                self._unconnected.discard(name)
                self._send(say.Connected(name))
                session.channel.connect(viewer, peer.srtp, peer.route, now)
            case Ended(reason):
                self._send(say.Ended(name, reason, is_clean=reason == CLOSED_BY_PEER))
                self._end(name, now)
            case Moved(route) if viewer is not None and viewer.is_connected:
                viewer.move(route)
        self._tell(session.stream, session.channel)

    def _tell(self, stream: str, channel: Channel) -> None:
        while (event := channel.next_event()) is not None:
            match event:
                case Wanted(rungs, audio):
                    self._send(say.Wanted(stream, rungs, audio))
                case KeyframeWanted(rung, after_pts):
                    self._send(say.KeyframeWanted(stream, rung, after_pts))
                case RungChanged(session, rung):
                    self._send(say.RungChanged(session, rung))

    def _forget(self, stream: str, now: float) -> None:
        for name in [name for name, item in self._sessions.items() if item.stream == stream]:
            self._send(say.Ended(name, "the broadcast is over", is_clean=True))
            self._end(name, now)
        self._channels.pop(stream, None)

    def _end(self, name: str, now: float) -> None:
        session = self._sessions.pop(name, None)
        if session is None:
            return
        self._unconnected.discard(name)
        if session.viewer is not None:
            self._counters.update(session.viewer.counters.named())
            session.channel.remove(session.viewer, now)
            self._tell(session.stream, session.channel)
        session.peer.close()
        self._endpoint.port.remove(session.peer)
        self._counters["sessions_ended"] += 1

    def _find(self, name: str) -> _Session:
        session = self._sessions.get(name)
        if session is None:
            raise StreamError("not_found", _GONE)
        return session


def _choice(peer_says: PeerDescription, kind: str) -> CodecChoice | None:
    section = peer_says.section(kind)
    if section is None or section.codec is None or not section.is_received:
        return None
    codec = section.codec
    return CodecChoice(codec.payload_type, codec.rtx_payload_type, section.extensions.get(ABS_SEND_TIME, 0))
