"""Ingest health: figures that are right, and words where something is wrong."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, replace
from fractions import Fraction

import pytest

from control_api.stream.health import StreamHealthAnswer
from media.packet import CLOCK_HZ, AudioTrack, Packet, VideoTrack
from mediaserver.live.health import HealthReport, IngestHealth

VIDEO = VideoTrack("h264", b"", "avc1.640028", 1920, 1080, Fraction(30), bitrate_bps=6_000_000)
AUDIO = AudioTrack("aac", b"", "mp4a.40.2", 48_000, 2, bitrate_bps=160_000)
FRAME_BYTES = 6_000_000 // 8 // 30
START = 1000.0


class Encoder:
    """Sends frames of video and audio, in milliseconds, at their times or as told."""

    def __init__(self, video: VideoTrack | None = VIDEO, audio: AudioTrack | None = AUDIO) -> None:
        self.health = IngestHealth(START)
        self.video = video
        self.audio = audio
        self.now = START + 2.0  # after the handshake and so on
        self._sent = 0.0
        self._audio_sent = 0.0
        self._keyframe_at = 0.0

    def send(
        self,
        seconds: float,
        *,
        fps: float = 30,
        keyframe_s: float = 2.0,
        size: int = FRAME_BYTES,
        arrival: Callable[[float], float] = lambda time: time,
        skip: Callable[[int], bool] = lambda number: False,
    ) -> HealthReport:
        """Send so many seconds of media; `arrival` says when what has a time comes."""
        begin, first = self._sent, self.now
        for number in range(round(seconds * fps)):
            at = number / fps
            self.now = first + arrival(at)
            if self.video is not None and not skip(number):
                is_keyframe = begin + at - self._keyframe_at >= keyframe_s - 1e-6 or begin + at == 0
                self._keyframe_at = begin + at if is_keyframe else self._keyframe_at
                dts = round((begin + at) * 1000) * 90
                packet = Packet(self.video, dts, dts, bytes(size), is_keyframe=is_keyframe)
                self.health.receive(packet, self.now)
            while self.audio is not None and self._audio_sent <= begin + at:
                pts = round(self._audio_sent * 1000) * 90
                self.health.receive(Packet(self.audio, pts, pts, bytes(427), is_keyframe=True), self.now)
                self._audio_sent += 1024 / 48_000
        self._sent += seconds
        self.now = first + arrival(seconds)
        return self.health.report(self.now)


def test_a_good_signal() -> None:
    report = Encoder().send(20)
    assert report.warnings == ()
    assert report.video_bitrate_bps == pytest.approx(6_000_000, rel=0.03)
    assert report.audio_bitrate_bps == pytest.approx(160_000, rel=0.03)
    assert report.bitrate_bps == pytest.approx(6_160_000, rel=0.03)
    assert report.fps == pytest.approx(30, abs=0.3)
    assert (report.keyframe_interval_s, report.max_keyframe_interval_s) == (2.0, 2.0)
    assert report.jitter_ms is not None
    assert report.jitter_ms < 1
    assert report.idle_s == pytest.approx(1 / 30, abs=0.01)
    assert (report.dropped_frames, report.repaired_timestamps) == (0, 0)
    assert asdict(report)["video"] == {
        "codec": "h264",
        "codec_string": "avc1.640028",
        "width": 1920,
        "height": 1080,
        "frame_rate": 30.0,
        "bit_depth": 8,
        "announced_bitrate_bps": 6_000_000,
    }
    assert asdict(report)["audio"] == {
        "codec": "aac",
        "codec_string": "mp4a.40.2",
        "sample_rate": 48_000,
        "channels": 2,
        "announced_bitrate_bps": 160_000,
        "loudness_lufs": None,
        "momentary_lufs": None,
        "integrated_lufs": None,
        "peak_dbfs": None,
    }


def test_the_report_is_the_answer_of_the_route() -> None:
    facts = asdict(Encoder().send(6))
    answer = StreamHealthAnswer.model_validate({"connected": True, **facts})
    told = json.loads(answer.model_dump_json())
    assert {name: told[name] for name in facts} == json.loads(json.dumps(facts))


@pytest.mark.parametrize("at_s", [0.0, 0.5])
def test_nothing_is_known_at_first(at_s: float) -> None:
    encoder = Encoder()
    empty = encoder.health.report(START + 1)
    assert (empty.bitrate_bps, empty.fps, empty.idle_s, empty.video, empty.warnings) == (*[None] * 4, ())
    report = encoder.send(at_s)
    assert (report.bitrate_bps, report.fps, report.keyframe_interval_s, report.warnings) == (*[None] * 3, ())


def slow(time: float) -> float:
    return time / 0.7


def in_bursts(time: float) -> float:
    return (time // 1.5 + 1) * 1.5


RARE = "Keyframe interval is 8.3 s; set 2 s in OBS → Settings → Output → Keyframe Interval."

WORDS = [
    ("keyframes are rare", {"keyframe_s": 250 / 30, "seconds": 20}, [RARE]),
    ("no second keyframe yet", {"keyframe_s": 99.0, "seconds": 9}, ["Keyframe interval is 9.0 s; set 2 s"]),
    ("slow connection", {"arrival": slow}, ["with 21 of 30 frames per second: the connection"]),
    (
        "skipped frames",
        {"skip": lambda number: number % 10 in (3, 6, 8)},
        ["with 21 of 30 frames per second: the encoder skips"],
    ),
    ("another rate than declared", {"fps": 25}, ["declares 30 frames per second and has 25"]),
    (
        "variable frame rate",
        {"fps": 120, "skip": lambda number: number % 12 not in (0, 1, 7), "size": FRAME_BYTES},
        ["The frame rate varies"],
    ),
    ("far too much", {"size": 2 * FRAME_BYTES}, ["The video has 12.0 of the announced 6.0 Mbit/s"]),
    ("far too little", {"size": FRAME_BYTES // 5}, ["The video has only 1.2 of the announced 6.0 Mbit/s"]),
    ("bursts", {"arrival": in_bursts, "seconds": 12}, ["Frames arrive in bursts, up to 1.5 s late"]),
]


@pytest.mark.parametrize(("options", "expected"), [row[1:] for row in WORDS], ids=[row[0] for row in WORDS])
def test_what_is_wrong_is_said_with_its_remedy(options: dict[str, object], expected: list[str]) -> None:
    report = Encoder().send(**{"seconds": 10, **options})  # type: ignore[arg-type]
    assert len(report.warnings) == len(expected), report.warnings
    for warning, words in zip(report.warnings, expected, strict=True):
        assert words in warning
        assert warning.endswith(".")


def test_a_fault_that_is_over_is_not_spoken_of() -> None:
    encoder = Encoder()
    assert encoder.send(20, keyframe_s=8.3).warnings
    report = encoder.send(10)
    assert report.warnings == ()
    assert report.keyframe_interval_s == 2.0
    assert report.max_keyframe_interval_s == pytest.approx(8.3, abs=0.04)


def test_sound_that_is_missing() -> None:
    assert "No audio arrives" in Encoder(audio=None).send(3).warnings[0]
    assert Encoder(audio=None).send(1.5).warnings == ()
    encoder = Encoder()
    encoder.send(6)
    encoder.audio = None
    assert encoder.send(1.5).warnings == ()
    assert "No audio arrives" in encoder.send(1.5).warnings[0]


def test_a_picture_that_is_missing() -> None:
    report = Encoder(video=None).send(8)
    assert ["Only audio arrives" in warning for warning in report.warnings] == [True]
    assert (report.fps, report.video, report.video_bitrate_bps) == (None, None, 0)
    encoder = Encoder()
    encoder.send(6)
    encoder.video = None
    assert ["Only audio arrives" in warning for warning in encoder.send(4).warnings] == [True]


def test_silence_on_the_line() -> None:
    encoder = Encoder()
    encoder.send(6)
    report = encoder.health.report(encoder.now + 3)
    assert report.idle_s == pytest.approx(3, abs=0.1)
    assert [warning.split(":")[0] for warning in report.warnings] == ["Nothing has arrived for 3 s"]
    assert encoder.health.report(encoder.now + 60).bitrate_bps == 0


def test_what_the_server_had_to_do_is_told_for_a_while() -> None:
    encoder = Encoder()
    encoder.send(6)
    for _ in range(3):
        encoder.health.note_repaired()
    encoder.health.note_dropped(40)
    encoder.health.note_dropped(2)
    report = encoder.send(6)
    assert (report.repaired_timestamps, report.dropped_frames) == (3, 42)
    assert "stand still or go back, 3 times" in report.warnings[0]
    assert "42 frames were dropped" in report.warnings[1]
    later = encoder.send(30)
    assert (later.repaired_timestamps, later.dropped_frames, later.warnings) == (3, 42, ())


@pytest.mark.parametrize(
    ("tracks", "words"), [(1, "1 more audio track arrives"), (200, "16 more audio tracks")]
)
def test_tracks_that_are_ignored(tracks: int, words: str) -> None:
    encoder = Encoder()
    encoder.send(5)
    for number in range(tracks):
        extra = Packet(AUDIO, 0, 0, bytes(1000), is_keyframe=True, track_id=1 + number)
        encoder.health.receive(extra, encoder.now)
        encoder.health.receive(replace(extra, track=VIDEO), encoder.now)
    report = encoder.health.report(encoder.now)
    assert words in report.warnings[0]
    # Their bytes are part of what arrives, nothing else of them counts.
    assert report.bitrate_bps is not None
    assert report.video_bitrate_bps is not None
    assert report.bitrate_bps - report.video_bitrate_bps > tracks * 2000 * 8 / 5
    assert report.video_bitrate_bps == pytest.approx(6_000_000, rel=0.05)
    assert report.fps == pytest.approx(30, abs=0.3)


def test_a_jump_of_the_encoders_clock_is_no_interval() -> None:
    encoder = Encoder()
    encoder.send(6)
    encoder._sent += 3600
    encoder._audio_sent += 3600
    encoder._keyframe_at += 3600
    report = encoder.send(6)
    assert report.max_keyframe_interval_s == 2.0
    assert report.jitter_ms is not None
    assert report.jitter_ms < 1
    assert report.warnings == ()


def test_a_damaged_frame_rate_is_not_held_against_the_encoder() -> None:
    assert Encoder(video=replace(VIDEO, frame_rate=Fraction(CLOCK_HZ))).send(8).warnings == ()
    assert Encoder(video=replace(VIDEO, frame_rate=None)).send(8).warnings == ()


def test_memory_does_not_grow() -> None:
    encoder = Encoder()
    encoder.send(20)
    tracemalloc.start()
    encoder.send(100)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 20_000
