from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.error import PeerError
from webrtc.sdp.description import ABS_SEND_TIME
from webrtc.sdp.fragment import parse_fragment, write_fragment
from webrtc.sdp.reader import parse_answer, parse_offer
from webrtc.sdp.section import MAX_CHARACTERS, MAX_LINES, MAX_SECTIONS, parse_description
from webrtc.sdp.writer import write_answer

from .offer import PUBLISHERS, RECEIVES, SENDS, VIEWERS, load

ALL = (*VIEWERS, *PUBLISHERS, "chromium-noh264")

FEEDBACK = {"nack", "nack pli", "ccm fir", "goog-remb"}

CHOSEN = [
    # who, payload type of the pictures, its RTX, its parameters, of the sound
    ("chromium-recv", 108, 109, "42e01f", 111),
    ("chromium-data", 108, 109, "42e01f", 111),
    ("firefox-recv", 126, 127, "42e01f", 109),
    ("safari-recv", 98, 99, "42e01f", 111),
    ("gstreamer-recv", 96, 98, "", 97),
    ("chromium-send", 108, 109, "42e01f", 111),
    ("gstreamer-send", 96, 98, "42e01f", 97),
    ("obs-send", 96, None, "42e01f", 111),
]


@pytest.mark.parametrize(
    ("name", "video", "rtx", "profile", "audio"), CHOSEN, ids=[item[0] for item in CHOSEN]
)
def test_what_everybody_decodes_is_chosen(
    name: str, video: int, rtx: int | None, profile: str, audio: int
) -> None:
    offer = parse_offer(load(name))
    pictures, sound = offer.section("video"), offer.section("audio")
    assert pictures is not None
    assert sound is not None
    assert pictures.codec is not None
    assert sound.codec is not None
    assert (pictures.codec.name, pictures.codec.payload_type) == ("h264", video)
    assert pictures.codec.rtx_payload_type == rtx
    assert profile in pictures.codec.fmtp
    assert {"nack", "nack pli"} <= pictures.codec.feedback <= FEEDBACK
    assert (sound.codec.name, sound.codec.payload_type) == ("opus", audio)


@pytest.mark.parametrize("name", VIEWERS)
def test_viewers_can_be_served(name: str) -> None:
    assert parse_offer(load(name)).is_servable


@pytest.mark.parametrize("name", [*PUBLISHERS, "chromium-noh264"])
def test_who_sends_or_lacks_our_codec_cannot(name: str) -> None:
    assert not parse_offer(load(name)).is_servable


def test_transport_of_a_browser() -> None:
    offer = parse_offer(load("firefox-recv"))
    assert offer.ice == ("a1b2c3d4", "4b5c2bf3e9d8a7160f1e2d3c4b5a6978")
    assert [item.algorithm for item in offer.fingerprints] == ["sha-256"]  # of the session
    assert offer.setup == "actpass"
    assert offer.bundle == ("0", "1")


def test_only_the_time_of_sending_is_a_common_extension() -> None:
    pictures = parse_offer(load("firefox-recv")).section("video")
    sound = parse_offer(load("firefox-recv")).section("audio")
    assert pictures is not None
    assert sound is not None
    assert pictures.extensions == {ABS_SEND_TIME: 4}
    assert sound.extensions == {}


def test_a_second_video_and_data_are_rejected() -> None:
    offer = parse_offer(load("chromium-data"))
    assert [(item.kind, item.codec is not None) for item in offer.media] == [
        ("video", True),
        ("video", False),
        ("audio", True),
        ("application", False),
    ]


def test_numbers_of_what_is_sent() -> None:
    pictures = parse_offer(load("chromium-send")).section("video")
    assert pictures is not None
    assert (pictures.ssrc, pictures.rtx_ssrc) == (766680370, 2129844496)
    pictures = parse_offer(load("obs-send")).section("video")
    assert pictures is not None
    assert (pictures.ssrc, pictures.rtx_ssrc) == (3129812302, None)
    pictures = parse_offer(load("chromium-simulcast")).section("video")
    assert pictures is not None
    assert pictures.ssrc is None


BASE = load("chromium-recv")
FINGERPRINT = next(line for line in BASE.split("\r\n") if line.startswith("a=fingerprint"))

REFUSED = [
    ("empty", ""),
    ("json", '{"sdp": "v=0"}'),
    ("no-media", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"),
    ("no-bundle", BASE.replace("a=group:BUNDLE 0 1\r\n", "")),
    ("no-rtcp-mux", BASE.replace("a=rtcp-mux\r\n", "")),
    ("no-fingerprint", BASE.replace(f"{FINGERPRINT}\r\n", "")),
    ("sha-1", BASE.replace(FINGERPRINT, f"a=fingerprint:sha-1 {':'.join(['AA'] * 20)}")),
    ("short-fingerprint", BASE.replace(FINGERPRINT, "a=fingerprint:sha-256 AA:BB")),
    ("two-fingerprints", BASE.replace(FINGERPRINT, f"a=fingerprint:sha-256 {':'.join(['AA'] * 32)}", 1)),
    ("no-ice", BASE.replace("a=ice-ufrag", "a=x-ufrag").replace("a=ice-pwd", "a=x-pwd")),
    ("short-password", BASE.replace("a=ice-pwd:", "a=ice-pwd:x\r\na=x-pwd:")),
    ("two-ice", BASE.replace("a=ice-ufrag:", "a=ice-ufrag:other", 1)),
    ("passive", BASE.replace("a=setup:actpass", "a=setup:passive")),
    ("holdconn", BASE.replace("a=setup:actpass", "a=setup:holdconn")),
    ("same-mid", BASE.replace("a=mid:1", "a=mid:0")),
    ("bad-mid", BASE.replace("a=mid:1", "a=mid:a b")),
    ("bad-line", BASE.replace("a=mid:1", "mid:1")),
    ("control", BASE.replace("a=mid:1", "a=mid:1\x00")),
    ("bad-media-line", BASE.replace("m=audio 9", "m=audio nine")),
    ("bad-port", BASE.replace("m=audio 9", "m=audio 99999")),
    ("many-sections", BASE + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n" * MAX_SECTIONS),
    ("many-lines", BASE + "a=x:1\r\n" * MAX_LINES),
    ("long", BASE + "a=" + "x" * MAX_CHARACTERS),
]


@pytest.mark.parametrize("text", [item[1] for item in REFUSED], ids=[item[0] for item in REFUSED])
def test_what_cannot_be_answered_is_refused(text: str) -> None:
    with pytest.raises(PeerError):
        parse_offer(text)


def test_one_section_needs_no_bundle() -> None:
    text = load("chromium-recv").split("m=audio")[0].replace("a=group:BUNDLE 0 1\r\n", "")
    offer = parse_offer(text)
    assert offer.is_servable
    assert offer.bundle == ()


def test_bare_line_ends_and_active_setup_are_fine() -> None:
    text = BASE.replace("\r\n", "\n").replace("a=setup:actpass", "a=setup:active")
    assert parse_offer(text).setup == "active"


def test_a_disabled_section_is_not_served() -> None:
    offer = parse_offer(BASE.replace("m=video 9", "m=video 0"))
    assert offer.section("video") is None
    assert offer.is_servable  # it does not ask for pictures


def test_without_fragments_there_are_no_pictures() -> None:
    offer = parse_offer(BASE.replace("packetization-mode=1", "packetization-mode=0"))
    assert offer.section("video") is None


@pytest.mark.parametrize("better", ["42e01f", "42001f", "4d001f", "64001f", "f4001f"])
def test_profiles_from_the_best_known_down(better: str) -> None:
    """Whoever offers no better one gets his own."""
    ladder = ["42e01f", "42001f", "4d001f", "64001f", "f4001f"]
    kept = ladder[ladder.index(better) :]
    lines = [f"a=rtpmap:{100 + i} H264/90000\r\n" for i in range(len(kept))]
    lines += [
        f"a=fmtp:{100 + i} packetization-mode=1;profile-level-id={profile}\r\n"
        for i, profile in enumerate(reversed(kept))
    ]
    head = "v=0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\n" + FINGERPRINT + "\r\n"
    formats = " ".join(str(100 + i) for i in range(len(kept)))
    text = f"{head}m=video 9 UDP/TLS/RTP/SAVPF {formats}\r\na=rtcp-mux\r\n{''.join(lines)}"
    pictures = parse_offer(text).section("video")
    assert pictures is not None
    assert pictures.codec is not None
    assert better in pictures.codec.fmtp


def test_payload_types_that_look_like_rtcp_are_not_used() -> None:
    offer = parse_offer(BASE.replace("111", "72"))
    assert offer.section("audio") is None


def test_answers_have_to_fit() -> None:
    answer = load("firefox-recv").replace("a=setup:actpass", "a=setup:active")
    assert parse_answer(answer).section("video") is not None
    for bad in (
        load("firefox-recv"),
        answer.replace("a=setup:active", "a=setup:passive"),
        load("safari-recv").replace("a=setup:actpass", "a=setup:active"),  # sound first
        answer.replace("a=bundle-only\r\n", "").replace("H264", "H265").replace("opus", "pcm"),
    ):
        with pytest.raises(PeerError):
            parse_answer(bad)


@given(st.text())
def test_garbage_is_refused(text: str) -> None:
    for head in ("", "v=0\r\n", "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n"):
        _parse_all(head + text)


@given(st.sampled_from(ALL), st.data())
def test_broken_offers_are_read_or_refused(name: str, data: st.DataObject) -> None:
    lines = load(name).split("\r\n")
    for _ in range(data.draw(st.integers(1, 5))):
        index = data.draw(st.integers(0, len(lines) - 1))
        line = lines[index]
        cut = data.draw(st.integers(0, len(line)))
        junk = data.draw(st.text(max_size=8))
        lines[index] = data.draw(
            st.sampled_from(
                [line[:cut], line[:cut] + junk, line[:cut] + junk + line[cut + 1 :], line + line, ""]
            )
        )
    _parse_all("\r\n".join(lines))


def _parse_all(text: str) -> None:
    """Read a text as everything that it might be; what is understood can be answered with what is well formed."""
    with suppress(PeerError):
        parse_answer(text)
    for local in (SENDS, RECEIVES):
        answers = []
        with suppress(PeerError):
            answers.append(write_answer(parse_offer(text), local))
        with suppress(PeerError):
            answers.append("v=0\r\n" + write_fragment(parse_fragment(text), local))
        for answer in answers:
            parse_description(answer)
