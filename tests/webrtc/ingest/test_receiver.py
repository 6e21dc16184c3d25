"""From a sender's packets to a broadcast's, over a network that does what networks do."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from aiortc import rtp
from hypothesis import given, settings
from hypothesis import strategies as st

from media.error import PeerError
from media.packet import AudioTrack, VideoTrack
from webrtc.ingest.receiver import Receiver
from webrtc.ingest.video import REORDERED

from .sender import (
    AUDIO,
    AUDIO_SSRC,
    FRAME_TICKS,
    OFFER,
    OUR_SSRC,
    RTX,
    VIDEO_SSRC,
    Sender,
    decode,
    pictures,
    sounds,
    take,
)
from .show import Show, assert_sound, read


def test_all_that_was_sent_comes_out() -> None:
    shown = pictures()
    packets = Show().play(shown)
    assert len(packets) == len(shown)
    assert_sound(packets, shown)
    assert [packet.is_keyframe for packet in packets] == [picture.is_keyframe for picture in shown]
    assert [packet.pts - packets[0].pts for packet in packets] == [picture.pts for picture in shown]
    (track,) = {packet.track for packet in packets}
    assert isinstance(track, VideoTrack)
    assert (track.width, track.height, track.codec) == (320, 180, "h264")


@pytest.mark.parametrize("percent", [1, 5, 20])
def test_losses_are_repaired(percent: int) -> None:
    numbers = random.Random(percent)  # noqa: S311 - a network is no secret
    # Not the last packets: that they are missing shows only when others follow.
    show = Show(lambda index: index < 200 and numbers.random() < percent / 100)
    packets = show.play(pictures())
    assert_sound(packets, pictures())
    assert show.receiver.counters["ingest_packets_repaired"] > 0
    assert len(packets) == len(pictures())


def test_without_repair_pictures_stand_still_and_are_never_broken() -> None:
    show = Show(lambda index: index == 60, is_repairing=False)
    shown = pictures(60, gop=30)
    packets = show.play(shown)
    assert_sound(packets, shown)
    assert sum(packet.is_keyframe for packet in packets) == 2
    counters = show.receiver.counters
    assert counters["ingest_packets_lost"] == 1
    assert len(packets) + counters["ingest_frames_dropped"] == len(shown)
    assert show.keyframes_asked > 0
    assert show.receiver.take_dropped() == counters["ingest_frames_dropped"]
    assert show.receiver.take_dropped() == 0


def test_a_blackout_ends_with_a_keyframe() -> None:
    shown = pictures()
    show = Show(lambda index: 70 <= index < 150)
    packets = show.play(shown)
    assert_sound(packets, shown)
    assert packets[-1].pts - packets[0].pts == shown[-1].pts


def test_a_sender_without_retransmission_repeats_as_it_is() -> None:
    show = Show(lambda index: index in (60, 61))
    video = OFFER.media[0]
    assert video.codec is not None
    plain = replace(video, codec=replace(video.codec, rtx_payload_type=None))
    show.receiver = Receiver(replace(OFFER, media=(plain,)), OUR_SSRC, 0.0)
    show.sender.repeat = lambda number, sequence=0: show.sender.sent[number].serialize()  # type: ignore[method-assign]
    packets = show.play(pictures())
    assert len(packets) == len(pictures())
    assert_sound(packets, pictures())


def test_another_size_is_another_track() -> None:
    small, large = pictures(10), pictures(10, 640, 360)
    show = Show()
    packets = show.play([*small, *(picture._replace(pts=picture.pts + 30_000) for picture in large)])
    assert [packet.track.width for packet in packets if isinstance(packet.track, VideoTrack)] == [
        320
    ] * 10 + [640] * 10
    assert [(shown.width, shown.height) for shown in decode(packets[10:])] == [(640, 360)] * 10


def test_reordered_pictures_are_refused_with_a_reason() -> None:
    show = Show()
    with pytest.raises(PeerError, match=REORDERED):
        show.play(pictures(60, b_frames=2))
    assert show.receiver.counters["ingest_frames_reordered"] == 3
    with pytest.raises(PeerError):
        show.receiver.next_packet()


def test_what_was_not_negotiated_is_refused_with_a_reason() -> None:
    show = Show()
    (data,) = Sender().packets([bytes([25, 0, 0, 0])], 0)
    show.receiver.receive_rtp(data, 0.0)
    with pytest.raises(PeerError, match="STAP-B"):
        show.receiver.next_packet()


# Keyframes.


def test_the_first_keyframe_is_asked_for_when_it_was_missed() -> None:
    show = Show(lambda index: index < 3, is_repairing=False)
    shown = pictures()
    for data in show.sender.packets(shown[0].payloads, 0):
        show.send(data)
    show.run_to(show.now + 0.2)
    assert show.keyframes_asked == 1


def test_keyframes_are_asked_for_every_two_seconds() -> None:
    show = Show()
    shown = pictures(300, 64, 64, gop=300)
    packets = show.play(shown)
    assert len(packets) == 300
    assert show.keyframes_asked in (5, 6)  # one more may fall into the second after the end


def test_who_asks_from_outside_is_heard_at_once() -> None:
    show = Show()
    show.play(pictures(5))
    show.receiver.take_rtcp()
    show.receiver.request_keyframe(show.now)
    assert read(show.receiver.take_rtcp()).keyframes == 1
    show.receiver.request_keyframe(show.now)
    assert read(show.receiver.take_rtcp()).keyframes == 0


def test_nobody_is_asked_for_what_it_has_not_offered() -> None:
    video = OFFER.media[0]
    assert video.codec is not None
    mute = replace(video, codec=replace(video.codec, feedback=frozenset()))
    show = Show(lambda index: index == 60, offer=replace(OFFER, media=(mute,)))
    show.play(pictures())
    assert show.keyframes_asked == 0
    assert show.receiver.counters["ingest_packets_asked_for"] == 0


# Reports.


def test_reports() -> None:
    receiver, sender = Receiver(OFFER, OUR_SSRC, 0.0), Sender()
    for index, data in enumerate(sender.packets(pictures()[0].payloads[:20], 0)):
        if index not in (5, 6):
            receiver.receive_rtp(data, 1.0)
    receiver.take_rtcp()
    receiver.handle_timer(1.01)
    info = rtp.RtcpSenderInfo(0x1122_3344_5566_7788, 0, 0, 0)
    receiver.receive_rtcp(bytes(rtp.RtcpSrPacket(VIDEO_SSRC, info)), 1.5)
    first = read(receiver.take_rtcp())
    assert first.bound_bps == pytest.approx(10_000_000, rel=1e-3)
    assert [(report.ssrc, report.packets_lost) for report in first.reports] == [(VIDEO_SSRC, 2)]
    receiver.handle_timer(2.1)
    (second,) = read(receiver.take_rtcp()).reports
    assert (second.lsr, second.dlsr) == (0x3344_5566, int(0.6 * 65536))
    assert second.fraction_lost == 0


@pytest.mark.parametrize("is_reduced", [False, True])
def test_requests_stand_alone_where_that_was_agreed_on(is_reduced: bool) -> None:
    flags = frozenset({"rtcp-rsize"} if is_reduced else set())
    offer = replace(OFFER, media=(replace(OFFER.media[0], flags=flags),))
    receiver, sender = Receiver(offer, OUR_SSRC, 0.0), Sender()
    first, _, third = sender.packets([b"\x41a", b"\x41b", b"\x41c"], 0)
    receiver.receive_rtp(first, 1.0)
    receiver.receive_rtp(third, 1.0)
    receiver.request_keyframe(1.0)
    kinds = [[type(item) for item in rtp.RtcpPacket.parse(data)] for data in receiver.take_rtcp()]
    missing, keyframe = [rtp.RtcpRtpfbPacket], [rtp.RtcpPsfbPacket]
    head = [] if is_reduced else [rtp.RtcpRrPacket, rtp.RtcpSdesPacket]
    assert kinds == [head + missing, head + keyframe]


def test_nothing_is_reported_before_anything_has_come() -> None:
    receiver = Receiver(OFFER, OUR_SSRC, 0.0)
    assert receiver.get_timer() is None
    receiver.handle_timer(5.0)
    assert receiver.take_rtcp() == []


def test_a_queue_on_the_way_is_told_at_once() -> None:
    receiver, sender = Receiver(OFFER, OUR_SSRC, 0.0), Sender(has_send_time=True)
    free_at, bounds = 0.0, []
    for index in range(600):
        sent_at = 10 + index / 100
        free_at = max(free_at, sent_at) + (0.001 if index < 300 else 0.015)
        (data,) = sender.packets([bytes([0x41]) + bytes(1000)], index * 900, sent_at)
        receiver.receive_rtp(data, free_at)
        if (bound := read(receiver.take_rtcp()).bound_bps) is not None:
            bounds.append((free_at, bound))
    at, bound = bounds[-1]
    assert at < 14.5
    assert bound < 700_000


# Sound.


def test_sound() -> None:
    receiver, sender = Receiver(OFFER, OUR_SSRC, 0.0), Sender(AUDIO, AUDIO_SSRC)
    packets = []
    for index, payload in enumerate(sounds()):
        for data in sender.packets([payload], 960 * index):
            receiver.receive_rtp(data, 5.0 + index / 50)
            packets += take(receiver)
    assert [packet.data for packet in packets] == list(sounds())
    assert [packet.pts - packets[0].pts for packet in packets] == [
        1800 * index for index in range(len(packets))
    ]
    (track,) = {packet.track for packet in packets}
    assert isinstance(track, AudioTrack)
    assert (track.codec, track.channels, track.sample_rate, track.frame_samples) == ("opus", 2, 48_000, 960)


def test_sound_that_is_lost_leaves_a_hole() -> None:
    receiver, sender = Receiver(OFFER, OUR_SSRC, 0.0), Sender(AUDIO, AUDIO_SSRC)
    packets = []
    for index in range(10):
        (data,) = sender.packets([sounds()[index]], 960 * index)
        if index not in (3, 4):
            receiver.receive_rtp(data, 5.0 + index / 50)
        packets += take(receiver)
    assert [(packet.pts - packets[0].pts) // 1800 for packet in packets] == [0, 1, 2, 5, 6, 7, 8, 9]
    assert receiver.counters["ingest_sounds_lost"] == 2


def test_sound_is_repaired_where_that_was_agreed_on() -> None:
    audio = OFFER.media[1]
    assert audio.codec is not None
    codec = replace(audio.codec, rtx_payload_type=112, feedback=frozenset({"nack"}))
    receiver = Receiver(replace(OFFER, media=(OFFER.media[0], replace(audio, codec=codec))), OUR_SSRC, 0.0)
    sender = Sender(AUDIO, AUDIO_SSRC)
    for index in range(5):
        (data,) = sender.packets([sounds()[index]], 960 * index)
        if index != 2:
            receiver.receive_rtp(data, 5.0 + index / 50)
    (number,) = read(receiver.take_rtcp()).numbers
    repeated = bytearray(sender.repeat(number))
    repeated[1] = 112
    receiver.receive_rtp(bytes(repeated), 5.1)
    assert [packet.data for packet in take(receiver)] == list(sounds()[:5])


def test_sound_is_brought_to_the_picture_by_reports() -> None:
    show = Show()
    sender = Sender(AUDIO, AUDIO_SSRC)
    late_s = 0.15  # sound takes so much longer on its way
    for index in range(1500):
        now = 50 + index / 50
        (picture,) = show.sender.packets([b"\x41slice"], index * 1800)
        (sound,) = sender.packets([sounds()[0]], index * 960)
        if not index:
            for data in show.sender.packets(pictures()[0].payloads, 900):
                show.receiver.receive_rtp(data, now)
        show.receiver.receive_rtp(picture, now)
        show.receiver.receive_rtp(sound, now + late_s)
        if index % 50 == 1:
            ntp = (1 << 63) + (index << 32) // 50
            for stream, scale in ((show.sender, 1800), (sender, 960)):
                info = rtp.RtcpSenderInfo(ntp, (stream.base + index * scale) & 0xFFFFFFFF, 0, 0)
                show.receiver.receive_rtcp(bytes(rtp.RtcpSrPacket(stream.ssrc, info)), now)
    heard = [packet.pts for packet in take(show.receiver) if not packet.is_video]
    # Both began together at 0, and pictures arrive at once.
    assert heard[0] - 50 * 90_000 == pytest.approx(late_s * 90_000, abs=2)
    assert abs(heard[-1] - (50 * 90_000 + 1499 * 1800)) <= 900
    assert all(1700 < after - before < 1900 for before, after in pairwise(heard))


# Strangers and garbage.


def test_other_sources_are_left_alone() -> None:
    show = Show()
    simulcast = Sender(ssrc=0x9999, sequence=7)
    shown = pictures()
    for picture in shown:
        for data in show.sender.packets(picture.payloads, picture.pts):
            show.receiver.receive_rtp(data, 1.0)
        for data in simulcast.packets(picture.payloads, picture.pts):
            show.receiver.receive_rtp(data, 1.0)
    packets = take(show.receiver)
    assert len(packets) == len(shown)
    assert show.receiver.counters["ingest_packets_of_other_sources"] == sum(
        len(item.payloads) for item in shown
    )


def test_another_source_takes_over_when_the_first_is_silent() -> None:
    show = Show()
    show.play(pictures(5))
    show.run_to(show.now + 5)
    show.sender = Sender(ssrc=0x9999, sequence=7, base=123_456_789)
    packets = show.play(pictures(5))
    assert len(packets) == 10
    assert 5.0 < (packets[5].pts - packets[4].pts) / 90_000 < 7.5
    assert packets[6].pts - packets[5].pts == FRAME_TICKS
    assert show.receiver.counters["ingest_packets_of_other_types"] == 0


def test_a_source_that_was_not_announced_is_taken_by_its_payload_type() -> None:
    quiet = replace(OFFER, media=tuple(replace(section, ssrc=None) for section in OFFER.media))
    show = Show(offer=quiet)
    show.receiver.receive_rtp(rtp.RtpPacket(payload_type=RTX, payload=b"\0\1abc").serialize(), 1.0)
    assert len(show.play(pictures(5))) == 5


def test_padding_fills_its_place() -> None:
    show = Show()
    shown = pictures(10)
    for picture in shown:
        for data in show.sender.packets(picture.payloads, picture.pts):
            show.receiver.receive_rtp(data, 1.0)
        probe = rtp.RtpPacket(96, 0, show.sender.sequence & 0xFFFF, 0, VIDEO_SSRC)
        probe.padding_size = 200
        show.sender.sequence += 1
        show.receiver.receive_rtp(probe.serialize(), 1.0)
        rtx_probe = rtp.RtpPacket(RTX, 0, 5, 0, 0x1002)
        rtx_probe.padding_size = 200
        show.receiver.receive_rtp(rtx_probe.serialize(), 1.0)
    assert len(take(show.receiver)) == 10


@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False), st.floats(0, 0.3), st.floats(0, 0.2), st.floats(0, 0.2))
def test_whatever_the_network_does(numbers: random.Random, loss: float, swap: float, twice: float) -> None:
    """Loss, disorder and repetition at once: what comes out is always what was sent."""
    receiver, sender = Receiver(OFFER, OUR_SSRC, 0.0), Sender(sequence=numbers.randrange(1 << 16))
    sent = [
        (picture.pts / 90_000, data)
        for picture in pictures()
        for data in sender.packets(picture.payloads, picture.pts)
    ]
    arrivals = [
        (at + (numbers.uniform(0, 0.08) if numbers.random() < swap else 0) + 0.1 * again, data)
        for at, data in sent
        if numbers.random() >= loss
        for again in range(1 + (numbers.random() < twice))
    ]
    packets, repeated = [], 0
    for at, data in sorted(arrivals, key=lambda item: item[0]):
        receiver.handle_timer(at)
        receiver.receive_rtp(data, at)
        for number in read(receiver.take_rtcp()).numbers:
            if numbers.random() >= loss:
                receiver.receive_rtp(sender.repeat(number, repeated), at + 0.01)
                repeated += 1
        packets += take(receiver)
    receiver.handle_timer(10.0)
    packets += take(receiver)
    if packets:
        assert_sound(packets, pictures())


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.builds(
                lambda kind, sequence, timestamp, body: rtp.RtpPacket(
                    kind, 1, sequence, timestamp, VIDEO_SSRC, body
                ).serialize(),
                st.sampled_from([96, RTX, AUDIO, 5]),
                st.integers(0, 0xFFFF),
                st.integers(0, 0xFFFFFFFF),
                st.binary(max_size=40),
            ),
        )
    )
)
def test_garbage(items: list[bytes]) -> None:
    receiver, now = Receiver(OFFER, OUR_SSRC, 0.0), 0.0
    last: dict[bool, int] = {}
    for data in items:
        now += 0.1
        receiver.receive_rtp(data, now)
        receiver.receive_rtcp(data, now)
        receiver.handle_timer(now)
        try:
            for packet in take(receiver):
                assert packet.pts > last.get(packet.is_video, -(1 << 62))
                last[packet.is_video] = packet.pts
        except PeerError:
            return
        receiver.take_rtcp()


def test_no_decoder_and_no_thread() -> None:
    """Aiortc's own receiver decodes in a thread of its own. Ours takes a stream without either."""
    program = """
import gc, sys, threading
from pathlib import Path
from aiortc.rtcrtpreceiver import RTCRtpReceiver
from tests.webrtc.ingest.sender import OFFER, OUR_SSRC, Sender, pictures, take
from webrtc.ingest.receiver import Receiver
shown = pictures(10)
before = len(list(Path("/proc/self/task").iterdir()))
receiver, sender = Receiver(OFFER, OUR_SSRC, 0.0), Sender()
for picture in shown:
    for data in sender.packets(picture.payloads, picture.pts):
        receiver.receive_rtp(data, 0.0)
assert len(take(receiver)) == 10
assert len(list(Path("/proc/self/task").iterdir())) == before
assert threading.active_count() == 1
import aiortc.codecs.base
found = gc.get_objects()
assert not any(isinstance(item, (RTCRtpReceiver, aiortc.codecs.base.Decoder)) for item in found)
"""
    root = Path(__file__).parents[3]
    subprocess.run(
        [sys.executable, "-c", program], check=True, cwd=root, env=os.environ | {"PYTHONPATH": str(root)}
    )


def test_ingest_knows_no_codec_library() -> None:
    folder = Path(__file__).parents[3] / "webrtc" / "ingest"
    for path in folder.glob("*.py"):
        text = path.read_text()
        assert "import av" not in text
        assert "aiortc.codecs" not in text
        assert "import asyncio" not in text
