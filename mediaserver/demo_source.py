"""The demo broadcaster: a moving test picture and a tone, pushed over real RTMP in real time.

    python -m mediaserver.demo_source rtmp://127.0.0.1:1935/live/KEY --size 1280x720 --fps 30

The picture carries the wall clock and a frame counter in digits and in a machine-readable strip
(`demo_strip`), and a lamp flashes together with a beep each second, so that latency, lost frames and lip sync
can be read from any player.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from urllib.parse import urlsplit

import av
import click
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream

from mediaserver.demo_encoding import (
    AUDIO_SAMPLES,
    SAMPLE_RATE,
    add_audio_stream,
    add_video_stream,
    draw_tone,
)
from mediaserver.demo_picture import DemoPicture
from mediaserver.demo_strip import Stamp

MAX_BEHIND_S = 1.0
"""Frames that are later than this are left out: the picture shows the time of now, not a growing delay."""
RETRY_FIRST_S, RETRY_MAX_S = 0.5, 4.0
STABLE_S = 10.0
"""A connection that lived this long was a good one: the next retry starts from the shortest wait."""


@dataclass(frozen=True, slots=True)
class DemoSpec:
    """What to broadcast."""

    url: str
    width: int = 1280
    height: int = 720
    frame_rate: Fraction = Fraction(30)
    bitrate_bps: int = 2_500_000
    duration_s: float | None = None

    @property
    def server(self) -> str:
        """Host and port, without the stream key: fit for a log."""
        return urlsplit(self.url).netloc.rpartition("@")[2]


class DemoSource:
    """Draws, encodes and pushes one connection's worth of media at the pace of the clock.

    Args:
        spec: what to broadcast.
        stop: ends the broadcast at the next frame when set.
        first_frame: where the frame counter starts, so that it goes on over a reconnect.
    """

    def __init__(self, spec: DemoSpec, stop: threading.Event, first_frame: int = 0) -> None:
        self._spec = spec
        self._stop = stop
        self._picture = DemoPicture(spec.width, spec.height)
        self._tone = draw_tone()
        self._first_frame = first_frame
        self.frames = 0
        """Frames sent and left out so far."""

    def run(self) -> None:
        """Push until stopped or until the duration is over.

        Raises:
            OSError: the server cannot be reached, refused the key or went away (`av.FFmpegError`).
        """
        with _closing(av.open(self._spec.url, "w", format="flv")) as container:
            video, audio = self._add_video(container), add_audio_stream(container)
            container.start_encoding()
            click.echo(f"Broadcasting to {self._spec.server}.", err=True)
            self._push(container, video, audio)
            for stream in (video, audio):
                container.mux(stream.encode(None))

    def _add_video(self, container: OutputContainer) -> VideoStream:
        spec = self._spec
        return add_video_stream(container, (spec.width, spec.height), spec.frame_rate, spec.bitrate_bps)

    def _push(self, container: OutputContainer, video: VideoStream, audio: AudioStream) -> None:
        epoch, wall_ms = time.monotonic(), time.time_ns() // 1_000_000
        samples = 0
        while not self._done():
            due_s = float(self.frames / self._spec.frame_rate)
            behind_s = time.monotonic() - epoch - due_s
            if behind_s > MAX_BEHIND_S:
                self.frames += int(behind_s * self._spec.frame_rate)
                continue
            if self._stop.wait(max(0.0, -behind_s)):
                return
            container.mux(video.encode(self._video_frame(wall_ms + round(due_s * 1000))))
            samples = self._send_audio(container, audio, samples, due_s, wall_ms)
            self.frames += 1

    def _done(self) -> bool:
        limit = self._spec.duration_s
        return self._stop.is_set() or (limit is not None and self.frames >= limit * self._spec.frame_rate)

    def _video_frame(self, time_ms: int) -> av.VideoFrame:
        picture = self._picture.draw(Stamp(self._first_frame + self.frames, time_ms))
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts = self.frames
        frame.time_base = 1 / self._spec.frame_rate
        return frame

    def _send_audio(
        self, container: OutputContainer, audio: AudioStream, samples: int, until_s: float, wall_ms: int
    ) -> int:
        """Send whole audio frames up to the video's time; returns the samples sent so far."""
        wanted = int(until_s * SAMPLE_RATE)
        samples = max(samples, wanted - SAMPLE_RATE)
        while samples + AUDIO_SAMPLES <= wanted:
            container.mux(audio.encode(self._audio_frame(samples, wall_ms)))
            samples += AUDIO_SAMPLES
        return samples

    def _audio_frame(self, samples: int, wall_ms: int) -> av.AudioFrame:
        first = (samples + wall_ms % 1000 * (SAMPLE_RATE // 1000)) % SAMPLE_RATE
        data = np.ascontiguousarray(self._tone[:, first : first + AUDIO_SAMPLES])
        frame = av.AudioFrame.from_ndarray(data, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, samples, Fraction(1, SAMPLE_RATE)
        return frame


def broadcast(spec: DemoSpec, stop: threading.Event) -> None:
    """Push until stopped; connect again with growing waits when the server is not there or goes away."""
    wait_s, frames = RETRY_FIRST_S, 0
    while not stop.is_set():
        source, began = DemoSource(spec, stop, frames), time.monotonic()
        try:
            source.run()
            return
        except OSError as error:
            reason = error.strerror or str(error)
        frames += source.frames
        if time.monotonic() - began > STABLE_S:
            wait_s = RETRY_FIRST_S
        click.echo(
            f"{spec.server} does not take the broadcast ({reason}); next try in {wait_s:g} s.", err=True
        )
        stop.wait(wait_s)
        wait_s = min(wait_s * 2, RETRY_MAX_S)


@contextmanager
def _closing(container: OutputContainer) -> Iterator[OutputContainer]:
    """Close a container; a second error while closing a broken connection says nothing new."""
    try:
        yield container
    except OSError:
        with suppress(OSError):
            container.close()
        raise
    container.close()


def _parse_size(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[int, int]:
    width, _, height = value.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise click.BadParameter(f"{value!r} is no size; write WIDTHxHEIGHT such as 1280x720")
    if min(int(width), int(height)) < 64 or int(width) % 2 or int(height) % 2:
        raise click.BadParameter(f"{value!r}: both sides have to be even and at least 64")
    return int(width), int(height)


def _parse_bitrate(_context: click.Context, _parameter: click.Parameter, value: str) -> int:
    factor = {"k": 1_000, "M": 1_000_000}.get(value[-1:], 1)
    digits = value.rstrip("kM")
    if not digits.isdecimal() or int(digits) == 0:
        raise click.BadParameter(f"{value!r} is no bitrate; write bits per second such as 2500k")
    return int(digits) * factor


@click.command()
@click.argument("url")
@click.option(
    "--size", default="1280x720", show_default=True, callback=_parse_size, help="WIDTHxHEIGHT, pixels."
)
@click.option("--fps", default="30", show_default=True, help="Frames per second: 25, 30, 30000/1001 ...")
@click.option("--bitrate", default="2500k", show_default=True, callback=_parse_bitrate, help="Video bit/s.")
@click.option("--duration", type=float, help="Stop after this many seconds; runs until stopped otherwise.")
@click.option("--with-parent", is_flag=True, help="End when the process that started this one is gone.")
def main(
    *, url: str, size: tuple[int, int], fps: str, bitrate: int, duration: float | None, with_parent: bool
) -> None:
    r"""Broadcast a test picture with a clock and a tone to URL, in real time.

    \b
    Example:
      python -m mediaserver.demo_source rtmp://127.0.0.1:1935/live/KEY --size 1280x720
    """
    try:
        frame_rate = Fraction(fps)
    except (ValueError, ZeroDivisionError) as error:
        raise click.BadParameter(f"{fps!r} is no frame rate", param_hint="--fps") from error
    spec = DemoSpec(url, *size, frame_rate, bitrate, duration)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    worker = threading.Thread(target=broadcast, args=(spec, stop), daemon=True)
    worker.start()
    _watch(worker, stop, os.getppid() if with_parent else None)


def _watch(worker: threading.Thread, stop: threading.Event, parent: int | None) -> None:
    """Wait for the broadcast's end. It runs in a thread: a blocked socket write would hold signals up."""
    while worker.is_alive() and not stop.is_set():
        worker.join(0.2)
        if parent is not None and os.getppid() != parent:
            stop.set()
    worker.join(2.0)
    sys.stderr.flush()
    if worker.is_alive():
        os._exit(0)


if __name__ == "__main__":
    main()
