"""The viewers of a WebRTC process: sessions, and the broadcasts that they watch. No sockets, no clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from random import Random

from media.error import CapacityError, LocalStateError, PeerError, StreamError
from webrtc import message as says
from webrtc.channel.channel import Channel
from webrtc.channel.event import KeyframeWanted, RungChanged, Wanted
from webrtc.channel.viewer import Viewer
from webrtc.message import Message
from webrtc.rtp.fanout import FanOut
from webrtc.sdp.answer import write_answer
from webrtc.sdp.counter_offer import write_offer
from webrtc.sdp.description import (
    Candidate,
    IceCredentials,
    LocalDescription,
    PeerDescription,
    SentTrack,
)
from webrtc.sdp.fragment import Fragment, parse_fragment, write_fragment
from webrtc.sdp.offer import parse_answer, parse_offer
from webrtc.transport.certificate import Certificate
from webrtc.transport.event import Connected, Ended, Event, RtcpReceived
from webrtc.transport.ice import new_credentials
from webrtc.transport.peer import Peer
from webrtc.transport.udp import UdpPort

MAX_SESSIONS = 2_000
"""More than a core carries."""

MAX_UNCONNECTED = 400
"""Offers whose peers have not come: each is gone after 10 s, so this is what 40 new viewers a second have open."""

COUNTER_OFFER_S = 30.0
"""How long a counter-offer is good (WHEP, 4.2)."""
