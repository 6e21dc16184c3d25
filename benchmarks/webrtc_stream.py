"""What the benchmarks of the fan-out send: the frames of 720p at 30 Hz with Opus, sockets to send to, and figures."""

from __future__ import annotations

import contextlib
import os
import random
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.hls_latency import percentile
from media.nal import join_length_prefixed

SENDER_CORE, DRAIN_CORE = {0}, {1}
FPS, AUDIO_HZ = 30, 50
BITRATE_BPS = 2_500_000
KEYFRAME_EVERY = 60
KEYFRAME_RATIO = 10
"""A keyframe is so much larger than another frame."""
SPREAD = 0.3
"""By which sizes differ from frame to frame."""
OPUS_BYTES = 240
"""20 ms of 96 kbit/s."""
DRAIN_EVERY_S = 0.005
RECEIVE_BUFFER_BYTES = 1 << 20


class Item(NamedTuple):
    """One frame or audio packet."""

    due_s: float
    pts: int
    data: bytes
    is_video: bool
    is_keyframe: bool


def stream(seconds: float) -> list[Item]:
    """Make the items of so many seconds, always the same ones."""
    chance = random.Random(8)  # noqa: S311  # sizes, no secrets
    mean = BITRATE_BPS / 8 / FPS * KEYFRAME_EVERY / (KEYFRAME_EVERY - 1 + KEYFRAME_RATIO)
    items = [
        Item(number / AUDIO_HZ, number * 90_000 // AUDIO_HZ, bytes([0xFC]) * OPUS_BYTES, False, False)
        for number in range(int(seconds * AUDIO_HZ))
    ]
    for number in range(int(seconds * FPS)):
        is_keyframe = number % KEYFRAME_EVERY == 0
        size = int(mean * (KEYFRAME_RATIO if is_keyframe else chance.uniform(1 - SPREAD, 1 + SPREAD)))
        parameters = [b"\x67" + bytes([1] * 24), b"\x68" + bytes([1] * 5)] if is_keyframe else []
        picture = bytes([0x65 if is_keyframe else 0x41]) + bytes([7]) * size
        data = join_length_prefixed([*parameters, picture])
        items.append(Item(number / FPS, number * 90_000 // FPS, data, True, is_keyframe))
    return sorted(items)


def wait_until(when: float) -> None:
    """Sleep; say nothing of how exactly."""
    wait_s = when - time.monotonic()
    if wait_s > 0:
        time.sleep(wait_s)


class Figures:
    """CPU and lateness of a run."""

    def __init__(self) -> None:
        self.late_s: list[float] = []
        """From when a batch was meant to go until the last viewer's was handed over."""
        self.frame_late_s: list[float] = []
        """The same from when the frame was there: with what pacing adds."""
        self._wall, self._cpu, self._waited_s = time.monotonic(), time.process_time(), _waited_s()

    def report(self, viewers: int, packets: int) -> dict[str, float]:
        """Return the figures of the time since this object was made."""
        cores = (time.process_time() - self._cpu) / (time.monotonic() - self._wall)
        return {
            "viewers": viewers,
            "cores": round(cores, 3),
            "percent_per_viewer": round(100 * cores / viewers, 3),
            "p50_late_ms": round(1000 * percentile(self.late_s, 0.5), 1),
            "p99_late_ms": round(1000 * percentile(self.late_s, 0.99), 1),
            "p99_frame_late_ms": round(1000 * percentile(self.frame_late_s, 0.99), 1),
            "waited_for_core_s": round(_waited_s() - self._waited_s, 2),
            "packets": packets,
        }


def _waited_s() -> float:
    """Seconds that this process wanted its core and another one had it: much of it, and lateness says nothing."""
    return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9


def drain(count: int) -> None:
    """Be `count` viewers who only read: say the ports first, the packets that came when standard input ends."""
    os.sched_setaffinity(0, DRAIN_CORE)
    poll, sockets = select.epoll(), {}
    for _ in range(count):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        poll.register(sock, select.EPOLLIN)
        sockets[sock.fileno()] = sock
    print(*(sock.getsockname()[1] for sock in sockets.values()), flush=True)
    poll.register(sys.stdin, select.EPOLLIN)
    buffer, received = bytearray(2048), 0
    while True:
        ready = poll.poll(maxevents=count + 1)
        for number, _ in ready:
            if number not in sockets:
                print(received, flush=True)
                return
            with contextlib.suppress(BlockingIOError):
                while sockets[number].recv_into(buffer):
                    received += 1
        time.sleep(DRAIN_EVERY_S)


@contextlib.contextmanager
def drained(script: Path, count: int) -> Iterator[tuple[Sequence[int], subprocess.Popen[str]]]:
    """Run viewers in a process of their own; yield their ports and the process."""
    command = [sys.executable, str(script), "--drain", str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield [int(port) for port in process.stdout.readline().split()], process
