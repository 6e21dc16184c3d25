"""FFmpeg goes live: an encoder that makes keyframes when it likes, as OBS does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise

import imageio_ffmpeg
import pytest

from media.packet import VideoTrack

from .sender import decode
from .studio import KEY, Studio, open_studio

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

SECONDS = 5


@pytest.fixture
async def studio() -> AsyncIterator[Studio]:
    async with open_studio() as made:
        yield made


def command(studio: Studio, *encoder: str) -> list[str]:
    """Write a command that sends pictures and a tone. FFmpeg's own default, to be the DTLS server, has to be turned."""
    inputs = "-re -f lavfi -i testsrc2=size=640x360:rate=30 -f lavfi -i sine"
    video = "-c:v libx264 -preset ultrafast -tune zerolatency -pix_fmt yuv420p -g 60"
    audio = "-c:a libopus -ar 48000 -ac 2"
    out = f"-f whip -whip_flags dtls_active -authorization {KEY} {studio.url}whip"
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    words = f"-hide_banner -loglevel error {inputs} -t {SECONDS} {video} {' '.join(encoder)} {audio} {out}"
    return [ffmpeg, *words.split()]


@pytest.mark.parametrize("profile", ["baseline", "high"])
async def test_ffmpeg_goes_live(studio: Studio, profile: str) -> None:
    process = await asyncio.create_subprocess_exec(*command(studio, "-profile:v", profile))
    taken = await studio.gate.next()
    assert await process.wait() == 0
    await taken.until(lambda: taken.ending)
    assert taken.ending == (True, "the encoder stopped")
    assert taken.encoder.startswith("Lavf")
    shown = decode(taken.pictures)
    # The last one may still be on its way when the session ends.
    assert len(shown) == len(taken.pictures) >= 30 * SECONDS - 2
    assert len({picture.digest for picture in shown}) == len(shown)
    (track,) = {packet.track for packet in taken.pictures}
    assert isinstance(track, VideoTrack)
    assert (track.width, track.height) == (640, 360)
    assert {after.pts - before.pts for before, after in pairwise(taken.pictures)} == {3000}
    # Both began together, and the tone is in packets of 20 ms.
    assert abs(taken.sounds[0].pts - taken.pictures[0].pts) < 40 * 90
    assert abs(len(taken.sounds) - 50 * SECONDS) <= 4


async def test_ffmpeg_over_a_lossy_network(studio: Studio) -> None:
    studio.path.loss = 0.02
    process = await asyncio.create_subprocess_exec(*command(studio, "-profile:v", "baseline"))
    taken = await studio.gate.next()
    await process.wait()
    await taken.until(lambda: taken.ending)
    # FFmpeg makes no keyframe when asked: what is lost for good costs up to two seconds of pictures.
    assert len(decode(taken.pictures)) == len(taken.pictures) >= 30 * SECONDS - 65
