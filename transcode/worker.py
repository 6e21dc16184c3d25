"""The worker process: `python -m transcode.worker <fd>` serves one broadcast over an inherited socket.

Three kinds of threads: this module's reader takes messages off the socket, the main thread runs the pipeline, the
sender waits for encoders in order and writes. Bounded queues join them, so that a server that does not read stops the
encoders, and encoders that are slow stop the reader: then the server sees its window close and decides what to drop.
The process ends by itself when its socket closes, whatever its threads are doing.
"""

from __future__ import annotations

import faulthandler
import os
import queue
import resource
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from media.error import TranscodeError
from transcode.message import Failed, Media, Message, Ping, Progress, Ready
from transcode.wire import MessageReader, serialize

if TYPE_CHECKING:
    from transcode.pipeline import Pipeline, Result

NICENESS = 5
"""Encoders yield to the server's event loop, which feeds everybody; with idle cores it changes nothing."""

MAX_ADDRESS_SPACE_BYTES = 4 << 30
"""A worker for 2160p has 0.4 GB resident. A hostile parameter set that asks for pictures of gigabytes costs its own
broadcast a worker, and nobody else their memory."""

MAX_QUEUED_MESSAGES = 8
"""Between reader and pipeline. What waits further up waits in the server, where it can be dropped."""

MAX_QUEUED_RESULTS = 4
"""Frames between decoder and sender; each holds one raw picture per rung. Fewer would leave cores idle when one
rung's frame takes longer, more would only add delay and memory."""

PROGRESS_EVERY = 8
"""Messages; also sent whenever there is nothing left to do."""

READ_BYTES = 1 << 18


class Worker:
    """Serves one socket until it closes or the pipeline fails."""

    def __init__(self, connection: socket.socket, pipeline: Pipeline) -> None:
        self._connection = connection
        self._pipeline = pipeline
        self._incoming: queue.Queue[Message] = queue.Queue(MAX_QUEUED_MESSAGES)
        self._results: queue.Queue[Result] = queue.Queue(MAX_QUEUED_RESULTS)
        self._consumed = 0
        self._busy_s = 0.0
        self._reported = 0
        self._known_us: dict[str, int] = {}  # of rungs, as last reported
        self._encoded_us = 0  # of all rungs that were ever active
        self._base_us = 0  # of the process besides

    def run(self) -> None:
        """Work; returns only by an exception, since the reader's thread ends the process."""
        for target in (self._read, self._send):
            threading.Thread(target=target, daemon=True).start()
        self._results.put(Ready)
        while True:
            message = self._incoming.get()
            started = time.monotonic()
            self._handle(message)
            self._busy_s += time.monotonic() - started

    def _handle(self, message: Message) -> None:
        if isinstance(message, Ping):
            self._results.put(lambda: message)
            return
        for result in self._pipeline.handle(message):
            self._results.put(result)
        if isinstance(message, Media):
            self._consumed += 1
            if self._incoming.empty() or self._consumed - self._reported >= PROGRESS_EVERY:
                self._report_progress()

    def _report_progress(self) -> None:
        self._reported = self._consumed
        costs = self._pipeline.costs_us
        # The process's time less what encoders take: decoders may have threads of their own. An encoder tells with each
        # picture that is done, so that its share of a long one comes late: without the bound this would step back.
        self._encoded_us += sum(max(0, cost - self._known_us.get(name, 0)) for name, cost in costs)
        self._known_us = dict(costs)
        self._base_us = max(self._base_us, time.process_time_ns() // 1000 - self._encoded_us)
        progress = Progress(
            self._consumed,
            int(self._busy_s * 1_000_000),
            self._pipeline.decode_errors,
            self._pipeline.dropped_frames,
            self._base_us,
            costs,
        )
        self._results.put(lambda: progress)

    def _read(self) -> None:
        reader = MessageReader()
        try:
            while data := self._connection.recv(READ_BYTES):
                reader.receive_data(data)
                for message in reader.events():
                    self._incoming.put(message)
        except (OSError, TranscodeError):
            pass  # the server is gone or speaks another language: either way nobody is left to tell
        # Encoders may be in the middle of a frame and queues may be full: nothing here is worth waiting for.
        os._exit(0)

    def _send(self) -> None:
        try:
            while True:
                self._connection.sendall(serialize(self._results.get()()))
        except OSError:
            os._exit(0)
        except Exception as error:
            fail(self._connection, error)


def fail(connection: socket.socket, error: Exception) -> None:
    """Tell the server why and end the process."""
    try:
        connection.sendall(serialize(Failed(f"{type(error).__name__}: {error}")))
    finally:
        os._exit(1)


def _yield_to_others() -> None:
    """Lower the priority of the whole session as well.

    Where Linux groups processes by session (sched_autogroup), which is usual, niceness counts only within one.
    """
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(NICENESS))


def main() -> None:
    """Run as a process; the socket's file descriptor is the one argument."""
    faulthandler.enable()
    os.nice(NICENESS)
    _yield_to_others()
    resource.setrlimit(resource.RLIMIT_AS, (MAX_ADDRESS_SPACE_BYTES, MAX_ADDRESS_SPACE_BYTES))
    connection = socket.socket(fileno=int(sys.argv[1]))
    try:
        from transcode.pipeline import Pipeline  # noqa: PLC0415 - missing codecs are told like any other fault

        Worker(connection, Pipeline()).run()
    except Exception as error:
        fail(connection, error)


if __name__ == "__main__":
    main()
