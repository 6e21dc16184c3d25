"""Sound for WebRTC: real AAC and Opus through real workers, heard where it belongs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import av
import numpy as np
import pytest

from media.error import TranscodeError
from media.flac import flac_track
from media.opus import opus_track, packet_samples
from media.packet import CLOCK_HZ, AudioTrack, Packet
from mediaserver.live.relay_sound import FRAME, RelaySound
from tests.transcode.source import audio, sine
from transcode.supervisor import WorkerPool

RATE = 48_000


class Ear:
    """Hears Opus."""

    def __init__(self) -> None:
        self.packets: list[tuple[int, bytes]] = []

    def __call__(self, pts: int, data: bytes) -> None:
        self.packets.append((pts, data))

    @property
    def pts(self) -> list[int]:
        return [pts for pts, _ in self.packets]

    async def wait(self, until: int) -> None:
        """Wait for the packet that reaches a place on the timeline."""
        for _ in range(1000):
            if self.packets and self.packets[-1][0] + FRAME >= until:
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"no sound up to {until}: {self.pts[-1:]}")

    def samples(self) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        """Decode as a browser does, which drops nothing at the start: samples of the left side."""
        codec = av.CodecContext.create("libopus", "r")
        assert isinstance(codec, av.AudioCodecContext)
        codec.sample_rate, codec.layout = RATE, "stereo"
        frames = [frame for _, data in self.packets for frame in codec.decode(av.Packet(data))]
        blocks = [frame.to_ndarray().reshape(-1, 2)[:, 0] for frame in frames]
        return np.concatenate(blocks).astype(np.float32) / np.float32(2**15)


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    pool = WorkerPool()
    await pool.start()
    yield pool
    await pool.close()


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
async def sound(pool: WorkerPool, ear: Ear) -> AsyncIterator[RelaySound]:
    sound = RelaySound(pool, ear)
    yield sound
    await sound.close()


def begin(sound: RelaySound, packets: Sequence[Packet]) -> None:
    track = packets[0].track
    assert isinstance(track, AudioTrack)
    sound.begin(track)


def has_worker(sound: RelaySound) -> bool:
    return sound.worker_pid is not None


def give(sound: RelaySound, packets: Sequence[Packet]) -> None:
    for packet in packets:
        sound.receive(packet)


def opus(seconds: float, *, jitter: Sequence[int] = (0,)) -> list[Packet]:
    """Make packets that look like a source's Opus: 20 ms of CELT in stereo."""
    return [
        Packet(opus_track(2), at, at, b"\xfc" + bytes([n % 256]), is_keyframe=True)
        for n in range(int(seconds * 50))
        for at in [n * FRAME + jitter[n % len(jitter)]]
    ]


def clicks(seconds: float, every_s: float = 0.5) -> list[Packet]:
    """Make silence with a click now and then, in FLAC, which moves nothing; the first one half a period in."""
    codec: Any = av.CodecContext.create("flac", "w")
    codec.sample_rate, codec.layout, codec.format = RATE, "stereo", "s16"
    codec.open()
    count = int(codec.frame_size)
    wave = np.zeros(int(seconds * RATE), np.int16)
    for at in range(int(every_s * RATE / 2), len(wave) - 100, int(every_s * RATE)):
        wave[at : at + 48] = 20_000
    packets = []
    for start in range(0, len(wave) - count + 1, count):
        frame = av.AudioFrame(format="s16", layout="stereo", samples=count)
        frame.sample_rate, frame.pts = RATE, start
        frame.planes[0].update(np.repeat(wave[start : start + count], 2).tobytes())
        packets += [(start, bytes(packet)) for packet in codec.encode(frame)]
    track = flac_track(bytes(codec.extradata))
    return [Packet(track, at * 15 // 8, at * 15 // 8, data, is_keyframe=True) for at, data in packets]


async def test_aac_becomes_opus_of_20_ms(sound: RelaySound, ear: Ear) -> None:
    packets = audio(2.0, sample_rate=44_100)
    begin(sound, packets)
    sound.want(True)
    give(sound, packets)
    await ear.wait(packets[-1].pts - 2 * FRAME)
    assert {packet_samples(data) for _, data in ear.packets} == {960}
    assert {later - earlier for earlier, later in zip(ear.pts, ear.pts[1:], strict=False)} == {FRAME}
    assert ear.pts[0] <= FRAME
    loudness = np.sqrt(np.mean(ear.samples()[RATE // 10 :] ** 2))
    assert 0.15 < loudness < 0.25


async def test_sound_is_heard_where_it_belongs(sound: RelaySound, ear: Ear) -> None:
    packets = clicks(3.0)
    begin(sound, packets)
    sound.want(True)
    give(sound, packets)
    await ear.wait(2 * CLOCK_HZ)
    samples = np.abs(ear.samples())
    origin = ear.pts[0] * RATE // CLOCK_HZ
    for at in (0.25, 0.75, 1.25, 1.75):
        window = samples[int(at * RATE) - origin - 4800 : int(at * RATE) - origin + 4800]
        off = (int(np.argmax(window > window.max() / 2)) - 4800) / RATE
        assert abs(off) < 0.002, f"the click at {at} s is heard {off * 1000:.1f} ms late"


async def test_no_worker_without_a_viewer(sound: RelaySound, ear: Ear) -> None:
    packets = audio(4.0)
    begin(sound, packets)
    give(sound, packets[:50])
    assert not has_worker(sound)
    sound.want(True)
    give(sound, packets[50:100])
    await ear.wait(packets[99].pts - 2 * FRAME)
    assert has_worker(sound)
    assert ear.pts[0] >= packets[50].pts - FRAME
    sound.want(False)
    assert not has_worker(sound)
    give(sound, packets[100:150])
    ear.packets.clear()
    sound.want(True)
    give(sound, packets[150:])
    await ear.wait(packets[-1].pts - 2 * FRAME)
    assert ear.pts[0] >= packets[150].pts - FRAME, "nothing of before comes late"
    assert ear.pts == sorted(set(ear.pts))


async def test_a_worker_that_dies_is_replaced(sound: RelaySound, ear: Ear) -> None:
    packets = audio(4.0)
    begin(sound, packets)
    sound.want(True)
    give(sound, packets[:80])
    await ear.wait(packets[79].pts - 2 * FRAME)
    transcoder = sound._transcoder
    assert transcoder is not None
    transcoder.on_lost("a test")
    give(sound, packets[80:])
    await ear.wait(packets[-1].pts - 2 * FRAME)
    assert {later - earlier for earlier, later in zip(ear.pts, ear.pts[1:], strict=False)} == {FRAME}


async def test_runs_follow_each_other(sound: RelaySound, ear: Ear) -> None:
    first, second = audio(1.0), sine(440, 2.0, rate=44_100)
    begin(sound, first)
    sound.want(True)
    give(sound, first)
    sound.end_run()
    at = first[-1].pts + 3 * FRAME
    second = [Packet(item.track, item.pts + at, item.dts + at, item.data, True) for item in second]
    begin(sound, second)
    give(sound, second)
    await ear.wait(second[-1].pts)
    assert ear.pts == sorted(set(ear.pts))
    assert max(later - earlier for earlier, later in zip(ear.pts, ear.pts[1:], strict=False)) <= 4 * FRAME


async def test_nothing_comes_of_another_track_or_of_none(sound: RelaySound, ear: Ear) -> None:
    sound.want(True)
    give(sound, opus(0.1))
    sound.begin(None)
    give(sound, opus(0.1))
    begin(sound, opus(0.1))
    give(sound, audio(0.1))
    assert ear.packets == []


async def test_opus_goes_through_as_it_is(sound: RelaySound, ear: Ear) -> None:
    packets = opus(1.0, jitter=(0, 90, -90))
    begin(sound, packets)
    sound.want(True)
    give(sound, packets)
    assert [data for _, data in ear.packets] == [packet.data for packet in packets]
    assert ear.pts == [n * FRAME for n in range(50)]
    assert not has_worker(sound)


async def test_a_hole_in_opus_stays_one(sound: RelaySound, ear: Ear) -> None:
    packets = opus(1.0)
    begin(sound, packets)
    sound.want(True)
    give(sound, [*packets[:10], *packets[20:25], *packets[15:30]])
    assert ear.pts == [n * FRAME for n in (*range(10), *range(20, 30))]


async def test_broken_opus_is_left_out(sound: RelaySound, ear: Ear) -> None:
    packets = opus(0.1)
    begin(sound, packets)
    sound.want(True)
    give(sound, [Packet(packets[0].track, 0, 0, data, True) for data in (b"", b"\xff")])
    assert ear.packets == []
    assert sound._transcoder is None


async def test_opus_of_other_lengths_than_it_says_is_encoded_anew(sound: RelaySound, ear: Ear) -> None:
    whole = opus(1.0)
    long = [
        Packet(item.track, item.pts, item.dts, silk_of_60_ms, True)
        for item in whole[10::3]
        for silk_of_60_ms in [b"\x1c\x00\x00"]
    ]
    begin(sound, whole)
    sound.want(True)
    give(sound, [*whole[:10], *long])
    await ear.wait(long[-1].pts)
    assert ear.pts[:10] == [n * FRAME for n in range(10)]
    assert {packet_samples(data) for _, data in ear.packets} == {960}
    assert ear.pts == sorted(set(ear.pts))


@pytest.mark.parametrize(
    "track", [AudioTrack("opus", b"", "opus", RATE, 6, 960), AudioTrack("opus", b"", "opus", RATE, 2, 480)]
)
async def test_other_opus_is_encoded_anew(sound: RelaySound, ear: Ear, track: AudioTrack) -> None:
    sound.begin(track)
    sound.want(True)
    sound.receive(Packet(track, 0, 0, b"\xfc\x00", True))
    assert ear.packets == []
    assert sound._transcoder is not None


async def test_after_a_failure_the_next_run_is_tried(
    sound: RelaySound, ear: Ear, pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    packets = audio(1.0)

    async def refuse() -> None:
        raise TranscodeError("there is no worker")

    with monkeypatch.context() as patch:
        patch.setattr(pool, "take", refuse)
        begin(sound, packets)
        sound.want(True)
        give(sound, packets)
        for _ in range(50):
            await asyncio.sleep(0)
        assert sound._has_failed
    begin(sound, packets)
    give(sound, packets)
    await ear.wait(packets[-1].pts - 2 * FRAME)
