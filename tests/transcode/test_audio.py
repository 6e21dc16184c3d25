from __future__ import annotations

from itertools import pairwise
from typing import Any

import av
import numpy as np
import pytest

from media.packet import CLOCK_HZ, Packet
from media.timing import rescale
from transcode.audio import ENCODINGS
from transcode.delivery import AUDIO_TRACKS
from transcode.message import ActivateAudio, EncodedAudio, Flush, Message
from transcode.pipeline import Pipeline

from .source import audio, messages


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
