from __future__ import annotations

from itertools import pairwise
from typing import Any

import av
import numpy as np
import pytest

from media.packet import CLOCK_HZ, AudioTrack, Packet
from media.timing import rescale
from transcode.audio import ENCODINGS, AudioDecoder
from transcode.delivery import AUDIO_TRACKS
from transcode.message import ActivateAudio, EncodedAudio, Flush, Message
from transcode.pipeline import Pipeline

from .source import audio, messages, sine


def encode(packets: list[Packet], *before: Message) -> list[EncodedAudio]:
    pipeline = Pipeline()
    sent: list[Message] = [*before, *messages(packets), Flush(1)]
    results = [result() for message in sent for result in pipeline.handle(message)]
    return [result for result in results if isinstance(result, EncodedAudio)]


def positions(packets: list[EncodedAudio]) -> list[int]:
    return [rescale(packet.pts, 48_000, CLOCK_HZ) for packet in packets]


def decoded(output: str, packets: list[EncodedAudio]) -> Any:
    codec: Any = av.CodecContext.create("aac" if output == "aac" else "libopus", "r")
    if output == "aac":
        codec.extradata = AUDIO_TRACKS["aac"].config
    frames = [frame for packet in packets for frame in codec.decode(av.Packet(packet.data))]
    resampler = av.AudioResampler("fltp", "stereo", 48_000)
    return np.concatenate([out.to_ndarray() for frame in frames for out in resampler.resample(frame)], axis=1)


@pytest.mark.parametrize("output", ["aac", "opus"])
@pytest.mark.parametrize(
    ("rate", "layout"), [(48_000, "stereo"), (44_100, "mono"), (32_000, "5.1"), (22_050, "mono")]
)
def test_any_aac_becomes_48_khz_stereo_without_a_seam(output: str, rate: int, layout: str) -> None:
    start = 12_345 * 90
    packets = encode(audio(1.5, sample_rate=rate, layout=layout, start=start), ActivateAudio(output, 0))
    steps = {b - a for a, b in pairwise(positions(packets))}
    assert steps == {ENCODINGS[output].frame_samples}
    assert abs(packets[0].pts - start) < CLOCK_HZ // 25
    sound = decoded(output, packets)
    assert sound.shape[0] == 2
    assert sound.shape[1] / 48_000 == pytest.approx(1.5, abs=0.1)
    assert np.sqrt(np.mean(sound[:, 9600:-9600] ** 2)) > 0.03


@pytest.mark.parametrize("output", ["aac", "opus"])
def test_the_grid_does_not_depend_on_when_it_began(output: str) -> None:
    source = audio(2.0)
    whole = encode(source, ActivateAudio(output, 0))
    wanted_from = whole[40].pts
    later = encode(source[20:], ActivateAudio(output, wanted_from))
    assert len(later) >= len(whole) - 41, "milliseconds decide whether the last frame fills up"
    assert [packet.pts for packet in later] == [packet.pts for packet in whole[40:]][: len(later)]
    # A worker that takes over sounds the same after its codecs have warmed up.
    joined = decoded(output, whole[:40] + later)
    assert np.abs(np.diff(joined[0])).max() < 0.25


def level(sound: Any) -> list[float]:
    """Return each channel's amplitude, of a tone, away from the ends."""
    middle = sound[:, 9600:-9600]
    return [float(each) for each in np.sqrt(2 * np.mean(middle**2, axis=1))]


@pytest.mark.parametrize(
    ("layout", "levels", "wanted"),
    [
        ("mono", [0.5], [0.5, 0.5]),
        ("stereo", [0.5, 0.25], [0.5, 0.25]),
        ("5.1", [0, 0, 0.9, 0, 0, 0], [0.264, 0.264]),
        ("5.1", [0, 0, 0, 0.9, 0, 0], [0, 0]),
        ("5.1", [0.9, 0, 0, 0, 0.9, 0], [0.636, 0]),
        ("5.1", [0.98] * 6, [0.98, 0.98]),
    ],
)
@pytest.mark.parametrize("rate", [48_000, 44_100])
def test_levels_of_a_downmix(layout: str, levels: list[float], wanted: list[float], rate: int) -> None:
    """Dialogue (the centre) is on both sides, bass effects on none, and all at full scale do not clip."""
    source = sine(440, 1.5, layout=layout, rate=rate, levels=levels)
    decoder = AudioDecoder()
    assert isinstance(source[0].track, AudioTrack)
    decoder.set_track(source[0].track)
    data = b"".join(decoder.decode(packet.pts, packet.data) for packet in source)
    sound = np.frombuffer(data, np.float32).reshape(-1, 2).T
    assert level(sound) == pytest.approx(wanted, abs=0.003)
    assert np.abs(sound).max() <= 1.0


@pytest.mark.parametrize("rate", [48_000, 44_100])
@pytest.mark.parametrize("output", ["aac", "opus"])
def test_a_worker_that_takes_over_puts_every_sample_in_its_place(output: str, rate: int) -> None:
    """Timestamps in milliseconds alone would be up to 47 samples wrong, which is heard as a click."""
    source = sine(997, 3.5, layout="stereo", rate=rate, levels=[0.5, 0.5])
    whole = encode(source, ActivateAudio(output, 0))
    begin = next(index for index, packet in enumerate(source) if packet.pts > 2 * CLOCK_HZ)
    wanted_from = source[begin].pts + CLOCK_HZ // 5
    placed = tuple((packet.source_pts, packet.source_position) for packet in whole)
    later = encode(source[begin:], ActivateAudio(output, wanted_from, placed))
    kept = [packet for packet in whole if packet.pts < wanted_from]
    assert later[0].pts == whole[len(kept)].pts
    expected, found = decoded(output, whole), decoded(output, kept + later)
    count = min(expected.shape[1], found.shape[1]) - 9600
    assert count > 2.5 * 48_000
    difference = np.abs(expected - found)[:, 9600:count]
    assert difference.max() < 0.1, "of 0.5: what two encoders of other pasts differ by"


def test_a_hole_is_filled_with_silence_on_the_grid() -> None:
    source = audio(2.0)
    packets = encode(source[:40] + source[60:], ActivateAudio("aac", 0))
    assert {b - a for a, b in pairwise(positions(packets))} == {1024}
    sound = decoded("aac", packets)
    assert sound.shape[1] / 48_000 == pytest.approx(2.0, abs=0.1)
    assert np.abs(sound[:, 45 * 1024 : 55 * 1024]).max() < 0.01


def test_an_overlap_is_cut() -> None:
    source = audio(1.0)
    packets = encode(source[:30] + source[20:], ActivateAudio("aac", 0))
    assert {b - a for a, b in pairwise(positions(packets))} == {1024}
    assert decoded("aac", packets).shape[1] / 48_000 == pytest.approx(1.0, abs=0.1)


def test_a_long_hole_begins_anew_on_the_grid() -> None:
    packets = encode(audio(1.0) + audio(1.0, start=20 * CLOCK_HZ), ActivateAudio("opus", 0))
    steps = [b - a for a, b in pairwise(positions(packets))]
    assert len([step for step in steps if step != 960]) == 1
    assert all(step > 0 for step in steps)
    assert all(step % 960 == 0 for step in steps)


@pytest.mark.parametrize("damage", [b"", b"\xff" * 40, b"\0"])
def test_a_broken_packet_is_a_hole(damage: bytes) -> None:
    source = audio(1.0)
    source[10] = Packet(source[10].track, source[10].pts, source[10].dts, damage, is_keyframe=True)
    packets = encode(source, ActivateAudio("aac", 0))
    assert len(packets) >= len(source) - 4


def test_declared_tracks_are_what_the_encoders_make() -> None:
    codec: Any = av.CodecContext.create("aac", "w")
    codec.sample_rate, codec.layout, codec.format = 48_000, "stereo", "fltp"
    codec.flags |= av.codec.context.Flags.global_header
    codec.open()
    assert codec.extradata.startswith(AUDIO_TRACKS["aac"].config)
    assert (AUDIO_TRACKS["aac"].sample_rate, AUDIO_TRACKS["aac"].channels) == (48_000, 2)
    assert AUDIO_TRACKS["opus"].frame_samples == ENCODINGS["opus"].frame_samples
