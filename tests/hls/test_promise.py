"""Parts that are listed before they are made: how they are kept, waited for and lost."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from fractions import Fraction

import av
import pytest

from hls.config import HlsConfig
from hls.output import HlsOutput
from hls.parameter_set import parameter_sets
from hls.published import PublishedSegment
from hls.variant import VariantState
from hls.writer import Sample, VideoWriter
from media.error import CapacityError
from media.nal import join_length_prefixed

from .conftest import NOW, Clip, Driver, Tone
from .rendered import render_media, render_multivariant
from .test_writer import OTHER, STEP, TRACK, declare

S = 90_000


class Broadcast:
    """A copied 720p and a dormant 480p; the clip has a keyframe every 2 s, three segments of it."""

    def __init__(self, driver: Driver, clip: Clip, tone: Tone) -> None:
        self.clip = clip
        driver.begin()
        driver.declare(clip, tone, ("720p", "480p"))
        self.output: HlsOutput = driver.output
        self.dormant: VideoWriter = driver.videos.pop("480p")
        self._driver = driver
        self._tone = tone

    def push(self, until: int | None = None) -> None:
        self._driver.push(self.clip, self._tone, until=until)
        self.dormant.promise(self.output.timeline.frontier)

    def item(self, msn: int) -> PublishedSegment:
        item = self.dormant.rendition.item(msn)
        assert item is not None
        return item

    def keep(self, msn: int) -> None:
        segment = self.item(msn).segment
        self.dormant.keep(
            self.item(msn),
            [sample for sample in self.clip.samples if segment.start <= sample.dts < segment.end],
        )

    def text(self, name: str) -> str:
        view = self.output.view(name)
        assert view is not None
        return render_media(view, self.output.config)


@pytest.fixture
def broadcast(
    make_driver: Callable[..., Driver], video_clip: Callable[..., Clip], audio_tone: Callable[..., Tone]
) -> Broadcast:
    return Broadcast(make_driver(), video_clip(), audio_tone())


def decoded(data: bytes) -> list[int]:
    with av.open(io.BytesIO(data), "r", format="mp4") as container:
        return [frame.pts or 0 for frame in container.decode(video=0)]


def test_playlists_are_equal_whether_bytes_exist_or_not(broadcast: Broadcast) -> None:
    broadcast.push(5 * S)
    made, promised = broadcast.text("720p"), broadcast.text("480p")
    reports = [line for line in made.splitlines() if "RENDITION-REPORT" in line]
    assert [line for line in promised.splitlines() if "RENDITION-REPORT" not in line] == [
        line for line in made.splitlines() if line not in reports
    ]
    assert "GAP" not in promised


async def test_kept_promises_decode(broadcast: Broadcast) -> None:
    broadcast.push(5 * S)
    for msn in (1, 0):  # in any order
        broadcast.keep(msn)
    segments = [
        await broadcast.output.get("480p", broadcast.item(msn).generation, msn, None) for msn in (0, 1)
    ]
    assert all(segments)
    init = broadcast.output.init("480p", broadcast.item(0).generation) or b""
    assert decoded(init + b"".join(data or b"" for data in segments)) == [n * 3600 for n in range(100)]
    # Alone too: a segment begins with an IDR.
    assert decoded(init + (segments[1] or b"")) == [n * 3600 for n in range(50, 100)]


async def test_a_request_waits_for_the_promise(broadcast: Broadcast) -> None:
    broadcast.push(5 * S)
    asked: list[tuple[str, int]] = []
    broadcast.output.on_request = lambda name, msn: asked.append((name, msn))
    generation = broadcast.item(0).generation
    whole = asyncio.create_task(broadcast.output.get("480p", generation, 0, None))
    part = asyncio.create_task(broadcast.output.get("480p", generation, 0, 1))
    await asyncio.sleep(0)
    assert not whole.done()
    assert not part.done()
    broadcast.keep(0)
    assert (await part or b"?") in (await whole or b"")
    assert asked == [("480p", 0), ("480p", 0)]


async def test_a_broken_promise_is_a_gap(broadcast: Broadcast) -> None:
    broadcast.push(5 * S)
    waiting = asyncio.create_task(broadcast.output.get("480p", broadcast.item(0).generation, 0, None))
    await asyncio.sleep(0)
    broadcast.dormant.keep(broadcast.item(0), [])
    assert await waiting is None
    assert broadcast.text("480p").count("#EXT-X-GAP") == 1


async def test_a_promise_that_nobody_keeps(broadcast: Broadcast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(broadcast.output.config), "hold_limit_s", 0.02)
    broadcast.push(5 * S)
    with pytest.raises(CapacityError):
        await broadcast.output.get("480p", broadcast.item(0).generation, 0, 0)


async def test_live_from_the_begin_of_the_open_segment(broadcast: Broadcast) -> None:
    broadcast.push(5 * S)
    msn = 2
    assert len(broadcast.item(msn).parts) > 0
    waiting = asyncio.create_task(broadcast.output.get("480p", broadcast.item(msn).generation, msn, 0))
    await asyncio.sleep(0)
    assert broadcast.dormant.resume(msn)
    for sample in broadcast.clip.samples:
        if sample.dts >= 4 * S:
            broadcast.output.timeline.advance(sample.dts, sample.is_sync)
            broadcast.dormant.add(sample)
            broadcast.dormant.advance(sample.dts)
    assert await waiting
    broadcast.output.finish()
    init = broadcast.output.init("480p", broadcast.item(msn).generation) or b""
    assert decoded(init + (broadcast.item(msn).data() or b"")) == [n * 3600 for n in range(100, 149)]


def test_what_has_been_made_is_not_made_again(broadcast: Broadcast) -> None:
    broadcast.push(5 * S)
    broadcast.keep(0)
    assert not broadcast.dormant.resume(0)
    assert not broadcast.dormant.resume(99)


def test_nothing_is_promised_without_a_track(
    make_driver: Callable[..., Driver], video_clip: Callable[..., Clip]
) -> None:
    driver = make_driver()
    driver.begin()
    driver.declare(video_clip())
    writer = driver.output.add_video(
        "480p", width=1, height=1, frame_rate=Fraction(25), codec_string="", bandwidth_bps=1
    )
    driver.push(video_clip(), until=5 * S)
    writer.promise(driver.output.timeline.frontier)
    assert not writer.rendition.segments


async def test_a_segment_that_has_left_the_window(broadcast: Broadcast) -> None:
    broadcast.push(5 * S)
    item = broadcast.item(0)
    waiting = asyncio.create_task(broadcast.output.get("480p", item.generation, 0, None))
    await asyncio.sleep(0)
    broadcast.dormant.rendition.drop_oldest()
    broadcast.dormant.rendition.changed()
    assert await asyncio.wait_for(waiting, 1) is None
    size = broadcast.dormant.rendition.size_bytes
    broadcast.dormant.keep(item, list(broadcast.clip.samples[:50]))
    assert broadcast.dormant.rendition.size_bytes == size == 0


async def test_a_shed_rung_has_no_hint_and_is_not_offered(broadcast: Broadcast) -> None:
    broadcast.push(5 * S)
    hint = broadcast.dormant.rendition.next_address
    assert hint is not None
    waiting = asyncio.create_task(broadcast.output.get("480p", hint.generation, hint.msn, hint.part))
    await asyncio.sleep(0)
    broadcast.output.set_state("480p", VariantState.SHED)
    assert await asyncio.wait_for(waiting, 5) is None
    assert "PRELOAD-HINT" not in broadcast.text("480p")
    view = broadcast.output.multivariant()
    assert view is not None
    assert "480p" not in render_multivariant(view)
    broadcast.output.set_state("480p", VariantState.ACTIVE)
    view = broadcast.output.multivariant()
    assert view is not None
    assert "480p" in render_multivariant(view)


def test_the_first_variant_is_one_that_is_made(broadcast: Broadcast) -> None:
    broadcast.push(5 * S)
    first = {}
    for name in ("720p", "480p"):
        for other in ("720p", "480p"):
            state = VariantState.ACTIVE if name == other else VariantState.DORMANT
            broadcast.output.set_state(other, state)
        view = broadcast.output.multivariant()
        assert view is not None
        first[name] = next(line for line in render_multivariant(view).splitlines() if "m3u8" in line[-4:])
    assert first == {"720p": "720p/index.m3u8", "480p": "480p/index.m3u8"}


async def test_what_an_earlier_run_promised_has_the_parameter_sets_of_that_run() -> None:
    output = HlsOutput(HlsConfig())
    output.timeline.begin(0, NOW)
    writer = declare(output)
    for start, track in ((0, TRACK), (S, OTHER)):
        writer.set_track(track, start)
        for dts in range(start, start + S, STEP):
            output.timeline.advance(dts, can_cut=dts == start)
        output.timeline.end_segment(start + S)
        writer.promise(start + S)
        if not start:
            output.timeline.begin(S, NOW + 1)
    item = writer.rendition.item(0)
    assert item is not None
    writer.keep(item, [Sample(0, 0, b"idr", is_sync=True)])
    data = await output.get("720p", item.generation, 0, None)
    assert data is not None
    sets = [join_length_prefixed(parameter_sets(track)) for track in (TRACK, OTHER)]
    assert [found in data for found in sets] == [True, False]
