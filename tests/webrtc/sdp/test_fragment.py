from __future__ import annotations

import pytest

from media.error import PeerError
from webrtc.sdp.description import IceCredentials
from webrtc.sdp.fragment import parse_fragment, write_fragment
from webrtc.sdp.section import parse_lines

from .offer import ICE, SENDS

RESTART = (
    "a=ice-options:trickle ice2\r\n"
    "a=group:BUNDLE 0 1\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
    "a=mid:0\r\n"
    "a=ice-ufrag:ysXw\r\n"
    "a=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\n"
    "a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1\r\n"
    "a=candidate:473322822 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active generation 0\r\n"
    "a=end-of-candidates\r\n"
)
"""The example of the draft (draft-ietf-wish-whep, 4.3.3)."""


def test_the_example_of_the_draft() -> None:
    fragment = parse_fragment(RESTART)
    assert fragment.ice == IceCredentials("ysXw", "vw5LmwG4y/e6dPP/zAP9Gp5k")
    assert fragment.bundle == ("0", "1")
    assert [(item.kind, item.mid) for item in fragment.sections] == [("audio", "0")]
    assert len(fragment.candidates) == 2
    assert fragment.is_complete


def test_credentials_above_the_sections() -> None:
    fragment = parse_fragment("a=ice-ufrag:abcd\na=ice-pwd:abcdefghijklmnopqrstuv\n")
    assert fragment.ice == IceCredentials("abcd", "abcdefghijklmnopqrstuv")
    assert fragment.sections == ()
    assert not fragment.is_complete


def test_candidates_alone() -> None:
    fragment = parse_fragment(
        "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host"
    )
    assert fragment.ice is None
    assert fragment.candidates == ("1 1 udp 1 192.0.2.1 9 typ host",)


@pytest.mark.parametrize("text", ["candidate:1", "a=ice-ufrag:abcd\r\n", "a=ice-ufrag:a\r\na=ice-pwd:b\r\n"])
def test_malformed_ones_are_refused(text: str) -> None:
    with pytest.raises(PeerError):
        parse_fragment(text)


def test_the_answer_names_the_same_section() -> None:
    answer = write_fragment(parse_fragment(RESTART), SENDS)
    session, media = parse_lines(answer)
    assert "ice-lite" in session
    assert session.first("group") == "BUNDLE 0 1"
    assert [(item.kind, item.first("mid"), item.formats) for item in media] == [("audio", "0", ("111",))]
    assert parse_fragment(answer).ice == ICE
    assert len(parse_fragment(answer).candidates) == 2


def test_an_answer_to_a_fragment_without_sections() -> None:
    answer = write_fragment(parse_fragment("a=ice-ufrag:abcd\na=ice-pwd:abcdefghijklmnopqrstuv\n"), SENDS)
    assert parse_fragment(answer).ice == ICE
