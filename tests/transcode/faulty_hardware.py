"""Stand-ins for graphics cards: real x264 encoders behind the hardware's interface, which fail on purpose.

Run as a module it is a worker process that has them: `transcode.process.WORKER_MODULE`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any, cast

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame

from transcode import encoder_choice, worker
from transcode.encoder_choice import Open, RungEncoder
from transcode.hardware import HardwareCodec, HardwareEncoder
from transcode.rung import RungSpec

PARAMS = "scenecut=0:open-gop=0:bframes=0"
OPTIONS = {
    "preset": "ultrafast",
    "tune": "zerolatency",
    "forced-idr": "1",
    "x264-params": PARAMS,
}
"""Annex B, and ultrafast's own features: parameter sets differ from those of our own x264."""

WORKS = HardwareCodec("libx264", "yuv420p", OPTIONS)
WORKS_NV12 = HardwareCodec("libx264", "nv12", OPTIONS)
TELLS_SETS_LATE = HardwareCodec("libx264", "yuv420p", OPTIONS | {"flags": "-global_header"})
KEEPS_PICTURES = HardwareCodec("libx264", "yuv420p", OPTIONS | {"tune": "film", "rc-lookahead": "5"})
BY_ITSELF = HardwareCodec("libx264", "yuv420p", OPTIONS | {"x264-params": f"{PARAMS}:keyint=3:min-keyint=1"})

FAILS_AFTER = 12
"""Pictures."""


def opens(codec: HardwareCodec) -> Open:
    return lambda spec: HardwareEncoder(spec, codec)


def refuses(_spec: RungSpec) -> RungEncoder:
    raise av.error.ExternalError(1, "no session is free")


class BreaksDown(HardwareEncoder):
    """Works for some pictures, then its driver reports an error, again and again."""

    def __init__(self, spec: RungSpec, pictures: int = FAILS_AFTER) -> None:
        super().__init__(spec, WORKS)
        self._left = pictures

    def encode(self, picture: VideoFrame, pts: int, is_keyframe: bool) -> bytes:
        if not self._left:
            raise av.error.ExternalError(1, "the device was removed")
        self._left -= 1
        return super().encode(picture, pts, is_keyframe)


class IgnoresOrders(HardwareEncoder):
    """Makes no IDR picture behind the first one."""

    def __init__(self, spec: RungSpec) -> None:
        super().__init__(spec, WORKS)
        self._codec = cast("VideoCodecContext", _Deaf(self._codec))


class _Deaf:
    def __init__(self, codec: VideoCodecContext) -> None:
        self._codec = codec

    def encode(self, picture: VideoFrame) -> list[av.Packet[Any]]:
        picture.pict_type = PictureType.NONE
        return list(self._codec.encode(picture))


class Garbles(HardwareEncoder):
    """Loses the picture: each is flat."""

    def __init__(self, spec: RungSpec) -> None:
        super().__init__(spec, WORKS)

    def encode(self, picture: VideoFrame, pts: int, is_keyframe: bool) -> bytes:
        flat = VideoFrame(picture.width, picture.height, "yuv420p")
        for plane in flat.planes:
            plane.update(bytes([235]) * plane.buffer_size)
        return super().encode(flat, pts, is_keyframe)


def crashes(_spec: RungSpec) -> RungEncoder:
    os.abort()


def hangs(_spec: RungSpec) -> RungEncoder:
    time.sleep(60)
    raise AssertionError("its worker should have been killed")


FAULTY: Mapping[str, Open] = {
    "works": opens(WORKS),
    "refuses": refuses,
    "breaks_down": BreaksDown,
    "crashes": crashes,
    "hangs": hangs,
}

if __name__ == "__main__":
    encoder_choice.OPENERS.clear()
    encoder_choice.OPENERS.update(FAULTY)
    encoder_choice.MIN_HARDWARE_PIXELS = 1
    worker.main()
