"""Where fuzzing begins: what real encoders send, written by the test client and taken from recordings."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from rtmp.amf0 import EcmaArray, serialize_values
from rtmp.message import AGGREGATE, AUDIO, COMMAND_AMF0, DATA_AMF0, USER_CONTROL, VIDEO
from tests.fuzz.session import command_step, message_step, raw_step
from tests.fuzz.target import MAX_INPUT_BYTES
from tests.rtmp.client import (
    AAC_HEADER,
    HELLO,
    IDR,
    SLICE,
    Client,
    audio_frame,
    avc_config,
    messages_of,
    video_frame,
    video_header,
)

CORPUS = Path(__file__).parent / "corpus"
CAPTURES = Path(__file__).parent.parent / "rtmp" / "captures"

MAX_SEED_FRAME_BYTES = 400
MAX_SEED_FRAMES = 10
"""Of a recording: enough for each of its tracks."""

_METADATA = serialize_values(["@setDataFrame", "onMetaData", EcmaArray(videodatarate=2500.0, width=1280.0)])
_CONNECT = serialize_values(
    [
        "connect",
        1.0,
        {"app": "live", "tcUrl": "rtmp://host/live", "fourCcList": ["hvc1", "av01"], "capsEx": 15.0},
    ]
)


def inputs(target: str) -> list[bytes]:
    """Return the seeds of a target and its committed corpus, always in the same order."""
    corpus = [path.read_bytes() for path in sorted((CORPUS / target).glob("*"))]
    return seeds(target) + corpus


def seeds(target: str) -> list[bytes]:
    """Return inputs to begin with."""
    make = _SEEDS.get(target, list)
    return [seed[:MAX_INPUT_BYTES] for seed in make()]


def mutate(data: bytes, other: bytes, source: random.Random) -> bytes:
    """Damage an input a little, in one to four places."""
    result = bytearray(data)
    for _ in range(source.randint(1, 4)):
        place = source.randrange(len(result) + 1)
        end = min(len(result), place + source.randint(1, 8))
        choice = source.randrange(6)
        if choice == 0:
            result[place:end] = source.randbytes(end - place)
        elif choice == 1:
            del result[place:end]
        elif choice == 2:
            result[place:place] = source.randbytes(source.randint(1, 8))
        elif choice == 3:
            result[place:end] = source.choice((b"\x00", b"\xff", b"\x7f", b"\x80")) * (end - place)
        elif choice == 4:
            result[place:place] = result[place:end] * source.randint(1, 16)
        else:
            start = source.randrange(len(other) + 1)
            result[place:] = other[start:]
    return bytes(result[:MAX_INPUT_BYTES])


def _captures() -> list[bytes]:
    """Return the beginnings of what encoders sent, behind the handshake."""
    return [path.read_bytes()[len(HELLO) :] for path in sorted(CAPTURES.glob("*.bin"))]


def _recorded_tags() -> list[bytes]:
    """Return what encoders sent as steps: configurations and the frames that are small."""
    seeds = []
    for data in _captures():
        messages = [message for message in messages_of(data) if message.type_id in (AUDIO, VIDEO, DATA_AMF0)]
        steps = [
            message_step(message.type_id, message.payload)
            for message in messages
            if len(message.payload) <= MAX_SEED_FRAME_BYTES
        ]
        seeds.append(b"".join(steps[:MAX_SEED_FRAMES]))
    return seeds


def _media() -> list[bytes]:
    return [
        message_step(VIDEO, video_header(avc_config())),
        message_step(AUDIO, AAC_HEADER),
        message_step(DATA_AMF0, _METADATA),
        message_step(VIDEO, video_frame(IDR)),
        message_step(AUDIO, audio_frame()),
        message_step(VIDEO, video_frame(SLICE, composition_ms=-40)),
    ]


def _enhanced() -> list[bytes]:
    """Write the forms of Enhanced RTMP: each packet type with each codec, multitrack, ModEx."""
    video = [
        bytes([0x90 | kind]) + fourcc for fourcc in (b"hvc1", b"av01", b"vp09", b"avc1") for kind in range(8)
    ]
    audio = [
        bytes([0x90 | kind]) + fourcc
        for fourcc in (b"Opus", b"fLaC", b".mp3", b"ac-3", b"ec-3", b"mp4a")
        for kind in (0, 1, 2, 4, 5, 7)
    ]
    body = bytes.fromhex("0001000000050102030405")
    return [message_step(VIDEO, head + body) for head in video] + [
        message_step(AUDIO, head + body) for head in audio
    ]


def _chunk_seeds() -> list[bytes]:
    client = Client(4096)
    stream = (
        client.connect()
        + client.set_chunk_size(200)
        + client.video(bytes(900), 1 << 24)
        + client.audio(b"a", 9)
    )
    return [b"\x00" + capture for capture in _captures()] + [b"\x07" + stream]


def _session_seeds() -> list[bytes]:
    opening = b"".join(command_step(index) for index in (0, 2, 3, 4, 5))
    ending = b"".join(command_step(index) for index in (7, 8, 9))
    aggregate = bytes([AUDIO]) + (4).to_bytes(3, "big") + bytes(7) + AAC_HEADER + bytes(4)
    rest = [
        message_step(COMMAND_AMF0, _CONNECT),
        message_step(USER_CONTROL, bytes.fromhex("000600000001")),
        message_step(AGGREGATE, aggregate),
    ]
    whole = opening + b"".join(_media() + rest) + ending
    return [whole, *(opening + step for step in rest), *(raw_step(capture[:2000]) for capture in _captures())]


def _amf3_seeds() -> list[bytes]:
    string, name = b"\x06\x07abc", b"\x03x"
    array = b"\x09\x05" + name + b"\x04\x8f\x00" + b"\x01" + string + b"\x09\x00"
    typed = b"\x0a\x23\x05ab" + name + name + b"\x05" + bytes(8) + b"\x03" + b"\x0a\x01"
    dynamic = b"\x0a\x0b\x01" + name + b"\x02" + b"\x01"
    vectors = b"\x0d\x05\x00" + bytes(8) + b"\x0f\x03\x00" + bytes(8) + b"\x10\x03\x00\x01\x02"
    nested = b"".join(b"\x09\x03\x01" * 12 + bytes([0x09, 2 * last]) for last in (0, 0, 12, 24, 36, 48))
    return [
        array + typed,
        dynamic + vectors,
        b"\x08\x01" + bytes(8) + b"\x0c\x03a\x11\x03\x00\x06\x00\x01",
        nested,
    ]


_SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "handshake": lambda: [
        b"\x00" + HELLO,
        b"\x40\x03",
        b"\x00\x16\x03\x01",
        b"\x00GET / HTTP/1.1",
        b"\x01\x06",
    ],
    "chunk": _chunk_seeds,
    "amf0": lambda: [_METADATA, _CONNECT, serialize_values([[1.0, True, None, "x" * 70_000]])],
    "amf3": _amf3_seeds,
    "tag": lambda: [b"".join(_media()), *_recorded_tags(), *_enhanced()],
    "session": _session_seeds,
}
