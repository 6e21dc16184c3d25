"""CPU of the RTMP server under many publishers whose media is discarded, beside nginx with its RTMP module.

python benchmarks/rtmp_publishers.py [--publishers 50] [--seconds 20]

Publishers are one light process: bytes made before, written frame by frame at their time (30 pictures and 47 audio
frames a second, 1 Mbit/s). The same ones publish to our `RtmpServer` in a process of its own, then to nginx, whose
module is Debian's `libnginx-mod-rtmp`. Writes `benchmarks/results/rtmp_publishers.json`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import heapq
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import structlog
import uvloop

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.clip import RESULTS
from media.packet import Packet
from rtmp.port import Publication, PublishRequest
from rtmp.server import RtmpServer
from tests.rtmp.client import AAC_HEADER, Client, audio_frame, avc_config, video_frame, video_header

TARGET_CORES = 0.5
BITRATE_BPS = 1_000_000
PICTURES_PER_S, SOUNDS_PER_S = 30, 47
AUDIO_BYTES = 340
CHUNK_SIZE = 4096
SETTLE_S = 3.0
"""From the last publisher's opening to the first look at the clock of the CPU."""
ANSWER_TIMEOUT_S = 10.0
DRAIN_EVERY = 64
"""Frames between two looks at what the server says, which is little."""
MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
PACKAGES = ("nginx", "libnginx-mod-rtmp")


class Discard:
    """A gate that lets everybody in, and a publication that only counts."""

    def __init__(self) -> None:
        self.packets = 0

    async def publish(self, request: PublishRequest, kick: Callable[[str], None]) -> Publication:  # noqa: ARG002
        return self

    def receive(self, packet: Packet) -> None:  # noqa: ARG002
        self.packets += 1

    def receive_metadata(self, metadata: Mapping[str, object]) -> None:
        """Discard it."""

    def note_dropped(self, count: int) -> None:
        """Discard it."""

    def hold_s(self) -> float:
        return 0.0

    async def ready(self) -> None:
        """Take more at once."""

    def close(self, clean: bool, reason: str = "") -> None:
        """Nothing is held."""


async def serve() -> None:
    """Serve until the standard input ends; say the port first and the number of packets last."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    gate = Discard()
    server = RtmpServer(gate, "127.0.0.1", 0)
    await server.start()
    print(server.port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    print(gate.packets, flush=True)
    await server.close()


def media(seconds: float) -> list[tuple[float, bytes]]:
    """Write the frames of a publisher with their times."""
    client = Client(CHUNK_SIZE)
    client.set_chunk_size(CHUNK_SIZE)
    picture_bytes = (BITRATE_BPS // 8 - SOUNDS_PER_S * AUDIO_BYTES) // PICTURES_PER_S
    picture, sound = video_frame(b"\x41" + bytes(picture_bytes)), audio_frame(bytes(AUDIO_BYTES))
    keyframe = video_frame(b"\x65" + bytes(picture_bytes))
    headers = client.video(video_header(avc_config())) + client.audio(AAC_HEADER)
    frames = [(0.0, headers + client.video(keyframe))]
    for index in range(1, int(seconds * PICTURES_PER_S)):
        payload = picture if index % (2 * PICTURES_PER_S) else keyframe
        frames.append((index / PICTURES_PER_S, client.video(payload, index * 1000 // PICTURES_PER_S)))
    frames += [
        (index / SOUNDS_PER_S, client.audio(sound, index * 1000 // SOUNDS_PER_S))
        for index in range(1, int(seconds * SOUNDS_PER_S))
    ]
    return sorted(frames, key=lambda frame: frame[0])


def connect(port: int, name: str) -> socket.socket:
    """Publish under a name and wait until the server says that it may begin."""
    peer = socket.create_connection(("127.0.0.1", port), ANSWER_TIMEOUT_S)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    peer.sendall(Client(CHUNK_SIZE).opening(name))
    answer = b""
    while b"NetStream.Publish.Start" not in answer.partition(b"onStatus")[2]:
        data = peer.recv(1 << 16)
        if not data:
            raise SystemExit(f"the server refused {name}: {answer[-300:]!r}")
        answer += data
    # From here on a timeout of Python's would also hold up looking at what is there.
    peer.settimeout(None)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(ANSWER_TIMEOUT_S), 0))
    return peer


def publish(peers: list[socket.socket], frames: list[tuple[float, bytes]]) -> int:
    """Write all frames of all publishers at their times, evenly staggered; return how many."""
    started = time.monotonic()
    due = [(index / len(peers) / PICTURES_PER_S, index, 0) for index in range(len(peers))]
    heapq.heapify(due)
    written = 0
    while due:
        at, peer, frame = heapq.heappop(due)
        wait_s = started + at - time.monotonic()
        if wait_s > 0:
            time.sleep(wait_s)
        peers[peer].sendall(frames[frame][1])
        written += 1
        if frame % DRAIN_EVERY == 0:
            with contextlib.suppress(BlockingIOError):
                peers[peer].recv(1 << 16, socket.MSG_DONTWAIT)
        if frame + 1 < len(frames):
            heapq.heappush(due, (at + frames[frame + 1][0] - frames[frame][0], peer, frame + 1))
    return written


def cpu_s(pid: int) -> float:
    """CPU seconds of a process and its children so far."""
    root = psutil.Process(pid)
    return sum(sum(process.cpu_times()[:2]) for process in [root, *root.children(recursive=True)])


def measure(port: int, pid: int, publishers: int, seconds: float) -> dict[str, float]:
    """Let publishers loose on a server and take its CPU while they are all there."""
    frames = media(SETTLE_S + seconds)
    settle = [frame for frame in frames if frame[0] < SETTLE_S]
    steady = frames[len(settle) :]
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(connect(port, f"key{index}")) for index in range(publishers)]
        written = publish(peers, settle)
        cpu_before, started, own = cpu_s(pid), time.monotonic(), time.process_time()
        written += publish(peers, steady)
        took_s = time.monotonic() - started
        cores = (cpu_s(pid) - cpu_before) / took_s
        publisher_cores = (time.process_time() - own) / took_s
    size_bits = 8 * sum(len(data) for _, data in steady) * publishers
    return {
        "server_cores": round(cores, 3),
        "publisher_cores": round(publisher_cores, 3),
        "mbps": round(size_bits / took_s / 1e6, 1),
        "frames": written,
    }


def measure_ours(publishers: int, seconds: float) -> dict[str, float]:
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        port = int(process.stdout.readline())
        result = measure(port, process.pid, publishers, seconds)
        process.stdin.close()
        packets = int(process.stdout.readline())
    if packets != result["frames"]:
        raise SystemExit(f"{result['frames']} frames were written, but {packets} packets came out")
    return result


@contextlib.contextmanager
def nginx() -> Iterator[tuple[int, int]]:
    """Run nginx with its RTMP module; yield its port and process id."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "nginx.conf"
        config.write_text(
            f"load_module {MODULE};\nworker_processes 1;\ndaemon off;\npid {folder}/pid;\n"
            f"error_log {folder}/error.log;\n"
            "events { worker_connections 1024; }\n"
            f"rtmp {{ server {{ listen 127.0.0.1:{port}; access_log off; application live {{ live on; }} }} }}\n"
        )
        with subprocess.Popen(["nginx", "-p", folder, "-c", str(config)]) as process:
            try:
                _wait_for(port)
                yield port, process.pid
            finally:
                process.terminate()


def _wait_for(port: int) -> None:
    until = time.monotonic() + ANSWER_TIMEOUT_S
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
            return
        time.sleep(0.1)
    raise SystemExit("nginx does not listen")


def has_nginx() -> bool:
    """Whether nginx and its module are there; installs them where that is allowed."""
    if not MODULE.exists() and os.geteuid() == 0 and shutil.which("apt-get"):
        install = ["apt-get", "-qq", "install", "--yes", "--no-install-recommends", *PACKAGES]
        subprocess.run(install, stdout=subprocess.DEVNULL, check=False)
    return MODULE.exists() and shutil.which("nginx") is not None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--publishers", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve())
        return 0
    ours = measure_ours(options.publishers, options.seconds)
    report: dict[str, Any] = {"publishers": options.publishers, "target_cores": TARGET_CORES, "ours": ours}
    print("ours ", ours)
    if has_nginx():
        with nginx() as (port, pid):
            report["nginx"] = measure(port, pid, options.publishers, options.seconds)
        print("nginx", report["nginx"])
    else:
        print(f"nginx is not measured: install {' and '.join(PACKAGES)}")
    (RESULTS / "rtmp_publishers.json").write_text(json.dumps(report, indent=2) + "\n")
    return 0 if ours["server_cores"] <= TARGET_CORES else 1


if __name__ == "__main__":
    sys.exit(main())
