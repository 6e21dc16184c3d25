"""How fast the RTMP core parses, beside a naive loop in the same run, on one core.

Like is compared with like. Down to messages: a naive loop that takes chunk after chunk, knows two forms of header and
checks nothing, and our chunk reader. Down to packets: the naive loop and then a cut at a fixed place of each tag, and
our whole core. Input is a 6 Mbit/s stream, 60 frames and 47 audio frames a second, in reads of 64 KiB. What is done
once in a broadcast of hours, opening and configuration, is done before the clock starts, for ours as for the naive
one. The parsers take turns; the best of several rounds counts. Writes `benchmarks/results/rtmp_parse.json`.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from media.aac import aac_track
from media.h264 import h264_track
from media.packet import TICKS_PER_MS, Packet
from rtmp.chunk import ChunkWriter, Message
from rtmp.chunk_reader import ChunkReader
from rtmp.connection import ServerConnection
from rtmp.event import PublishRequested
from rtmp.message import AUDIO, VIDEO
from tests.rtmp.client import AAC_HEADER, Client, audio_frame, avc_config, video_frame, video_header

READ_BYTES = 64 << 10
ROUNDS = 60
SECONDS = 10
TARGETS_GBPS = {128: 0.6, 4096: 6.0}
AVC_CONFIG = avc_config()
KEYFRAME_OF_AVC = 0x17
RESULT = Path(__file__).parent / "results" / "rtmp_parse.json"


def stream(chunk_size: int) -> tuple[bytes, int]:
    """Write the media of a stream; return it and the number of messages in it."""
    nals = [
        b"\x65" + bytes(60_000) if index % 120 == 0 else b"\x41" + bytes(11_900)
        for index in range(60 * SECONDS)
    ]
    messages = [Message(6, index * 1000 // 60, VIDEO, 1, video_frame(nal)) for index, nal in enumerate(nals)]
    audio = audio_frame(bytes(340))
    messages += [Message(4, index * 1000 // 47, AUDIO, 1, audio) for index in range(47 * SECONDS)]
    messages.sort(key=lambda message: message.timestamp)
    writer = ChunkWriter(chunk_size)
    return b"".join(writer.serialize(message) for message in messages), len(messages)


def naive_messages(parts: list[bytes], chunk_size: int) -> Iterator[Message]:
    """Parse what `stream` writes: full headers and one-byte headers only, no bounds, no checks."""
    buffer = bytearray()
    messages: dict[int, Message] = {}
    bodies: dict[int, bytearray] = {}
    lengths: dict[int, int] = {}
    for part in parts:
        buffer += part
        position = 0
        while position < len(buffer):
            first = buffer[position]
            chunk_stream_id = first & 63
            start = position + (1 if first >= 0xC0 else 12)
            if start > len(buffer):
                break
            if first < 0xC0:
                time_ms = int.from_bytes(buffer[position + 1 : position + 4], "big")
                lengths[chunk_stream_id] = int.from_bytes(buffer[position + 4 : position + 7], "big")
                stream_id = int.from_bytes(buffer[position + 8 : position + 12], "little")
                messages[chunk_stream_id] = Message(
                    chunk_stream_id, time_ms, buffer[position + 7], stream_id, b""
                )
            done = len(bodies.get(chunk_stream_id, b""))
            end = start + min(chunk_size, lengths[chunk_stream_id] - done)
            if end > len(buffer):
                break
            body = bodies.setdefault(chunk_stream_id, bytearray())
            body += buffer[start:end]
            position = end
            if len(body) == lengths[chunk_stream_id]:
                message = messages.pop(chunk_stream_id)
                message.payload = bytes(bodies.pop(chunk_stream_id))
                yield message
        del buffer[:position]


Parse = Callable[[list[bytes]], int]
"""Parses reads of the stream; returns the number of messages or packets in it."""


def naive(chunk_size: int) -> Parse:
    return lambda parts: sum(1 for _ in naive_messages(parts, chunk_size))


def naive_core(chunk_size: int) -> Parse:
    """Take every message for H.264 with four-byte lengths or for AAC, and believe what its first byte says."""
    picture, sound = h264_track(AVC_CONFIG), aac_track(AAC_HEADER[2:])

    def parse(parts: list[bytes]) -> int:
        count = 0
        for message in naive_messages(parts, chunk_size):
            payload, time_ticks = message.payload, message.timestamp * TICKS_PER_MS
            if message.type_id == VIDEO:
                pts = time_ticks + int.from_bytes(payload[2:5], "big", signed=True) * TICKS_PER_MS
                packet = Packet(picture, pts, time_ticks, payload[5:], payload[0] == KEYFRAME_OF_AVC)
            else:
                packet = Packet(sound, time_ticks, time_ticks, payload[2:], is_keyframe=True)
            count += bool(packet.data)
        return count

    return parse


def chunk_reader(chunk_size: int) -> Parse:
    reader = ChunkReader()
    reader.chunk_size = chunk_size

    def parse(parts: list[bytes]) -> int:
        count = 0
        for part in parts:
            reader.receive_data(part)
            while reader.next_message() is not None:
                count += 1
        return count

    return parse


def whole_core(chunk_size: int) -> Parse:
    client, connection = Client(chunk_size), ServerConnection(0.0)
    connection.receive_data(client.opening(), 0.0)
    assert isinstance(connection.next_event(), PublishRequested)
    connection.accept_publish(0.0)
    connection.receive_data(client.video(video_header(AVC_CONFIG)) + client.audio(AAC_HEADER), 0.0)
    assert connection.next_event() is None

    def parse(parts: list[bytes]) -> int:
        count = 0
        for part in parts:
            connection.receive_data(part, 0.0)
            while (event := connection.next_event()) is not None:
                count += isinstance(event, Packet)
        return count

    return parse


PARSERS = (naive, chunk_reader, naive_core, whole_core)


def rate_gbps(parse: Parse, parts: list[bytes], messages: int) -> float:
    started = time.thread_time()
    assert parse(parts) == messages
    return sum(map(len, parts)) * 8 / (time.thread_time() - started) / 1e9


def measure(chunk_size: int) -> dict[str, float]:
    data, messages = stream(chunk_size)
    parts = [data[start : start + READ_BYTES] for start in range(0, len(data), READ_BYTES)]
    best: dict[str, float] = {}
    for _ in range(ROUNDS):
        for parser in PARSERS:
            rate = rate_gbps(parser(chunk_size), parts, messages)
            best[parser.__name__] = max(best.get(parser.__name__, 0.0), round(rate, 2))
    return best


def main() -> int:
    results = {}
    is_met = True
    for chunk_size, target in TARGETS_GBPS.items():
        figures = measure(chunk_size)
        is_met = is_met and figures["whole_core"] >= target
        results[str(chunk_size)] = {"target_gbps": target, **figures}
        print(
            f"{chunk_size:5d}-byte chunks, Gbit/s:",
            "  ".join(f"{name} {rate}" for name, rate in figures.items()),
        )
    report = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "gbps_by_chunk_size": results,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(report, indent=2) + "\n")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
