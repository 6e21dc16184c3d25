from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import SessionDescription

from webrtc.sdp.description import ABS_SEND_TIME, LocalDescription, SentTrack
from webrtc.sdp.reader import parse_answer, parse_offer
from webrtc.sdp.writer import write_answer, write_offer

from .offer import FINGERPRINT, ICE, PUBLISHERS, RECEIVES, SENDS, VIEWERS, load, section_of, sections_of


@pytest.fixture
async def client() -> AsyncIterator[RTCPeerConnection]:
    client = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    yield client
    await client.close()


@pytest.mark.parametrize("name", [*VIEWERS, *PUBLISHERS])
def test_answers_have_the_sections_of_the_offer(name: str) -> None:
    text = load(name)
    local = SENDS if name in VIEWERS else RECEIVES
    answer = write_answer(parse_offer(text), local)
    theirs, ours = sections_of(text), sections_of(answer)
    assert [part[0].split()[0] for part in ours] == [part[0].split()[0] for part in theirs]
    for asked, said in zip(theirs, ours, strict=True):
        mid = next(line for line in asked if line.startswith("a=mid:"))
        assert mid in said


def test_answer_to_a_browser() -> None:
    answer = write_answer(parse_offer(load("chromium-recv")), SENDS)
    head = answer.split("m=")[0].split("\r\n")
    assert "a=ice-lite" in head
    assert "a=group:BUNDLE 0 1" in head
    assert f"a=fingerprint:sha-256 {FINGERPRINT.value}" in head
    video = section_of(answer, "video")
    assert video[0] == "m=video 8189 UDP/TLS/RTP/SAVPF 108 109"
    for line in (
        "c=IN IP4 127.0.0.1",
        "a=setup:passive",
        f"a=ice-ufrag:{ICE.ufrag}",
        f"a=ice-pwd:{ICE.pwd}",
        "a=sendonly",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        f"a=extmap:2 {ABS_SEND_TIME}",
        "a=rtpmap:108 H264/90000",
        "a=fmtp:108 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        "a=rtcp-fb:108 nack",
        "a=rtcp-fb:108 nack pli",
        "a=rtcp-fb:108 ccm fir",
        "a=rtcp-fb:108 goog-remb",
        "a=rtpmap:109 rtx/90000",
        "a=fmtp:109 apt=108",
        "a=msid:broadcast video",
        "a=ssrc-group:FID 1001 1002",
        "a=ssrc:1001 cname:server",
        "a=ssrc:1002 cname:server",
        "a=candidate:1 1 udp 2130706431 127.0.0.1 8189 typ host",
        "a=candidate:2 1 udp 2130706175 ::1 8189 typ host",
        "a=end-of-candidates",
    ):
        assert line in video, line
    audio = section_of(answer, "audio")
    assert "a=fmtp:111 minptime=10;stereo=1;sprop-stereo=1;useinbandfec=1" in audio
    assert "a=msid:broadcast audio" in audio
    assert "a=end-of-candidates" in audio
    assert "transport" not in answer
    assert "b=" not in answer


def test_what_is_rejected_leaves_the_bundle() -> None:
    answer = write_answer(parse_offer(load("chromium-data")), SENDS)
    assert "a=group:BUNDLE 0 2\r\n" in answer
    assert [part[0].split()[1] for part in sections_of(answer)] == ["8189", "0", "8189", "0"]
    assert sections_of(answer)[3][0] == "m=application 0 UDP/DTLS/SCTP webrtc-datachannel"


def test_what_there_is_none_of_is_inactive() -> None:
    local = LocalDescription(ICE, FINGERPRINT, (), {"video": SentTrack(1)}, "broadcast", "server")
    answer = write_answer(parse_offer(load("chromium-recv")), local)
    assert "a=inactive" in section_of(answer, "audio")
    video = section_of(answer, "video")
    assert "a=sendonly" in video
    assert "rtx" not in "".join(video)  # it has no number of its own
    assert video[0] == "m=video 9 UDP/TLS/RTP/SAVPF 108"


def test_publishers_are_received_at_any_level() -> None:
    answer = write_answer(parse_offer(load("obs-send")), RECEIVES)
    video = section_of(answer, "video")
    assert "a=recvonly" in video
    assert "a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e034" in video
    assert "ssrc" not in answer
    assert "msid" not in answer


def test_gstreamer_gets_its_bare_h264() -> None:
    answer = write_answer(parse_offer(load("gstreamer-recv")), SENDS)
    video = section_of(answer, "video")
    assert "a=rtcp-mux-only" in video
    assert "a=rtpmap:96 H264/90000" in video
    assert "a=rtpmap:99 rtx/48000" not in section_of(answer, "audio")  # sound is not sent again


def test_an_ipv6_address_first() -> None:
    local = LocalDescription(ICE, FINGERPRINT, SENDS.candidates[::-1], SENDS.tracks, "m", "c")
    assert "c=IN IP6 ::1" in section_of(write_answer(parse_offer(load("safari-recv")), local), "video")


async def test_aiortc_takes_the_answer(client: RTCPeerConnection) -> None:
    client.addTransceiver("video", direction="recvonly")
    client.addTransceiver("audio", direction="recvonly")
    await client.setLocalDescription(await client.createOffer())
    offer = parse_offer(client.localDescription.sdp)
    assert offer.is_servable
    answer = write_answer(offer, SENDS)
    parsed = SessionDescription.parse(answer)
    assert [(media.kind, media.direction) for media in parsed.media] == [
        ("video", "sendonly"),
        ("audio", "sendonly"),
    ]
    await client.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    assert client.signalingState == "stable"
    assert [item.currentDirection for item in client.getTransceivers()] == ["recvonly", "recvonly"]


async def test_aiortc_takes_the_counter_offer(client: RTCPeerConnection) -> None:
    await client.setRemoteDescription(RTCSessionDescription(write_offer(SENDS), "offer"))
    await client.setLocalDescription(await client.createAnswer())
    answer = parse_answer(client.localDescription.sdp)
    video = answer.section("video")
    assert video is not None
    assert video.codec is not None
    assert (video.codec.payload_type, video.codec.rtx_payload_type) == (102, 103)
    assert video.direction == "recvonly"


def test_the_counter_offer_is_an_offer() -> None:
    text = write_offer(SENDS)
    offer = parse_offer(text)
    assert offer.setup == "actpass"
    assert all(item.codec is not None and item.is_sent for item in offer.media)
    assert write_offer(SENDS) == text
