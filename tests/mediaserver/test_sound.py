"""Sound: what suits as it is, and what is done about the rest."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hls.config import HlsConfig
from hls.output import HlsOutput
from media.aac import STEREO_48K, aac_track
from media.packet import CLOCK_HZ, AudioTrack, Packet
from mediaserver.live.sound import MAX_LAG, Sound, suits_copy

from .scene import AAC_44, AAC_48, FRAME, NOW, SURROUND


@pytest.mark.parametrize(
    ("track", "suits"),
    [
        (AAC_48, True),
        (AAC_44, True),
        (aac_track(bytes.fromhex("1188")), True),
        (SURROUND, False),
        (aac_track(bytes.fromhex("2b920800")), False),
        (replace(AAC_48, codec="opus", codec_string="opus"), False),
    ],
    ids=["48000", "44100", "mono", "six channels", "HE-AAC", "Opus"],
)
def test_what_goes_out_as_it_came(track: AudioTrack, suits: bool) -> None:
    assert suits_copy(track) is suits


def make_sound(track: AudioTrack | None) -> tuple[Sound, HlsOutput]:
    output = HlsOutput(HlsConfig())
    output.timeline.begin(0, NOW)
    sound = Sound(output.add_audio(STEREO_48K if track is None else track))
    sound.begin(track, 0)
    return sound, output


def published_s(output: HlsOutput) -> float:
    view = output.view("audio")
    return sum(segment.duration_s for segment in view.segments) if view is not None else 0.0


def play(sound: Sound, output: HlsOutput, start: int, frames: int, *, lag: int | None) -> float:
    """Advance video frame by frame, with audio so many ticks behind or none; return how far parts fell behind."""
    behind = 0.0
    for number in range(start, start + frames):
        at = number * FRAME
        output.timeline.advance(at, can_cut=number % 50 == 0)
        if lag is not None:
            first = -(-max(0, at - FRAME - lag) // 1920)
            for index in range(first, -(-max(0, at - lag) // 1920)):
                sound.receive(Packet(AAC_48, index * 1920, index * 1920, b"<a>", is_keyframe=True))
        sound.advance(at)
        behind = max(behind, at / CLOCK_HZ - published_s(output))
    return behind


def is_missing(sound: Sound) -> bool:
    return sound.is_missing


def test_a_silent_source_is_never_behind() -> None:
    sound, output = make_sound(None)
    assert play(sound, output, 1, 100, lag=None) < 0.6
    assert not sound.is_missing


@pytest.mark.parametrize("lag_s", [0.0, 0.2, 1.0, 1.4])
def test_audio_that_is_late_is_waited_for(lag_s: float) -> None:
    sound, output = make_sound(AAC_48)
    assert play(sound, output, 1, 200, lag=round(lag_s * CLOCK_HZ)) < lag_s + 0.7
    assert not sound.is_missing


def test_audio_that_stops_is_replaced_and_comes_back() -> None:
    sound, output = make_sound(AAC_48)
    play(sound, output, 1, 50, lag=0)
    assert play(sound, output, 51, 60, lag=None) < MAX_LAG / CLOCK_HZ + 0.6
    assert is_missing(sound)
    assert play(sound, output, 111, 50, lag=None) < 1.2, "steadily, and not in bursts"
    play(sound, output, 161, 50, lag=FRAME)
    assert not is_missing(sound)
    output.timeline.end_segment(211 * FRAME)
    sound.end_run(211 * FRAME)
    view = output.view("audio")
    assert view is not None
    assert published_s(output) == pytest.approx(211 * 0.04, abs=0.03)
    assert not any(part.is_gap for segment in view.segments for part in segment.parts)


def test_encoded_audio_is_waited_for_at_the_end_of_a_run() -> None:
    sound, output = make_sound(SURROUND)
    assert sound.is_encoded
    play(sound, output, 1, 20, lag=0)
    output.timeline.end_segment(25 * FRAME)
    sound.end_run(25 * FRAME)
    before = published_s(output)
    sound.finish_run()
    assert before < published_s(output) == pytest.approx(1.0, abs=0.03)
    sound.finish_run()
