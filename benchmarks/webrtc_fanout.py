"""How many viewers of 720p30 with Opus one core serves: the fan-out in Python, the native one, plain aiortc.

python benchmarks/webrtc_fanout.py [--python 250 400] [--native 500 600] [--aiortc 45] [--seconds 15]

The sender has one core, viewers who only read have the other: a process with a socket for each, AES-GCM keys for each.
Lateness is from when a batch was meant to go out until the last viewer's was handed to the kernel; `frame` counts from
when the frame was there, so with the pacing of keyframes. There is no event loop, no feedback and no change of rung:
this is the inner loop alone. On loopback the sender's core also does the receiving half of the kernel's work, cutting
runs into datagrams included, which a network card would do. Where others want the cores too (`waited_for_core_s`),
run it under `chrt -f 1`. Writes `benchmarks/results/webrtc_fanout.json`.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks import webrtc_aiortc
from benchmarks.clip import RESULTS
from benchmarks.webrtc_stream import SENDER_CORE, Figures, Item, drain, drained, stream, wait_until
from webrtc.rtp.fanout import FanOut, make_fanout
from webrtc.rtp.flow import Flow
from webrtc.rtp.line import Line
from webrtc.rtp.pace import Pacer
from webrtc.rtp.packetiser import packetise_h264
from webrtc.rtp.variant import Variant
from webrtc.transport.route import Route
from webrtc.transport.srtp import PROFILES, Srtp

VIDEO, AUDIO = Variant(102, 3), Variant(111, 0)
LATE_MS = 50.0
TARGETS = {"python": 250, "native": 500}
"""Viewers with p99 lateness of at most `LATE_MS`."""
SEND_BUFFER_BYTES = 4 << 20


class Sender:
    """A broadcast and its viewers."""

    def __init__(self, fanout: FanOut, ports: Sequence[int]) -> None:
        self._fanout = fanout
        self._flows = (
            Flow(1, 0, 90_000, first_index=0, keep_s=1.0, max_bytes=1 << 20),
            Flow(2, 0, 48_000, first_index=0, keep_s=1.0, max_bytes=0),
        )
        self._pacer = Pacer()
        self.video: list[Line] = []
        self.audio: list[Line] = []
        for number, port in enumerate(ports):
            key = number.to_bytes(28, "big")
            srtp, route = Srtp(PROFILES[0], key, key), Route(("127.0.0.1", port))
            self.video.append(Line(srtp, route, VIDEO, 41 * number & 0x7FFF))
            self.audio.append(Line(srtp, route, AUDIO, 43 * number & 0x7FFF))
        self.refused = 0

    def run(self, items: Sequence[Item]) -> dict[str, float]:
        figures, started = Figures(), time.monotonic()
        for item in items:
            self._send_paced(figures, started + item.due_s)
            wait_until(started + item.due_s)
            if item.is_video:
                payloads = packetise_h264(item.data)
                burst = self._flows[0].add(
                    payloads, item.pts, started + item.due_s, is_keyframe=item.is_keyframe
                )
                self._pacer.add(burst, started + item.due_s)
            else:
                burst = self._flows[1].add([item.data], item.pts, started + item.due_s, is_keyframe=False)
                self.refused += len(self._fanout.send(burst.batches(AUDIO), self.audio))
        self._send_paced(figures, time.monotonic() + 0.1)
        packets = sum(line.sent_packets for line in self.video + self.audio)
        return figures.report(len(self.video), packets)

    def _send_paced(self, figures: Figures, until: float) -> None:
        """Send what is due before the next item is."""
        while (due := self._pacer.get_timer()) is not None and due <= until:
            wait_until(due)
            for piece in self._pacer.due(time.monotonic()):
                self.refused += len(self._fanout.send(piece.batches(VIDEO), self.video))
                now = time.monotonic()
                figures.late_s.append(now - piece.burst.due[piece.stop - 1])
                figures.frame_late_s.append(now - piece.burst.built_at)


def send(ports: Sequence[int], seconds: float) -> dict[str, Any]:
    """Send the stream to these ports as the environment says: natively or not."""
    os.sched_setaffinity(0, SENDER_CORE)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        fanout = make_fanout(sock)
        sender, items = Sender(fanout, ports), stream(seconds)
        gc.freeze()
        return {**sender.run(items), "refused": sender.refused, "is_native": fanout.is_native}


def measure(way: str, viewers: int, seconds: float) -> dict[str, Any]:
    """Run a sender and its viewers in processes of their own."""
    script = Path(__file__)
    with drained(script, viewers) as (ports, drain_process):
        command = [
            sys.executable,
            str(script),
            "--send",
            way,
            "--seconds",
            str(seconds),
            "--ports",
            *map(str, ports),
        ]
        environment = os.environ | {"MEDIASERVER_NATIVE": "1" if way == "native" else "0"}
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        time.sleep(0.5)
        received, _ = drain_process.communicate("\n")
    result: dict[str, Any] = {"way": way, **json.loads(done.stdout)}
    result["received_share"] = round(int(received) / result.pop("packets"), 4)
    if result.pop("is_native", False) != (way == "native"):
        raise SystemExit("the native step is not built: run `python hatch_build.py`")
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", type=int, nargs="*", default=[150, 250, 350])
    parser.add_argument("--native", type=int, nargs="*", default=[250, 500, 600])
    parser.add_argument("--aiortc", type=int, nargs="*", default=[45])
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--drain", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--send", help=argparse.SUPPRESS)
    parser.add_argument("--ports", type=int, nargs="*", default=[], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.drain is not None:
        drain(options.drain)
        return 0
    if options.send is not None:
        run = webrtc_aiortc.run if options.send == "aiortc" else send
        print(json.dumps(run(options.ports, options.seconds)))
        return 0
    results = []
    for way in ("aiortc", "python", "native"):
        for viewers in getattr(options, way):
            results.append(measure(way, viewers, options.seconds))
            print(results[-1], flush=True)
    best = {
        way: max(
            (row["viewers"] for row in results if row["way"] == way and row["p99_late_ms"] <= LATE_MS),
            default=0,
        )
        for way in TARGETS
    }
    RESULTS.joinpath("webrtc_fanout.json").write_text(
        json.dumps({"runs": results, "best": best}, indent=2) + "\n"
    )
    return 0 if all(best[way] >= target for way, target in TARGETS.items() if getattr(options, way)) else 1


if __name__ == "__main__":
    sys.exit(main())
