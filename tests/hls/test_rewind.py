"""Hours of segments: listed, on disk, under budgets."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hls import archive as archive_module
from hls.archive import Archives
from hls.config import HlsConfig
from hls.playlist import render_media
from hls.writer import Sample

from .test_window import Rungs

S = 90_000
CONFIG = HlsConfig(window_s=400.0)
PER_SEGMENT = 8 * 100


class Shelf(Archives):
    """Archives whose writes can be waited for."""

    async def settled(self) -> None:
        await self._run(lambda: None)
        await asyncio.sleep(0.001)  # what has been written is told to the loop


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Shelf]:
    made = Shelf(tmp_path / "dvr", 1 << 40)
    yield made
    await made.close()


async def play(rungs: Rungs, shelf: Shelf, segments: int) -> None:
    """Publish in steps, so that the writer keeps up."""
    for _ in range(segments // 10):
        rungs.run(10)
        await shelf.settled()


def files(shelf: Shelf, name: str = "720p") -> list[int]:
    folder = shelf._folder / "show" / name
    return sorted(int(path.stem.partition("-")[2]) for path in folder.iterdir())


async def test_what_has_left_memory_is_listed_and_comes_from_disk(shelf: Shelf) -> None:
    rungs = Rungs(CONFIG, archive=shelf.open("show"))
    await play(rungs, shelf, 300)
    view = rungs.view()
    assert [segment.msn for segment in view.listed if segment.is_complete] == list(range(100, 300))
    assert len(view.segments) < 25
    assert {part for past in view.past for segment in past.segments for part in [len(segment.parts)]} == {1}
    held = rungs.output.size_bytes
    assert held < 25 * 2 * 2 * PER_SEGMENT
    # The same bytes as those that came from memory.
    newest = await rungs.output.get("720p", 1, 299, None)
    oldest = await rungs.output.get("720p", 1, 100, None)
    assert newest is not None
    assert oldest is not None
    assert len(newest) == len(oldest)
    assert rungs.output.size_bytes == held
    # What has left the playlist can be fetched for as long as it lasts.
    rungs.run(1)
    await shelf.settled()
    assert await rungs.output.get("720p", 1, 0, None) is not None
    await play(rungs, shelf, 200)
    assert await rungs.output.get("720p", 1, 0, None) is None
    assert files(shelf)[0] > 90
    assert shelf.size_bytes == sum(path.stat().st_size for path in shelf._folder.rglob("*.m4s"))


async def test_a_part_of_the_past_is_gone_and_its_segment_is_not(shelf: Shelf) -> None:
    rungs = Rungs(CONFIG, archive=shelf.open("show"))
    await play(rungs, shelf, 60)
    assert await rungs.output.get("720p", 1, 3, 0) is None
    assert await rungs.output.get("720p", 1, 3, None) is not None
    assert await rungs.output.get("720p", 1, 58, 0) is not None


async def test_long_playlists_say_what_short_ones_say(shelf: Shelf) -> None:
    long = Rungs(CONFIG, archive=shelf.open("show"))
    whole = Rungs(replace(CONFIG, memory_s=400.0))
    for rungs in (long, whole):
        for _ in range(5):
            rungs.run(30)
            await shelf.settled()
            rungs.reconnect()
        rungs.run(7)
        await shelf.settled()
    for skip in (False, True):
        body = render_media(long.view(), CONFIG, skip=skip)
        assert body.plain == render_media(whole.view(), CONFIG, skip=skip).plain
        assert gzip.decompress(body.gzipped) == body.plain
    assert len(long.view().past) > 2


async def test_the_past_is_rendered_and_compressed_once(shelf: Shelf) -> None:
    rungs = Rungs(CONFIG, archive=shelf.open("show"))
    await play(rungs, shelf, 300)
    before = rungs.view().past
    rungs.run(1)
    after = rungs.view().past
    assert after[1:-1] == before[1:-1], (
        "the same objects, all but the one that grows and the one that shrinks"
    )


async def test_two_hours_are_a_small_delta(shelf: Shelf) -> None:
    rungs = Rungs(replace(CONFIG, window_s=7200.0), archive=shelf.open("show"))
    await play(rungs, shelf, 3700)
    view = rungs.view()
    assert sum(1 for _ in view.listed) in (3600, 3601)
    assert len(render_media(view, CONFIG, skip=True).gzipped) <= 2_000
    assert len(render_media(view, CONFIG).gzipped) <= 64_000


async def test_a_promise_of_the_past_is_kept_on_disk(shelf: Shelf) -> None:
    rungs = Rungs(CONFIG, archive=shelf.open("show"))
    copied, dormant = rungs.writers
    for _ in range(6):
        rungs.run(10, [copied])
        dormant.promise(rungs.timeline.frontier)
        await shelf.settled()
    item = dormant.rendition.item(3)
    assert item is not None
    assert item.is_settled
    assert item.is_promised
    text = render_media(rungs.view("480p"), CONFIG).plain
    assert b"GAP" not in text
    waiting = asyncio.create_task(rungs.output.get("480p", item.generation, 3, None))
    await asyncio.sleep(0)
    start = item.segment.start
    dormant.keep(item, [Sample(start + i * S // 4, start + i * S // 4, bytes(50), not i) for i in range(8)])
    made = await waiting
    assert made is not None
    await shelf.settled()
    assert item.data() is None, "it is on disk only"
    assert await rungs.output.get("480p", item.generation, 3, None) == made
    assert render_media(rungs.view("480p"), CONFIG).plain == text
    # One that cannot be made is a gap from then on.
    lost = dormant.rendition.item(4)
    assert lost is not None
    dormant.keep(lost, [])
    changed = render_media(rungs.view("480p"), CONFIG).plain.decode()
    assert changed.count("#EXT-X-GAP") == 1
    assert re.search(r"#EXT-X-GAP\n#EXTINF:2.000000,\n1-4.m4s\n", changed)


async def test_what_cannot_be_written_is_listed_while_it_is_in_memory(shelf: Shelf) -> None:
    shelf._folder.write_text("no folder")
    rungs = Rungs(CONFIG, archive=shelf.open("show"))
    await play(rungs, shelf, 60)
    assert [segment.msn for segment in rungs.view().listed if segment.is_complete] == list(range(45, 60))
    assert await rungs.output.get("720p", 1, 45, None) is not None
    assert rungs.output.size_bytes < 60 * 2 * 2 * PER_SEGMENT
    # It goes on as soon as the disk is back.
    shelf._folder.unlink()
    await play(rungs, shelf, 60)
    listed = [segment.msn for segment in rungs.view().listed if segment.is_complete]
    assert listed == list(range(listed[0], 120))
    assert listed[0] <= 60
    assert all([await rungs.output.get("720p", 1, msn, None) for msn in listed])


async def test_a_slow_disk_is_not_waited_for(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "MAX_QUEUED_BYTES", 3000)
    rungs = Rungs(CONFIG, archive=shelf.open("show"))
    rungs.run(60)
    await shelf.settled()
    rungs.run(1)
    assert next(iter(rungs.view().listed)).msn >= 44


async def test_a_disk_budget_shortens_the_playlist_of_who_holds_the_most(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "dvr", 250_000)
    large, small = (
        Rungs(CONFIG, archive=shelf.open("show"), size=300),
        Rungs(CONFIG, archive=shelf.open("other")),
    )
    for _ in range(15):
        small.run(2)
        large.run(10)
        await shelf.settled()
    small.run(1)
    large.run(1)
    await shelf.settled()
    assert shelf.size_bytes <= 250_000 + 2 * 8 * 300 * 2
    assert next(small.view().listed).msn == 0
    listed = [segment.msn for segment in large.view().listed if segment.is_complete]
    assert 20 <= len(listed) < 60
    assert await large.output.get("720p", 1, listed[0], None) is not None
    assert files(shelf)[0] <= listed[0]
    await shelf.close()


async def test_a_broadcast_that_is_over_goes_first(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "dvr", 250_000)
    over, live = (Rungs(CONFIG, archive=shelf.open(name), size=300) for name in ("show", "other"))
    ended = ["show"]

    def relieve() -> bool:
        if ended:
            shelf.remove(ended.pop())
            return True
        return False

    shelf.relieve = relieve
    over.run(40)
    await shelf.settled()
    for _ in range(10):
        live.run(2)
        await shelf.settled()
    assert not (shelf._folder / "show").exists()
    assert next(live.view().listed).msn == 0
    await shelf.close()


async def test_a_file_that_is_gone_becomes_a_gap(shelf: Shelf) -> None:
    rungs = Rungs(CONFIG, archive=shelf.open("show"))
    await play(rungs, shelf, 60)
    (shelf._folder / "show/720p/1-5.m4s").unlink()
    assert await rungs.output.get("720p", 1, 5, None) is None
    view = rungs.view()
    assert [segment.msn for segment in view.listed if segment.is_gap] == [5]
    assert await rungs.output.get("720p", 1, 6, None) is not None


async def test_who_asks_for_the_same_shares_one_reading(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    rungs = Rungs(CONFIG, archive=shelf.open("show"))
    await play(rungs, shelf, 60)
    reads: list[Path] = []
    original: Callable[[Path], bytes] = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        reads.append(path)
        return original(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    first, second, _ = (asyncio.create_task(rungs.output.get("720p", 1, 5, None)) for _ in range(3))
    await asyncio.sleep(0)
    first.cancel()
    assert await second is not None
    assert await rungs.output.get("720p", 1, 5, None) is not None
    assert len(reads) == 1


async def test_what_is_over_is_swept_away(shelf: Shelf) -> None:
    for name in ("show", "other"):
        await play(Rungs(CONFIG, archive=shelf.open(name)), shelf, 10)
    await shelf.sweep({"show"})
    assert [path.name for path in shelf._folder.iterdir()] == ["show"]
    shelf.remove("show")
    await shelf.settled()
    assert list(shelf._folder.iterdir()) == []
    assert shelf.size_bytes > 0, "that of the other one, which nobody has closed"
