"""The publishers of a WebRTC process: what they send becomes access units for the server."""

from __future__ import annotations

from collections import Counter
from functools import partial
from random import SystemRandom

from media.error import CapacityError, PeerError, StreamError
from media.packet import AudioTrack, VideoTrack
from webrtc import message as say
from webrtc.endpoint import Endpoint
from webrtc.ingest.receiver import Receiver
from webrtc.link import Link
from webrtc.message import Message
from webrtc.rtp.fanout import FanOut
from webrtc.sdp.description import PeerDescription
from webrtc.sdp.reader import parse_offer
from webrtc.sdp.writer import write_answer
from webrtc.transport.event import Connected, Ended, Event, RtcpReceived, RtpReceived
from webrtc.transport.peer import CLOSED_BY_PEER, Peer
from webrtc.wire import serialize

MAX_SESSIONS = 200
MAX_UNCONNECTED = 50

_NO_VIDEO = "There is no H.264 video in this offer that is sent to the server."


class _Session:
    """One publisher."""

    __slots__ = ("is_connected", "is_cut", "peer", "receiver", "tracks")

    def __init__(self, peer: Peer, receiver: Receiver) -> None:
        self.peer = peer
        self.receiver = receiver
        self.is_connected = False
        self.tracks: dict[bool, VideoTrack | AudioTrack] = {}
        self.is_cut = False
        """Whether the server was too slow for a frame: it goes on with a keyframe."""


class Publishing:
    """Takes the server's messages about publishers.

    Args:
        endpoint: where peers come to.
        fanout: sends them reports.
        link: to the server.
    """

    def __init__(self, endpoint: Endpoint, fanout: FanOut, link: Link) -> None:
        self._endpoint = endpoint
        self._fanout = fanout
        self._link = link
        self._random = SystemRandom()
        self._sessions: dict[str, _Session] = {}
        self._counters: Counter[str] = Counter()

    @property
    def is_idle(self) -> bool:
        """Whether there are no sessions."""
        return not self._sessions

    @property
    def counters(self) -> Counter[str]:
        """What has been counted so far."""
        found = Counter(self._counters)
        for session in self._sessions.values():
            found["publishers"] += session.is_connected
            found.update(session.receiver.counters)
        return found

    def has(self, session: str) -> bool:
        """Tell whether this is a publisher's session."""
        return session in self._sessions

    # What the server says.

    def handle(self, message: Message) -> None:
        """Take a message that needs no reply."""
        if isinstance(message, say.End):
            self._end(message.session)

    def publish(self, message: say.Publish, now: float) -> say.Reply:
        """Answer a publisher's offer.

        Raises:
            PeerError: it cannot be used.
            StreamError: `not_acceptable`: there is nothing in it that can be taken.
            CapacityError: there are too many publishers.
        """
        unconnected = sum(not session.is_connected for session in self._sessions.values())
        if len(self._sessions) >= MAX_SESSIONS or unconnected >= MAX_UNCONNECTED:
            raise CapacityError("Too many publishers come at once. Try again in a moment.", 5.0)
        offer = parse_offer(message.sdp)
        if not _sends_video(offer):
            raise StreamError("not_acceptable", _NO_VIDEO)
        peer = self._endpoint.make_peer(now)
        answer = write_answer(offer, self._endpoint.describe(peer, {}))
        session = _Session(peer, Receiver(offer, self._random.randrange(1, 1 << 32), now))
        self._sessions[message.session] = session
        peer.set_remote(offer.ice, offer.fingerprints)
        self._endpoint.port.add(peer, partial(self._on_event, message.session))
        return say.Reply(message.call, answer, self._endpoint.etag(peer))

    def restart(self, message: say.Restart) -> say.Reply:
        """Restart ICE.

        Raises:
            PeerError: the fragment cannot be used.
        """
        fragment, etag = self._endpoint.restart(self._sessions[message.session].peer, message.fragment)
        return say.Reply(message.call, fragment, etag)

    # Time.

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        for name, session in list(self._sessions.items()):
            due = session.receiver.get_timer()
            if session.is_connected and due is not None and due <= now:
                session.receiver.handle_timer(now)
                self._pump(name, session, now)

    def close(self) -> None:
        """Tell all publishers that it is over."""
        for name in list(self._sessions):
            self._end(name)

    # Within.

    def _on_event(self, name: str, event: Event) -> None:
        session = self._sessions.get(name)
        if session is None:
            return
        now = self._endpoint.clock()
        match event:
            case Connected():
                session.is_connected = True
                self._link.send(say.Connected(name))
            case RtpReceived(data):
                session.receiver.receive_rtp(data, now)
            case RtcpReceived(data):
                session.receiver.receive_rtcp(data, now)
            case Ended(reason):
                self._link.send(say.Ended(name, reason, is_clean=reason == CLOSED_BY_PEER))
                self._end(name)
                return
        self._pump(name, session, now)

    def _pump(self, name: str, session: _Session, now: float) -> None:
        try:
            if lost := session.receiver.take_dropped():
                self._link.send(say.PublishedLoss(name, lost))
            while (packet := session.receiver.next_packet()) is not None:
                if session.tracks.get(packet.is_video) != packet.track:
                    session.tracks[packet.is_video] = packet.track
                    self._link.send(say.PublishedTrack(name, packet.track))
                frame = say.PublishedFrame(name, packet.is_video, packet.is_keyframe, packet.pts, packet.data)
                self._give(name, session, frame, now)
        except PeerError as error:
            self._link.send(say.Ended(name, str(error), is_clean=False))
            self._end(name)
            return
        peer = session.peer
        for packet_out in session.receiver.take_rtcp():
            if peer.srtp is not None and peer.route is not None:
                self._fanout.send_rtcp(peer.srtp, peer.route, packet_out)

    def _give(self, name: str, session: _Session, frame: say.PublishedFrame, now: float) -> None:
        if frame.is_video and frame.is_keyframe:
            session.is_cut = False
        if frame.is_video and session.is_cut:
            return
        if not self._link.send_media(serialize(frame)) and frame.is_video:
            session.is_cut = True
            session.receiver.request_keyframe(now)
            self._link.send(say.PublishedLoss(name, 1))

    def _end(self, name: str) -> None:
        session = self._sessions.pop(name, None)
        if session is None:
            return
        self._counters.update(session.receiver.counters)
        session.peer.close()
        self._endpoint.port.remove(session.peer)


def _sends_video(offer: PeerDescription) -> bool:
    video = offer.section("video")
    return video is not None and video.is_sent
