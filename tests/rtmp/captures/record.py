"""Record what encoders send: `python -m tests.rtmp.captures.record [name ...]` writes `<name>.bin` beside this file.

Each encoder publishes a second of a test picture and a tone, and ends by itself. It is answered as the server would,
up to the first thing that is refused; from then on it is only listened to, so that forms which are not read yet can be
recorded.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg

from media.error import PeerError
from rtmp.connection import ServerConnection
from rtmp.event import PublishRequested

FOLDER = Path(__file__).parent
NEWEST = imageio_ffmpeg.get_ffmpeg_exe()
RUN_TIMEOUT_S = 60
READ_BYTES = 1 << 16

_PICTURE = "-f lavfi -i smptebars=size=320x240:rate=10"
_TONE = "-f lavfi -i sine=sample_rate=48000"
_X264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 10 -b:v 60k"
_AAC = "-c:a aac -ac 2 -b:a 32k"
_GSTREAMER = (
    "gst-launch-1.0 -q flvmux name=mux streamable=true ! {sink} location={{url}} "
    "videotestsrc num-buffers=10 ! video/x-raw,format=I420,width=320,height=240,framerate=10/1 "
    "! x264enc speed-preset=ultrafast key-int-max=10 bitrate=60 ! h264parse ! queue ! mux. "
    "audiotestsrc num-buffers=47 samplesperbuffer=1024 ! audio/x-raw,rate=48000,channels=2 "
    "! voaacenc bitrate=32000 ! queue ! mux."
)


def _ffmpeg(program: str, video: str, audio: str, inputs: str = f"{_PICTURE} {_TONE}") -> str:
    codecs = "-rtmp_enhanced_codecs hvc1,av01,vp09,Opus,fLaC,ac-3,ec-3,.mp3 " if program == NEWEST else ""
    return f"{program} -v error {inputs} -t 1 {video} {audio} {codecs}-f flv {{url}}"


COMMANDS = {
    "ffmpeg51": _ffmpeg("ffmpeg", _X264, _AAC),
    "ffmpeg": _ffmpeg(NEWEST, _X264, _AAC),
    "ffmpeg_hevc": _ffmpeg(NEWEST, "-c:v libx265 -preset ultrafast -g 10 -x265-params log-level=none", _AAC),
    "ffmpeg_av1_opus": _ffmpeg(
        NEWEST, "-c:v libsvtav1 -preset 12 -g 10 -svtav1-params lp=1", "-c:a libopus -b:a 32k"
    ),
    "ffmpeg_vp9_flac": _ffmpeg(NEWEST, "-c:v libvpx-vp9 -deadline realtime -g 10 -b:v 60k", "-c:a flac"),
    "ffmpeg_ac3": _ffmpeg(NEWEST, _X264, "-c:a ac3 -b:a 64k"),
    "ffmpeg_eac3": _ffmpeg(NEWEST, _X264, "-c:a eac3 -b:a 64k"),
    "ffmpeg_mp3": _ffmpeg(NEWEST, _X264, "-c:a libmp3lame -ar 44100 -b:a 32k"),
    "ffmpeg_aac51": _ffmpeg(NEWEST, _X264, "-c:a aac -ac 6 -b:a 96k"),
    "ffmpeg_multitrack": _ffmpeg(
        NEWEST,
        f"-filter_complex [0:v]split[a][b];[b]scale=160:120[c] -map [a] -map [c] -map 1:a {_X264}",
        _AAC,
    ),
    "gst_rtmp2sink": _GSTREAMER.format(sink="rtmp2sink"),
    "gst_rtmpsink": _GSTREAMER.format(sink="rtmpsink"),
}


@dataclass(slots=True)
class _Recorder:
    data: bytearray
    ended: asyncio.Event

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        core = ServerConnection(0.0)
        is_answered = True
        while data := await _read(reader):
            self.data += data
            if not is_answered:
                continue
            try:
                _answer(core, data)
            except PeerError as problem:
                print(f"  not answered any more: {problem}")
                is_answered = False
            else:
                writer.write(core.data_to_send())
        writer.close()
        self.ended.set()


async def _read(reader: asyncio.StreamReader) -> bytes:
    # FFmpeg closes before it has read the last answers, which resets the connection.
    try:
        return await reader.read(READ_BYTES)
    except ConnectionResetError:
        return b""


def _answer(core: ServerConnection, data: bytes) -> None:
    core.receive_data(data, 0.0)
    while (event := core.next_event()) is not None:
        if isinstance(event, PublishRequested):
            core.accept_publish(0.0)


async def record(command: str) -> bytes:
    """Run an encoder; return all that it sent.

    Raises:
        TimeoutError: it did not end.
    """
    recorder = _Recorder(bytearray(), asyncio.Event())
    server = await asyncio.start_server(recorder.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    arguments = command.format(url=f"rtmp://127.0.0.1:{port}/live/key").split()
    process = await asyncio.create_subprocess_exec(*arguments, stdin=asyncio.subprocess.DEVNULL)
    try:
        async with asyncio.timeout(RUN_TIMEOUT_S):
            await process.wait()
            await recorder.ended.wait()
    finally:
        if process.returncode is None:
            process.kill()
        server.close()
    return bytes(recorder.data)


def main() -> None:
    for name in sys.argv[1:] or COMMANDS:
        print(name)
        data = asyncio.run(record(COMMANDS[name]))
        (FOLDER / f"{name}.bin").write_bytes(data)
        print(f"  {len(data)} bytes")


if __name__ == "__main__":
    main()
