from __future__ import annotations

import pytest

from media.packet import CLOCK_HZ, AudioTrack, Packet, VideoTrack
from transcode import backlog as module
from transcode.backlog import NOTHING_DELIVERED, Backlog, Entry
from transcode.crash import CrashHistory, Verdict
from transcode.gap import Gap
from transcode.message import MAX_FORMER, Activate, ActivateAudio, EncodedAudio, Flush, Skip
from transcode.wanted import Wanted

from .source import spec

VIDEO = VideoTrack("h264", b"", "avc1.64001f", 1280, 720)
HEVC = VideoTrack("hevc", b"", "hvc1.1.6.L93.B0", 1280, 720)
AUDIO = AudioTrack("aac", b"", "mp4a.40.2", 48_000, 2)
SECOND = CLOCK_HZ
STEP = CLOCK_HZ // 10


def frame(index: int, *, gop: int = 10, data: bytes = b"x") -> Packet:
    return Packet(VIDEO, index * STEP, index * STEP, data, is_keyframe=index % gop == 0)


def sound(index: int) -> Packet:
    return Packet(AUDIO, index * STEP, index * STEP, b"s", is_keyframe=True)


def filled(count: int, *, gop: int = 10) -> Backlog:
    backlog = Backlog()
    for index in range(count):
        assert backlog.push(frame(index, gop=gop))
    return backlog


def unsent(backlog: Backlog) -> list[Entry]:
    return list(iter(backlog.next_unsent, None))


def numbers(entries: list[Entry]) -> list[int]:
    return [entry.pts // STEP for entry in entries if isinstance(entry, Packet)]


def test_video_begins_with_a_keyframe() -> None:
    backlog = Backlog()
    assert not backlog.push(frame(5))
    assert backlog.push(sound(5))
    assert backlog.push(frame(10))
    assert numbers(unsent(backlog)) == [5, 10]
    assert backlog.dropped == 1


def test_a_take_over_repeats_from_the_keyframe_of_the_first_undelivered_frame() -> None:
    backlog = filled(25)
    assert len(unsent(backlog)) == 25
    backlog.deliver(14 * STEP)
    assert backlog.current_gop() == 10 * STEP
    assert backlog.rewind() is None
    assert numbers(unsent(backlog)) == list(range(10, 25))


def test_a_take_over_at_a_gops_end_does_not_repeat_it() -> None:
    backlog = filled(25)
    unsent(backlog)
    backlog.deliver(19 * STEP)
    assert backlog.current_gop() == 20 * STEP
    backlog.rewind()
    assert numbers(unsent(backlog)) == list(range(20, 25))


def test_reordered_frames_belong_to_their_gop() -> None:
    backlog = Backlog()
    for dts, pts in enumerate([0, 3, 1, 2, 4, 7, 5, 6]):
        backlog.push(Packet(VIDEO, pts * STEP, dts * STEP, b"", is_keyframe=pts in (0, 4)))
    unsent(backlog)
    backlog.deliver(2 * STEP)
    backlog.rewind()
    assert numbers(unsent(backlog)) == [0, 3, 1, 2, 4, 7, 5, 6]
    backlog.deliver(3 * STEP)
    backlog.rewind()
    assert numbers(unsent(backlog)) == [4, 7, 5, 6]


CRA, IDR_W_RADL = b"\0\0\0\2\x46\x01\0\0\0\2\x2a\x01", b"\0\0\0\2\x26\x01"


@pytest.mark.parametrize(
    ("keyframe", "delivered", "begins_with"),
    [
        pytest.param(CRA, 2, 0, id="leading pictures of an open keyframe refer to the GOP before it"),
        pytest.param(CRA, 4, 0, id="nobody knows how many leading pictures are still to come"),
        pytest.param(CRA, 5, 5, id="nothing shown before the keyframe is missing"),
        pytest.param(IDR_W_RADL, 2, 5, id="leading pictures of an IDR do without the GOP before it"),
        pytest.param(b"", 2, 5, id="damaged"),
        pytest.param(b"\0\0\0\0\0", 2, 5, id="empty"),
    ],
)
def test_a_take_over_before_an_open_keyframe_begins_a_gop_earlier(
    keyframe: bytes, delivered: int, begins_with: int
) -> None:
    backlog = Backlog()
    for dts, pts in enumerate([0, 2, 1, 5, 3, 4, 8, 6, 7]):
        data = keyframe if pts == 5 else b"\0\0\0\2\x02\x01"
        backlog.push(Packet(HEVC, pts * STEP, dts * STEP, data, is_keyframe=pts in (0, 5)))
    unsent(backlog)
    backlog.deliver(delivered * STEP)
    backlog.rewind()
    assert numbers(unsent(backlog))[0] == begins_with


def test_slowness_drops_to_the_newest_keyframe() -> None:
    backlog = filled(5)
    assert numbers(unsent(backlog)) == list(range(5))
    for index in range(5, 47):
        assert not backlog.is_overfull, index
        backlog.push(frame(index))
    assert backlog.is_overfull
    assert backlog.drop_unsent() == 40 * STEP
    entries = unsent(backlog)
    assert entries[0] == Skip(40 * STEP)
    assert numbers(entries) == list(range(40, 47))
    assert not backlog.needs_keyframe
    assert backlog.dropped == 35
    backlog.deliver(4 * STEP)
    backlog.passed(Skip(40 * STEP))
    assert backlog.delivered_pts == 40 * STEP - 1


def test_a_slow_worker_drops_again_and_again() -> None:
    backlog = Backlog()
    drops = 0
    for index in range(300):
        backlog.push(frame(index))
        if backlog.is_overfull:
            backlog.drop_unsent()
            drops += 1
    assert drops > 4
    assert len(numbers(unsent(backlog))) < 45


def test_slowness_does_not_drop_sound() -> None:
    backlog = Backlog()
    for index in range(45):
        backlog.push(frame(index))
        backlog.push(sound(index))
    assert backlog.drop_unsent() == 40 * STEP
    entries = unsent(backlog)
    assert sum(isinstance(entry, Packet) and not entry.is_video for entry in entries) == 45
    assert not backlog.is_overfull


def test_slowness_without_a_keyframe_drops_everything() -> None:
    backlog = filled(60, gop=100)
    assert backlog.is_overfull
    assert backlog.drop_unsent() == 59 * STEP + 1
    assert backlog.needs_keyframe
    assert unsent(backlog) == [Skip(59 * STEP + 1)]
    assert not backlog.push(frame(60, gop=100))
    assert backlog.push(frame(100, gop=100))


def test_what_is_replayed_does_not_count_as_slowness() -> None:
    backlog = filled(60, gop=100)
    backlog.rewind()
    assert not backlog.is_overfull
    for index in range(60, 101):
        backlog.push(frame(index, gop=200))
    assert not backlog.is_overfull
    backlog.push(frame(101, gop=200))
    assert backlog.is_overfull


def test_a_gop_that_is_no_longer_kept_costs_the_rest_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 1000)
    backlog = Backlog()
    for index in range(15):
        backlog.push(frame(index, gop=20, data=bytes(100)))
    unsent(backlog)
    assert backlog.is_too_large
    backlog.forget_sent()
    for index in range(15, 23):
        backlog.push(frame(index, gop=20, data=bytes(100)))
    backlog.deliver(13 * STEP)
    assert backlog.rewind() == 20 * STEP
    assert numbers(unsent(backlog)) == [20, 21, 22]
    assert backlog.delivered_pts == 20 * STEP - 1


def test_skipping_a_gop() -> None:
    backlog = filled(25)
    unsent(backlog)
    backlog.deliver(4 * STEP)
    backlog.rewind()
    assert backlog.skip_gop() == 10 * STEP
    assert numbers(unsent(backlog)) == list(range(10, 25))


def test_skipping_the_newest_gop_waits_for_a_keyframe() -> None:
    backlog = filled(8)
    backlog.rewind()
    assert backlog.skip_gop() == 7 * STEP + 1
    assert backlog.needs_keyframe
    assert unsent(backlog) == []


def test_the_end_of_a_run_stays_until_it_has_come_back() -> None:
    backlog = filled(12)
    backlog.push_flush(1)
    assert not backlog.push(frame(12))
    backlog.push(frame(20))
    assert unsent(backlog)[12] == Flush(1)
    backlog.deliver(10 * STEP)
    backlog.rewind()
    assert numbers(unsent(backlog)) == [10, 11, 20]
    backlog.passed(Flush(1))
    assert backlog.delivered_pts == 11 * STEP
    backlog.rewind()
    assert numbers(unsent(backlog)) == [20]


def test_delivered_audio_is_forgotten_but_for_warming_up() -> None:
    backlog = Backlog()
    for index in range(20):
        backlog.push(sound(index))
    assert len(unsent(backlog)) == 20
    backlog.deliver_audio(10 * STEP)
    backlog.rewind()
    assert numbers(unsent(backlog)) == list(range(8, 20))


def test_without_rungs_only_the_newest_gop_is_kept() -> None:
    backlog = filled(8)
    backlog.push(sound(8))
    backlog.forget_video()
    assert numbers(unsent(backlog)) == [8]


def test_a_mark_of_the_workers_own_counts_as_delivery() -> None:
    backlog = filled(25)
    unsent(backlog)
    backlog.passed(Skip(12 * STEP))
    assert backlog.delivered_pts == 12 * STEP - 1
    backlog.rewind()
    assert numbers(unsent(backlog)) == list(range(10, 25))


def test_a_gop_that_kills_twice_is_skipped() -> None:
    crashes = CrashHistory()
    assert crashes.judge(0.0, 10) is Verdict.RETRY
    assert crashes.judge(1.0, 10) is Verdict.SKIP_GOP
    assert crashes.judge(2.0, 20) is Verdict.RETRY
    assert crashes.judge(3.0, 30) is Verdict.RETRY
    assert crashes.judge(4.0, 40) is Verdict.GIVE_UP


def test_crashes_are_forgiven_after_a_minute() -> None:
    crashes = CrashHistory()
    verdicts = [crashes.judge(now, int(now)) for now in (0.0, 31.0, 62.0, 93.0)]
    assert verdicts == [Verdict.RETRY] * 4


def test_workers_that_cannot_start_are_not_tried_for_ever() -> None:
    crashes = CrashHistory()
    assert [crashes.judge(0.0, None) for _ in range(3)] == [Verdict.RETRY, Verdict.RETRY, Verdict.GIVE_UP]


def test_three_poisoned_gops_a_minute_are_too_many() -> None:
    crashes = CrashHistory()
    verdicts = [crashes.judge(0.0, index // 2) for index in range(6)]
    assert verdicts[-1] is Verdict.GIVE_UP
    assert verdicts.count(Verdict.SKIP_GOP) == 2


def test_a_gap_is_said_when_the_frames_before_it_are_there() -> None:
    gap = Gap()
    gap.mark(10, is_open=True)
    gap.extend(15, is_open=True)
    before = gap.is_known
    gap.pass_mark()
    assert (before, gap.is_known) == (False, True)
    assert gap.until_pts == 15


def test_sound_before_the_keyframe_is_kept_until_it_is_delivered() -> None:
    """Without a rung no video is delivered, with one it is ahead of the sound: neither may cost sound."""
    backlog = Backlog()
    for index in range(25):
        backlog.push(frame(index))
        backlog.push(sound(index))
    while backlog.next_unsent():
        pass
    backlog.deliver_audio(15 * STEP)
    backlog.deliver(24 * STEP)
    backlog.rewind()
    again = [entry for entry in iter(backlog.next_unsent, None) if isinstance(entry, Packet)]
    heard = [entry.pts // STEP for entry in again if not entry.is_video]
    assert heard == list(range(13, 25)), "two packets to warm up with"
    assert next(entry.pts // STEP for entry in again if entry.is_video) == 20


def test_sound_that_nobody_delivers_is_not_kept_for_ever() -> None:
    backlog = Backlog()
    for index in range(1000):
        backlog.push(frame(index))
        backlog.push(Packet(AUDIO, index * STEP, index * STEP, b"a" * 1000, is_keyframe=True))
        while backlog.next_unsent():
            pass
        backlog.deliver(index * STEP)
    backlog.rewind()
    kept = [entry.pts for entry in iter(backlog.next_unsent, None) if isinstance(entry, Packet)]
    assert 999 * STEP - min(kept) < 2 * module.MAX_WAITING
    assert not backlog.is_too_large


def test_wanted_resumes_behind_the_last_delivered_frame() -> None:
    wanted = Wanted()
    first = wanted.activate(spec("144p", 256, 144), 100)
    wanted.activate_audio("opus")
    wanted.force_keyframe(200, None)
    wanted.force_keyframe(300, "144p")
    assert next(iter(wanted.resume(NOTHING_DELIVERED))) == first
    assert not wanted.take_frame("144p", 90, True)
    assert not wanted.take_frame("144p", 110, False)
    assert wanted.take_frame("144p", 100, True)
    assert wanted.take_audio(EncodedAudio("opus", 150, b"", 140, 75))
    assert not wanted.take_audio(EncodedAudio("opus", 150, b"", 140, 75))
    wanted.forget_keyframes(250)
    rung, output, keyframe = wanted.resume(250)
    assert getattr(rung, "from_pts", None) == 251
    assert output == ActivateAudio("opus", 151, ((140, 75),))
    assert getattr(keyframe, "pts", None) == 300


def test_a_change_that_is_ahead_is_said_again_with_what_comes_before_it() -> None:
    wanted = Wanted()
    sizes = [(256, 144), (128, 72), (64, 36)]
    for number, (width, height) in enumerate(sizes):
        wanted.activate(spec("144p", width, height), number * 100)

    def resumed(delivered_pts: int) -> list[tuple[int, int]]:
        actives = [item for item in wanted.resume(delivered_pts) if isinstance(item, Activate)]
        return [(active.spec.width, active.from_pts) for active in actives]

    assert resumed(NOTHING_DELIVERED) == [(256, 0), (128, 100), (64, 200)]
    assert resumed(50) == [(256, 51), (128, 100), (64, 200)]
    assert resumed(98) == [(256, 99), (128, 100), (64, 200)]
    assert resumed(99) == [(128, 100), (64, 200)]
    assert resumed(199) == [(64, 200)]
    assert wanted.take_frame("144p", 0, True)
    assert wanted.take_frame("144p", 150, False)
    assert resumed(150) == [(128, 151), (64, 200)]
    wanted.activate(spec("144p", 192, 108), 100)
    assert resumed(150) == [(192, 151)]


def test_changes_that_are_ahead_are_bounded() -> None:
    wanted = Wanted()
    for number in range(20):
        wanted.activate(spec("144p", 256, 144), number)
    assert len(list(wanted.resume(NOTHING_DELIVERED))) == 1 + MAX_FORMER
