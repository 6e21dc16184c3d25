"""Thumbnails: their size and shape, and what hostile keyframes cost."""

from __future__ import annotations

import asyncio
import io
from fractions import Fraction

import pytest
from PIL import Image

from media.error import TranscodeError
from media.packet import Packet, VideoTrack
from transcode.picture_probe import MAX_WAITING, PictureProbe
from transcode.pool import WorkerPool

from .codec import video_of
from .source import video


def keyframe(packets: list[Packet]) -> tuple[VideoTrack, bytes]:
    packet = packets[0]
    assert isinstance(packet.track, VideoTrack)
    return packet.track, packet.data


def opened(jpeg: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(jpeg))
    assert image.format == "JPEG"
    return image


@pytest.mark.parametrize(
    ("width", "height", "aspect", "size"),
    [
        (640, 360, Fraction(1), (160, 90)),
        (360, 640, Fraction(1), (90, 160)),
        (720, 576, Fraction(64, 45), (160, 90)),
        (96, 96, Fraction(1), (160, 160)),
        (1280, 544, Fraction(1), (160, 68)),
    ],
)
async def test_the_shape_is_what_viewers_see(
    pool: WorkerPool, width: int, height: int, aspect: Fraction, size: tuple[int, int]
) -> None:
    probe = PictureProbe(pool)
    jpeg = await probe.draw(*keyframe(video(1, width, height, aspect=aspect)), 160)
    image = opened(jpeg)
    assert image.size == size
    # The source's gradient: from dark on the left to light on the right, once.
    left, right = image.convert("L").getpixel((2, 10)), image.convert("L").getpixel((30, 10))
    assert left < right  # type: ignore[operator]
    assert len(jpeg) < 8_000
    probe.close()


@pytest.mark.parametrize("kind", ["hevc", "av1", "vp9", "10 bit"])
async def test_other_codecs(pool: WorkerPool, kind: str) -> None:
    probe = PictureProbe(pool)
    packets = video(1, pixel_format="yuv420p10le") if kind == "10 bit" else video_of(kind, 3)
    image = opened(await probe.draw(*keyframe(packets), 160))
    assert max(image.size) == 160
    probe.close()


async def test_garbage_is_no_picture_and_the_next_one_is(pool: WorkerPool) -> None:
    probe = PictureProbe(pool)
    track, data = keyframe(video(1))
    for broken in (b"", b"\0\0\0\4garb", data[: len(data) // 20] + bytes(30)):
        try:
            opened(await probe.draw(track, broken, 160))  # a decoder may conceal what is missing
        except TranscodeError:
            continue
    assert opened(await probe.draw(track, data, 160)).size == (160, 90)
    probe.close()


async def test_no_more_wait_than_anybody_waits_for(pool: WorkerPool) -> None:
    probe = PictureProbe(pool)
    track, data = keyframe(video(1))
    found = await asyncio.gather(
        *(probe.draw(track, data, 160) for _ in range(MAX_WAITING + 5)), return_exceptions=True
    )
    assert sum(isinstance(each, TranscodeError) for each in found) == 5
    probe.close()
