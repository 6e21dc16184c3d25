"""How good the encoded rungs look, beside ffmpeg's command line making each of them from the source at the same rate.

Ours: the pipeline, with the cascade and the table's constant quality. Theirs: with the same preset, one thread, the
same keyframes and cap, at the mean rate that ours took, scaled bicubically: each rung from the source (`direct`), or
through our sizes (`cascade`). Judged against the source scaled with a Lanczos filter to the rung's size: VMAF, and PSNR
of luma. Writes `benchmarks/results/quality.json`; fails when a rung is worse than `direct` by more than is allowed.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from benchmarks.clip import FFMPEG, RESULTS, clip
from benchmarks.ladder import read
from media.h264 import parse_avc_config
from media.nal import join_annexb, split_length_prefixed
from media.packet import Packet
from media.rendition import renditions_for
from transcode.message import Activate, Flush, ForceKeyframe, Frames, Media, Message, RungOpened, SetTrack
from transcode.pipeline import Pipeline
from transcode.rung import RungSpec, rung_spec

FPS = 25
SECONDS = 5
WIDTH, HEIGHT = 1920, 1080
KEYFRAME_S = 2
MAX_LOSS_DB = 0.3
"""What the cascade, and all of ours, may cost against ffmpeg scaling each rung from the source."""

_SCALED = f"scale={WIDTH}:{HEIGHT}:flags=lanczos"
SOURCES: Mapping[str, Sequence[str]] = {
    "natural": ("-i", str(clip()), "-vf", _SCALED),
    "grain": ("-i", str(clip()), "-vf", f"{_SCALED},noise=alls=4:allf=t"),
    "drawn": ("-f", "lavfi", "-i", f"testsrc2=size={WIDTH}x{HEIGHT}:rate={FPS}"),
}
"""Natural motion; the same with film grain; hard edges and flat colours that move."""


@dataclass(frozen=True)
class Look:
    """One rendering of a rung."""

    kbit_s: int
    vmaf: float
    psnr_db: float


def ffmpeg(*arguments: str) -> None:
    subprocess.run([FFMPEG, "-v", "error", "-nostdin", "-y", *arguments], check=True)


def make_source(path: Path, content: Sequence[str]) -> list[Packet]:
    """Encode a source as a good encoder would send it, and read its packets."""
    coding = f"-c:v libx264 -preset veryfast -crf 14 -bf 0 -g {FPS * KEYFRAME_S} -pix_fmt yuv420p"
    tags = "-colorspace bt709 -color_primaries bt709 -color_trc bt709"
    ffmpeg(*content, "-t", str(SECONDS), "-an", *coding.split(), *tags.split(), str(path))
    return read(path)


def ours(packets: Sequence[Packet], specs: Sequence[RungSpec], folder: Path) -> dict[str, Path]:
    """Encode all rungs, each into a file of its own."""
    pipeline = Pipeline()
    media = [Media(True, p.is_keyframe, p.pts, p.dts, p.data) for p in packets]
    orders: list[Message] = [Activate(spec, packets[0].pts) for spec in specs]
    orders += [ForceKeyframe(p.pts, None) for p in packets if p.is_keyframe]
    streams = {spec.name: bytearray() for spec in specs}
    for message in (*orders, SetTrack(packets[0].track), *media, Flush(1)):
        for result in pipeline.handle(message):
            _collect(result(), streams)
    pipeline.close()
    paths = {name: folder / f"ours-{name}.h264" for name in streams}
    for name, data in streams.items():
        paths[name].write_bytes(data)
    return paths


def _collect(message: Message, streams: dict[str, bytearray]) -> None:
    if isinstance(message, RungOpened):
        config = parse_avc_config(message.config)
        streams[message.rung] += join_annexb([*config.sps, *config.pps])
    elif isinstance(message, Frames):
        for frame in message.frames:
            streams[frame.rung] += join_annexb(split_length_prefixed(frame.data))


def theirs(source: Path, specs: Sequence[RungSpec], kbit_s: int, path: Path) -> Path:
    """Encode the last of these sizes from the one before and so on, at this rate; twice, since a clip misses it."""
    scale = ",".join(f"scale={spec.width}:{spec.height}:flags=bicubic" for spec in specs)
    spec = specs[-1]
    coding = f"-c:v libx264 -preset {spec.preset} -tune zerolatency -threads 1 -bf 0 -g {FPS * KEYFRAME_S}"
    cap = f"-maxrate {spec.max_bitrate_bps} -bufsize {spec.buffer_bits} -x264-params scenecut=0"
    rate = float(kbit_s)
    for _ in range(2):
        ffmpeg(
            "-i", str(source), "-vf", scale, *coding.split(), "-b:v", f"{rate:.0f}k", *cap.split(), str(path)
        )
        rate *= kbit_s / _kbit_s(path)
    return path


def look(path: Path, source: Path, spec: RungSpec) -> Look:
    """Judge a rendering against the source."""
    log = path.with_suffix(".json")
    times = f"settb=AVTB,setpts=N/{FPS}/TB"
    graph = f"[0:v]{times}[made];[1:v]scale={spec.width}:{spec.height}:flags=lanczos,{times}[wanted];"
    graph += f"[made][wanted]libvmaf=feature=name=psnr:log_fmt=json:log_path={log}:n_threads=2"
    rate = ("-framerate", str(FPS), "-f", "h264")
    ffmpeg(*rate, "-i", str(path), "-i", str(source), "-lavfi", graph, "-f", "null", "-")
    means = json.loads(log.read_text())["pooled_metrics"]
    return Look(_kbit_s(path), round(means["vmaf"]["mean"], 2), round(means["psnr_y"]["mean"], 2))


def _kbit_s(path: Path) -> int:
    return round(path.stat().st_size * 8 / SECONDS / 1000)


def compare(content: Sequence[str], folder: Path) -> dict[str, dict[str, Look]]:
    source = folder / "source.mp4"
    packets = make_source(source, content)
    pixels = WIDTH * HEIGHT
    specs = [rung_spec(item, Fraction(FPS), source_pixels=pixels) for item in renditions_for(WIDTH, HEIGHT)]
    found = {}
    for index, (spec, path) in enumerate(zip(specs, ours(packets, specs, folder).values(), strict=True)):
        made = look(path, source, spec)
        direct = theirs(source, [spec], made.kbit_s, folder / f"direct-{spec.name}.h264")
        cascade = theirs(source, specs[: index + 1], made.kbit_s, folder / f"cascade-{spec.name}.h264")
        looks = {"ours": made, "direct": look(direct, source, spec), "cascade": look(cascade, source, spec)}
        found[spec.name] = looks
        print(
            f"{spec.name:>8}",
            *(f"{kind} {tuple(asdict(one).values())}" for kind, one in looks.items()),
            flush=True,
        )
    return found


def main() -> int:
    """Judge the sources named on the command line, or all; fails when ours is worse than ffmpeg at the same rate."""
    names = sys.argv[1:] or list(SOURCES)
    worst = 0.0
    for name in names:
        print(name)
        with tempfile.TemporaryDirectory() as folder:
            rungs = compare(SOURCES[name], Path(folder))
        worst = max(worst, *(item["direct"].psnr_db - item["ours"].psnr_db for item in rungs.values()))
        _write(name, {rung: {k: asdict(one) for k, one in looks.items()} for rung, looks in rungs.items()})
    return int(worst > MAX_LOSS_DB)


def _write(name: str, found: dict[str, Any]) -> None:
    """Replace what is known of a source."""
    path = RESULTS / "quality.json"
    results = json.loads(path.read_text()) if path.exists() else {"sources": {}}
    results |= {"python": platform.python_version(), "av": av.__version__}
    results["sources"][name] = found
    RESULTS.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
