"""Hardware encoders without hardware: x264 in their place, which works or fails on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import av
import pytest

from media.error import TranscodeError
from media.h264 import NAL_PPS, NAL_SPS, h264_track, nal_type, split_length_prefixed
from media.rendition import Rendition
from transcode.encoder_choice import MIN_HARDWARE_PIXELS, OPENERS, EncoderChoice, Open, RungEncoder
from transcode.encoder_trial import try_encoder
from transcode.hardware import HARDWARE, HardwareCodec, HardwareEncoder
from transcode.message import Activate, EncodedFrame, EncoderFailed, Frames, Message, RungOpened, UseEncoders
from transcode.pipeline import Pipeline
from transcode.preference import HARDWARE_NAMES
from transcode.rung import rung_spec
from transcode.video_encoder import VideoEncoder

from .faulty_hardware import (
    BY_ITSELF,
    FAILS_AFTER,
    FAULTY,
    KEEPS_PICTURES,
    TELLS_SETS_LATE,
    WORKS,
    WORKS_NV12,
    BreaksDown,
    Garbles,
    IgnoresOrders,
    opens,
    refuses,
)
from .source import STEP, decode, messages, picture, spec, video

RUNG = spec("240p", 426, 240)


def encode(encoder: RungEncoder, count: int = 8, keyframes: tuple[int, ...] = (0, 5)) -> list[bytes]:
    pictures = (picture(index, RUNG.width, RUNG.height) for index in range(count))
    return [encoder.encode(each, index * STEP, index in keyframes) for index, each in enumerate(pictures)]


@pytest.mark.parametrize("codec", [WORKS, WORKS_NV12, TELLS_SETS_LATE])
def test_annex_b_becomes_what_x264_gives(codec: HardwareCodec) -> None:
    encoder = HardwareEncoder(RUNG, codec)
    track = h264_track(encoder.config)
    assert (track.width, track.height, track.codec_string[:7]) == (426, 240, "avc1.42")
    units = encode(encoder)
    types = [{nal_type(nal) for nal in split_length_prefixed(unit)} for unit in units]
    assert [index for index, found in enumerate(types) if 5 in found] == [0, 5]
    assert not any(found & {NAL_SPS, NAL_PPS} for found in types)
    pictures = decode(encoder.config, units)
    assert len(pictures) == len(units)
    for index, found in enumerate(pictures):
        wanted = picture(index, RUNG.width, RUNG.height).to_ndarray()
        assert abs(found.to_ndarray().astype(int) - wanted).mean() < 8
    assert pictures[0].colorspace == 1, "BT.709"


@pytest.mark.parametrize(
    ("opener", "words"),
    [
        (opens(KEEPS_PICTURES), "kept a picture"),
        (IgnoresOrders, "no IDR picture where one was ordered"),
        (opens(BY_ITSELF), "an IDR picture by itself"),
    ],
)
def test_who_does_not_obey_is_given_up(opener: Open, words: str) -> None:
    encoder = opener(RUNG)
    with pytest.raises(TranscodeError, match=words):
        encode(encoder)


def test_pictures_of_another_size_are_refused() -> None:
    """An option makes x264 call its pictures 4:4:4, as a driver might that rounds or converts."""
    with pytest.raises(TranscodeError, match="of another format"):
        HardwareEncoder(RUNG, HardwareCodec("libx264", "yuv444p", {"preset": "ultrafast"}))


def test_every_kind_of_hardware_is_known_by_the_names_that_a_setting_takes() -> None:
    assert tuple(HARDWARE) == HARDWARE_NAMES
    assert {codec.name for codec in HARDWARE.values()} <= av.codecs_available


def choose(*names: str, openers: dict[str, Open] | None = None) -> EncoderChoice:
    return EncoderChoice(names, openers or FAULTY, min_pixels=1)


def test_the_first_that_opens_is_used_and_who_fails_is_not_asked_again() -> None:
    asked: list[str] = []

    def count(name: str) -> Open:
        def opener(rung: object) -> object:
            asked.append(name)
            return FAULTY[name](RUNG)

        return opener  # type: ignore[return-value]

    choice = choose("refuses", "works", openers={name: count(name) for name in ("works", "refuses")})
    configs = {choice.open(RUNG).config for _ in range(3)}
    assert configs == {HardwareEncoder(RUNG, WORKS).config}
    assert asked == ["refuses", "works", "works", "works"]
    assert choice.take_failures() == [EncoderFailed("240p", "refuses", "no session is free")]
    assert choice.take_failures() == []


def test_x264_is_there_when_nothing_opens_or_nothing_is_wanted() -> None:
    x264 = VideoEncoder(RUNG).config
    assert choose("refuses").open(RUNG).config == x264
    assert choose().open(RUNG).config == x264
    assert choose("a name of a newer server").open(RUNG).config == x264


def test_small_rungs_are_x264s() -> None:
    choice = EncoderChoice(["works"], FAULTY)
    for name, width, height in (("144p", 256, 144), ("360p", 640, 360)):
        small = spec(name, width, height)
        assert width * height < MIN_HARDWARE_PIXELS
        assert choice.open(small).config == VideoEncoder(small).config
    large = spec("480p", 854, 480)
    assert choice.open(large).config == HardwareEncoder(large, WORKS).config


def test_pictures_of_several_encoders_decode_whatever_was_known_before() -> None:
    """As where a worker with x264 takes over, and another one with hardware makes a segment on request."""
    units = []
    for name in ("works", "libx264", "works"):
        encoder = choose(name).open(RUNG)
        pictures = (picture(index, RUNG.width, RUNG.height) for index in range(5))
        units += [encoder.encode(each, index * STEP, index == 0).data for index, each in enumerate(pictures)]
    for config in (HardwareEncoder(RUNG, WORKS).config, VideoEncoder(RUNG).config):
        assert len(decode(config, units)) == 15
    alone = EncoderChoice().open(RUNG).encode(picture(0, RUNG.width, RUNG.height), 0, True)
    assert NAL_SPS not in map(nal_type, split_length_prefixed(alone.data)), "not where x264 is all there is"


def run(pipeline: Pipeline, sent: Sequence[Message]) -> list[Message]:
    return [result() for message in sent for result in pipeline.handle(message)]


@pytest.mark.parametrize(
    ("opener", "reason", "good"),
    [
        (BreaksDown, "the device was removed", FAILS_AFTER),
        (opens(KEEPS_PICTURES), "it kept a picture, or gave another one", 0),
        (opens(BY_ITSELF), "it made an IDR picture by itself", 3),
    ],
)
def test_a_rung_goes_on_with_x264_from_the_picture_that_failed(
    opener: Open, reason: str, good: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transcode.encoder_choice.MIN_HARDWARE_PIXELS", 1)
    pipeline = Pipeline({"bad": opener})
    sent = [UseEncoders(("bad",)), Activate(RUNG, 0), *messages(video(30))]
    results = run(pipeline, sent)
    pipeline.close()
    frames = [frame for result in results if isinstance(result, Frames) for frame in result.frames]
    assert len(frames) == 30
    (opened,) = (result for result in results if isinstance(result, RungOpened))
    assert opened.config != VideoEncoder(RUNG).config
    changed = [index for index, frame in enumerate(frames) if frame.config]
    assert changed == [good]
    assert frames[good].is_keyframe
    assert frames[good].config == VideoEncoder(RUNG).config
    assert [result for result in results if isinstance(result, EncoderFailed)] == [
        EncoderFailed("240p", "bad", reason)
    ]
    assert_whole(opened.config, frames)


def assert_whole(config: bytes, frames: list[EncodedFrame]) -> None:
    """Decode everything, each part with its own parameter sets."""
    change = next(index for index, frame in enumerate(frames) if frame.config)
    parts = ((config, frames[:change]), (frames[change].config, frames[change:]))
    pictures = [each for sets, part in parts for each in decode(sets, [frame.data for frame in part])]
    assert len(pictures) == len(frames)


def test_two_rungs_fall_back_each_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transcode.encoder_choice.MIN_HARDWARE_PIXELS", 1)
    pipeline = Pipeline({"bad": BreaksDown})
    other = spec("144p", 256, 144)
    sent = [UseEncoders(("bad",)), Activate(RUNG, 0), Activate(other, 5 * STEP), *messages(video(30))]
    results = run(pipeline, sent)
    late = run(pipeline, [Activate(spec("360p", 640, 360), 30 * STEP)])
    pipeline.close()
    found: dict[str, list[EncodedFrame]] = {}
    for result in results:
        for frame in result.frames if isinstance(result, Frames) else ():
            found.setdefault(frame.rung, []).append(frame)
    changes = {name: [i for i, frame in enumerate(frames) if frame.config] for name, frames in found.items()}
    assert changes == {"240p": [FAILS_AFTER], "144p": [FAILS_AFTER]}
    assert sum(isinstance(result, EncoderFailed) for result in [*results, *late]) == 2
    (opened,) = (result for result in late if isinstance(result, RungOpened))
    assert h264_track(opened.config).codec_string.startswith("avc1.64"), "it is not tried again"


@pytest.mark.parametrize(
    ("opener", "fault"),
    [
        (opens(WORKS), ""),
        (opens(WORKS_NV12), ""),
        (opens(TELLS_SETS_LATE), ""),
        (refuses, "no such hardware"),
        (opens(HardwareCodec("h264_of_another_vendor")), "not built in"),
        (opens(KEEPS_PICTURES), "it kept a picture, or gave another one"),
        (IgnoresOrders, "it made no IDR picture where one was ordered"),
        (opens(BY_ITSELF), "it made an IDR picture by itself"),
        (lambda rung: BreaksDown(rung, 6), "the device was removed"),
        (Garbles, "its pictures are not what went in"),
    ],
)
def test_the_trial_finds_out(opener: Open, fault: str) -> None:
    assert try_encoder("it", {"it": opener}).fault == fault


def test_the_trial_of_x264_and_of_a_name_that_nobody_knows() -> None:
    assert try_encoder("libx264", {}).fault == ""
    assert try_encoder("it", {}).fault == "there is no such encoder"


@pytest.mark.parametrize("name", HARDWARE_NAMES)
def test_real_hardware_works_or_is_told_in_words(name: str) -> None:
    """Here none exists; where one does, its option table is tried by this."""
    assert try_encoder(name, OPENERS).fault in ("", "no such hardware")


def test_the_size_of_the_trial_is_a_rung_that_hardware_gets() -> None:
    real = rung_spec(Rendition("720p", 1280, 720), Fraction(30))
    assert real.width * real.height >= MIN_HARDWARE_PIXELS
