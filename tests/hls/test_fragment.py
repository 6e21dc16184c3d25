import struct

import pytest

from hls.fragment import FragmentSample, fragment
from hls.initialization import audio_init, video_init
from media.error import LocalStateError
from media.opus import opus_track
from media.packet import AudioTrack, VideoTrack

from .boxes import find, read_fragments, walk


def test_samples_come_back_as_they_were_written() -> None:
    samples = [
        FragmentSample(b"key", 3000, True, 0),
        FragmentSample(b"", 3001, False, 6000),
        FragmentSample(b"backward", 1, False, -3000),
    ]
    data = fragment(7, (1 << 40) + 5, samples)
    assert [kind for kind, _, _ in walk(data)] == [
        b"moof",
        b"mfhd",
        b"traf",
        b"tfhd",
        b"tfdt",
        b"trun",
        b"mdat",
    ]
    assert find(data, b"mfhd") == struct.pack(">II", 0, 7)
    read = read_fragments(data)
    assert [(s.duration, s.is_sync, s.pts - s.dts, s.data) for s in read] == [
        (3000, True, 0, b"key"),
        (3001, False, 6000, b""),
        (1, False, -3000, b"backward"),
    ]
    assert read[0].dts == (1 << 40) + 5


def test_a_fragment_may_be_empty() -> None:
    data = fragment(1, 90_000, [])
    assert [kind for kind, _, _ in walk(data)] == [b"moof", b"mfhd", b"traf", b"tfhd", b"tfdt", b"mdat"]
    assert read_fragments(data) == []


@pytest.mark.parametrize(
    ("codec", "entry", "config"),
    [("h264", b"avc1", b"avcC"), ("hevc", b"hvc1", b"hvcC"), ("av1", b"av01", b"av1C")],
)
def test_video_init_names_codec_and_picture(codec: str, entry: bytes, config: bytes) -> None:
    record = bytes(23) if codec == "hevc" else b"CONFIG"
    data = video_init(VideoTrack(codec, record, "string", 720, 576))
    description = find(data, b"stsd")
    assert description[12:16] == entry
    assert struct.unpack_from(">HH", description, 16 + 24) == (720, 576)
    assert config + record in description
    assert struct.pack(">I4sII", 16, b"pasp", 1, 1) in description
    assert find(data, b"ftyp").startswith(b"iso6")
    assert b"cmfc" in find(data, b"ftyp")
    assert not any(kind == b"mehd" for kind, _, _ in walk(data))


def test_audio_init_of_opus_holds_its_configuration() -> None:
    description = find(audio_init(opus_track(2)), b"stsd")
    assert description[12:16] == b"Opus"
    assert b"dOps" in description
    assert struct.unpack_from(">H", description, 16 + 16)[0] == 2


def test_unknown_codecs_are_refused() -> None:
    with pytest.raises(LocalStateError, match="vp6"):
        video_init(VideoTrack("vp6", b"", "vp6", 2, 2))
    with pytest.raises(LocalStateError, match="speex"):
        audio_init(AudioTrack("speex", b"", "speex", 8000, 1))
