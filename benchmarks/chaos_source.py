"""Sources for `chaos`, encoded once, so that publishing them costs nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks.clip import FFMPEG, PACED

SECONDS = 24
TONE = "-f lavfi -i sine=frequency=440:sample_rate=48000"


def _picture(size: str, rate: int) -> str:
    return f"-f lavfi -i testsrc2=size={size}:rate={rate}"


X264 = "-c:v libx264 -preset ultrafast -tune zerolatency -pix_fmt yuv420p"
AAC = "-c:a aac -ac 2 -b:a 96k"
SOURCES = {
    "360p": f"{_picture('640x360', 25)} {TONE} {X264} -g 25 -b:v 600k {AAC}",
    "1080p30 H.264, AAC": f"{_picture('1920x1080', 30)} {TONE} {X264} -g 60 -b:v 3M {AAC}",
    "360p HEVC, Opus": (
        f"{_picture('640x360', 30)} {TONE} -c:v libx265 -preset ultrafast -pix_fmt yuv420p "
        "-x265-params keyint=30:min-keyint=30:log-level=error -c:a libopus -ac 2"
    ),
    "720p60 AV1, no audio": (
        f"{_picture('1280x720', 60)} -c:v libsvtav1 -preset 12 -pix_fmt yuv420p -g 60 -b:v 1M "
        "-svtav1-params keyint=60 -an"
    ),
    "portrait 10-bit H.264, MP3": (
        f"{_picture('360x640', 30)} {TONE} -c:v libx264 -preset ultrafast -pix_fmt yuv420p10le -g 30 "
        "-c:a libmp3lame -ac 2"
    ),
    "audio only": f"{TONE} {AAC}",
    "VP9, FLAC": (
        f"{_picture('854x480', 25)} {TONE} -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 25 -b:v 800k "
        "-pix_fmt yuv420p -c:a flac -ac 2"
    ),
    "multitrack": (
        f"{_picture('1280x720', 25)} {TONE} -map 0:v -map 0:v -map 1:a {X264} -g 25 "
        f"-s:v:1 640x360 -b:v:0 1M -b:v:1 400k {AAC}"
    ),
}


def prepare(folder: Path, name: str) -> Path:
    """Encode a source unless it is there; Matroska carries every codec."""
    path = folder / f"{name.replace(' ', '_').replace(',', '')}.mkv"
    if not path.exists():
        command = [FFMPEG, "-v", "error", "-y", *SOURCES[name].split(), "-t", str(SECONDS), str(path)]
        subprocess.run(command, check=True, timeout=300)
    return path


def push(source: Path, url: str, *, output: str = "") -> list[str]:
    """Arguments with which ffmpeg publishes a source at its own pace, all its tracks as they are."""
    return [
        *("-v", "error", *PACED, "-stream_loop", "-1", "-i", str(source)),
        *("-map", "0", "-c", "copy", *output.split(), "-f", "flv", url),
    ]
