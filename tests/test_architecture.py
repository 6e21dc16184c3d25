"""The house keeps to its plan: who may import whom."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_rooms_import_only_what_they_may() -> None:
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    result = subprocess.run(
        [sys.executable, "-c", program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Contracts: 4 kept, 0 broken" in result.stdout


def test_pure_modules_know_no_sockets_and_no_loop() -> None:
    shells = {
        "media/child.py",
        "media/ending.py",
        "rtmp/channel.py",
        "rtmp/peer.py",
        "rtmp/server.py",
        "hls/archive.py",
        "hls/dash_http.py",
        "hls/dash_stream.py",
        "hls/delivery.py",
        "hls/hot.py",
        "hls/ledger_file.py",
        "hls/picture_http.py",
        "hls/shared_cache.py",
        "hls/answer.py",
        "hls/auth_http.py",
        "hls/http.py",
        "hls/check/conformance.py",
        "hls/check/fetch.py",
        "hls/check/follow.py",
        "transcode/encoder_search.py",
        "transcode/inquiry.py",
        "transcode/pool.py",
        "transcode/process.py",
        "transcode/render.py",
        "transcode/render_worker.py",
        "transcode/slate.py",
        "transcode/supervisor.py",
        "transcode/worker.py",
        "webrtc/http_answer.py",
        "webrtc/link.py",
        "webrtc/plane.py",
        "webrtc/publisher.py",
        "webrtc/supervisor.py",
        "webrtc/transport/udp.py",
        "webrtc/whep.py",
        "webrtc/whep_extension.py",
        "webrtc/whep_resource.py",
        "webrtc/whip.py",
        "webrtc/worker.py",
    }
    for room in ("media", "rtmp", "hls", "transcode", "webrtc"):
        for path in (ROOT / room).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            imports_loop = any(
                line.startswith(("import asyncio", "import socket", "from asyncio", "from aiohttp"))
                for line in path.read_text().splitlines()
            )
            assert not imports_loop or name in shells, name
