"""Paths lose packets, kernels refuse them, decoders lose the picture: it comes back, and nobody else pays much."""

from __future__ import annotations

from random import Random

from aiortc import rtp

from webrtc.channel.report import middle, to_ntp
from webrtc.channel.viewer import CodecChoice
from webrtc.rtp.packet import parse_rtp

from .stage import FakeRung, Receiver, Stage, rung
from .test_change import longest_pause


def one_rung(**how: object) -> Stage:
    return Stage(FakeRung(rung("720p", 2_500_000), 1, **{"lag_s": 0.1, **how}))  # type: ignore[arg-type]


def nack(stage: Stage, *sequences: int) -> bytes:
    """Ask for packets again, one by one."""
    lost = b"".join(sequence.to_bytes(2, "big") + bytes(2) for sequence in sequences)
    ssrcs = (1).to_bytes(4, "big") + stage.channel.ssrcs.video.to_bytes(4, "big")
    return rtp.pack_rtcp_packet(rtp.RTCP_RTPFB, rtp.RTCP_RTPFB_NACK, ssrcs + lost)


def pli(stage: Stage) -> rtp.RtcpPsfbPacket:
    return rtp.RtcpPsfbPacket(fmt=1, ssrc=1, media_ssrc=stage.channel.ssrcs.video)


def missing(stage: Stage, receiver: Receiver) -> list[int]:
    numbers = receiver.sequences(stage.channel.ssrcs.video)
    return [number & 0xFFFF for number in range(numbers[0], numbers[-1]) if number not in set(numbers)]


def test_lost_packets_come_again_as_retransmissions() -> None:
    stage = one_rung()
    receiver = stage.join("ann")
    stage.run(1.0)
    dice = Random(7)  # noqa: S311
    receiver.loses = lambda packet: dice.random() < 0.05
    for _ in range(40):
        stage.run(0.05)
        if lost := missing(stage, receiver):
            stage.tell("ann", nack(stage, *lost))
    receiver.loses = lambda packet: False
    stage.tell("ann", nack(stage, *missing(stage, receiver)))
    assert longest_pause(receiver.check()) < 0.2
    rtx = [parse_rtp(packet) for packet in receiver.rtx]
    assert {header.payload_type for header in rtx} == {103}
    sent = sorted(stage.receivers["ann"].packets[stage.channel.ssrcs.video_rtx])
    assert sent == list(range(sent[0], sent[0] + len(sent)))


def test_without_rtx_the_very_same_packet_comes_again() -> None:
    stage = one_rung()
    receiver = stage.join("ann", CodecChoice(102, None, 3))
    stage.run(1.0)
    number = receiver.arrivals[-3][1]
    before = len(receiver.arrivals)
    stage.tell("ann", nack(stage, number))
    assert receiver.arrivals[before][2] == receiver.packets[stage.channel.ssrcs.video][number]


def test_packets_from_before_a_change_of_rung_come_again() -> None:
    stage = Stage(
        FakeRung(rung("source", 5_000_000, can_force=False), 0),
        FakeRung(rung("720p", 2_500_000), 1, lag_s=0.1),
    )
    stage.run(0.5)
    receiver = stage.join("ann", CodecChoice(102, None, 3))
    stage.run(1.0)
    stage.choose("ann", "source")
    while stage.changes("ann")[-1] != "source":
        stage.run(0.01)
    stage.run(0.1)
    entry = next(at for at, (_, _, packet) in enumerate(receiver.arrivals) if b"\x55" not in packet or at)
    numbers = [number for _, number, _ in receiver.arrivals[-20:]][entry - 1 :]
    before = len(receiver.arrivals)
    stage.tell("ann", nack(stage, *numbers))
    assert sorted(item[1] for item in receiver.arrivals[before:]) == sorted(set(numbers))
    receiver.check()


def test_repeated_and_unknown_requests_are_counted_only() -> None:
    stage = one_rung()
    receiver = stage.join("ann")
    stage.run(1.0)
    number = receiver.arrivals[-3][1]
    first = receiver.arrivals[0][1]
    stage.tell("ann", nack(stage, number))
    stage.tell("ann", nack(stage, number))
    stage.tell("ann", nack(stage, (number + 1000) & 0xFFFF, (first - 5) & 0xFFFF))
    counters = stage.names["ann"].counters
    assert (counters.resent, counters.unanswered, counters.unknown) == (1, 1, 2)
    assert not stage.keyframes_wanted("720p")


def test_more_than_the_budget_is_answered_by_a_keyframe() -> None:
    stage = one_rung(size_bytes=10_000, gop=600)
    receiver = stage.join("ann")
    stage.run(2.0)
    receiver.loses = lambda packet: True
    stage.run(1.2)
    receiver.loses = lambda packet: False
    stage.run(0.1)
    stage.tell("ann", nack(stage, *missing(stage, receiver)))
    assert stage.keyframes_wanted("720p") == 1
    back_at = stage.now
    stage.run(0.3)
    assert any(
        item.is_keyframe and item.at > back_at for item in receiver.check(is_whole=False, decodes=False)
    )


def test_blackout_of_half_a_second_is_made_good() -> None:
    stage = one_rung(size_bytes=10_000)
    receiver = stage.join("ann")
    stage.run(2.2)
    receiver.loses = lambda packet: True
    stage.run(0.5)
    receiver.loses = lambda packet: False
    back_at = stage.now
    stage.run(0.05)
    stage.tell("ann", nack(stage, *missing(stage, receiver)))
    stage.run(0.1)
    pictures = receiver.check(is_whole=False, decodes=False)
    assert pictures[-1].at - back_at < 0.2
    assert pictures[-1].number - pictures[0].number == len(pictures) - 1


def test_lost_picture_has_a_keyframe_made_once_for_all() -> None:
    stage = one_rung(gop=600)
    for number in range(10):
        stage.join(f"viewer-{number}")
    stage.run(2.0)
    for _ in range(5):
        for number in range(10):
            stage.tell(f"viewer-{number}", pli(stage))
        stage.run(0.1)
    assert stage.keyframes_wanted("720p") == 1
    assert stage.rungs["720p"].keyframes == 2


def test_picture_lost_right_behind_a_keyframe_needs_no_other() -> None:
    stage = one_rung()
    stage.join("ann")
    stage.run(2.15)
    stage.tell("ann", pli(stage))
    stage.run(0.5)
    assert not stage.keyframes_wanted("720p")


def test_one_viewer_does_not_have_keyframes_made_for_ever() -> None:
    stage = one_rung(gop=600)
    stage.join("ann")
    for _ in range(100):
        stage.run(0.3)
        stage.tell("ann", pli(stage))
    assert stage.keyframes_wanted("720p") <= 5 + 30 / 4 + 1


def test_lost_picture_of_a_copied_rung_is_shown_from_another_meanwhile() -> None:
    stage = Stage(
        FakeRung(rung("source", 2_900_000, can_force=False), 0, gop=240),
        FakeRung(rung("720p", 2_500_000), 1, lag_s=0.1, gop=240, keeps=False),
    )
    receiver = stage.join("ann")
    stage.run(2.0)
    assert stage.changes("ann") == ["source"]
    lost_at = stage.now
    stage.tell("ann", pli(stage))
    stage.run(1.0)
    assert stage.changes("ann") == ["source", "720p"]
    pictures = receiver.check()
    assert next(item.at for item in pictures if item.rung == 1) - lost_at < 0.6
    stage.run(7.0)
    assert stage.changes("ann") == ["source", "720p", "source"]
    receiver.check()


def test_refused_frame_is_sent_again_at_once() -> None:
    stage = one_rung()
    receiver = stage.join("ann")
    other = stage.join("ben")
    stage.run(1.0)
    receiver.refuses = lambda batch: True
    stage.run(0.1)
    receiver.refuses = lambda batch: False
    stage.run(1.0)
    assert len(receiver.check()) == len(other.check())
    assert stage.names["ann"].counters.refused > 0
    assert longest_pause(other.check()) < 0.05


def test_half_a_frame_that_was_refused_is_sent_again_under_its_numbers() -> None:
    stage = one_rung(size_bytes=60_000, keyframe_bytes=200_000)
    receiver = stage.join("ann")
    stage.run(1.0)
    dice = Random(3)  # noqa: S311
    receiver.refuses = lambda batch: dice.random() < 0.1
    stage.run(2.0)
    receiver.refuses = lambda batch: False
    stage.run(2.0)
    receiver.check()


def test_viewer_who_takes_nothing_goes_on_at_a_keyframe() -> None:
    stage = one_rung(gop=150)
    receiver = stage.join("ann")
    stage.run(1.0)
    receiver.refuses = lambda batch: True
    stage.run(6.0)
    receiver.refuses = lambda batch: False
    stage.run(4.0)
    assert stage.names["ann"].counters.dropped > 0
    pictures = receiver.check(is_whole=False)
    assert pictures[-1].number >= 300 + int((stage.now - 0.1) * 30)
    assert not stage.keyframes_wanted("720p")


def test_reports_bring_sound_and_picture_together() -> None:
    stage = Stage(FakeRung(rung("720p", 2_500_000), 1, lag_s=0.1), has_audio=True)
    receiver = stage.join("ann", audio=CodecChoice(111))
    stage.run(10.0)
    ssrcs = stage.channel.ssrcs
    first = {
        ssrc: parse_rtp(next(p for _, _, p in receiver.arrivals if parse_rtp(p).ssrc == ssrc))
        for ssrc in ssrcs[::2]
    }
    assert 9 <= len(receiver.rtcp) <= 14
    for compound in receiver.rtcp[1:]:  # the first was about sound alone
        video, audio, names = rtp.RtcpPacket.parse(compound)
        assert isinstance(video, rtp.RtcpSrPacket)
        assert isinstance(audio, rtp.RtcpSrPacket)
        assert video.sender_info.ntp_timestamp == audio.sender_info.ntp_timestamp
        since_video = (video.sender_info.rtp_timestamp - first[ssrcs.video].timestamp) & 0xFFFFFFFF
        since_audio = (audio.sender_info.rtp_timestamp - first[ssrcs.audio].timestamp) & 0xFFFFFFFF
        # Both first packets are of the same moment here.
        assert abs(since_video / 90_000 - since_audio / 48_000) < 0.001
    assert isinstance(names, rtp.RtcpSdesPacket)
    assert names.chunks[1].items == [(1, stage.channel.cname.encode())]
    assert isinstance(video, rtp.RtcpSrPacket)
    sent = stage.names["ann"].video.line.sent_packets  # type: ignore[union-attr]
    assert 0.85 * sent < video.sender_info.packet_count <= sent


def test_round_trip_is_measured() -> None:
    stage = one_rung()
    receiver = stage.join("ann")
    stage.run(1.0)
    report = rtp.RtcpPacket.parse(receiver.rtcp[-1])[0]
    assert isinstance(report, rtp.RtcpSrPacket)
    info = report.sender_info
    sent_at = stage.now - 0.2
    stage.names["ann"].round_trip.note_sent(info.ntp_timestamp, sent_at)
    block = rtp.RtcpReceiverInfo(
        stage.channel.ssrcs.video, 0, 0, 10, 0, middle(info.ntp_timestamp), 65536 // 10
    )
    stage.tell("ann", rtp.RtcpRrPacket(ssrc=1, reports=[block]))
    rtt_s = stage.names["ann"].round_trip.rtt_s
    assert rtt_s is not None
    assert abs(rtt_s - 0.1) < 0.001
    assert middle(to_ntp(1.5)) >> 15 & 1 == 1


def test_end_is_said() -> None:
    stage = Stage(FakeRung(rung("720p", 2_500_000), 1), has_audio=True)
    receiver = stage.join("ann", audio=CodecChoice(111))
    stage.run(1.0)
    stage.channel.close(stage.now)
    *_, bye = rtp.RtcpPacket.parse(receiver.rtcp[-1])
    assert bye == rtp.RtcpByePacket([stage.channel.ssrcs.video, stage.channel.ssrcs.audio])
    before = len(receiver.arrivals)
    stage.run(1.0)
    assert len(receiver.arrivals) == before
    assert not stage.channel.viewers


def test_what_is_malformed_or_of_nobody_is_counted() -> None:
    stage = one_rung()
    stage.join("ann")
    stage.run(1.0)
    stage.tell("ann", b"\x80")
    stage.tell("ann", rtp.RtcpPsfbPacket(fmt=1, ssrc=1, media_ssrc=12345))
    assert stage.names["ann"].counters.malformed == 1
    assert stage.names["ann"].counters.picture_losses == 0
