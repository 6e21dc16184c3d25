"""The past over the death of the process: what was listed is listed again, under the same addresses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hls import ledger_file
from hls.ledger import read_ledger, track_line
from hls.ledger_file import load_ledger
from hls.playlist import render_media
from hls.restored import MAX_MISSING, restore
from hls.timeline import Checkpoint
from hls.view import SegmentView
from hls.writer import Sample
from media.aac import STEREO_48K

from .test_rewind import CONFIG, S, Shelf, play
from .test_window import TRACK, Rungs


class Death:
    """A broadcast that a process has left behind, and a process that goes on with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shelf = Shelf(folder, 1 << 40)
        self.before = Rungs(CONFIG, archive=self.shelf.open("show"))

    async def play(self, segments: int) -> None:
        await play(self.before, self.shelf, segments)

    async def die(self) -> Checkpoint:
        self.shelf.open("show").ledger.flush()
        await self.shelf.settled()
        return self.before.timeline.checkpoint()

    async def rise(self, checkpoint: Checkpoint) -> Rungs:
        self.shelf = Shelf(self.folder, 1 << 40)
        past = restore(await self.shelf.load("show"), checkpoint)
        assert past is not None
        self.after = Rungs(CONFIG, checkpoint, archive=self.shelf.open("show"), past=past)
        return self.after


@pytest.fixture
async def death(tmp_path: Path) -> Death:
    return Death(tmp_path)


def listed(rungs: Rungs, name: str = "720p") -> list[SegmentView]:
    return [segment for segment in rungs.view(name).listed if segment.is_complete]


async def test_viewers_rewind_to_what_another_process_has_published(death: Death) -> None:
    await death.play(40)
    death.before.reconnect()
    await death.play(20)
    checkpoint = await death.die()
    before = listed(death.before)
    after = await death.rise(checkpoint)
    assert death.shelf.size_bytes == sum(path.stat().st_size for path in death.folder.rglob("*.m4s"))
    after.run(2)
    segments = listed(after)
    assert [segment.msn for segment in segments] == list(range(63)), "one that was open, two that are new"
    old = [(s.msn, s.generation, s.duration_s, s.program_date_time, s.is_discontinuity) for s in before]
    assert [
        (s.msn, s.generation, s.duration_s, s.program_date_time, s.is_discontinuity) for s in segments[:60]
    ] == old
    assert [segment.msn for segment in segments if segment.is_gap] == [60]
    assert [segment.msn for segment in segments if segment.is_discontinuity] == [40, 61]
    assert segments[60].duration_s == CONFIG.target_duration_s
    ends = [segment.program_date_time + segment.duration_s for segment in segments]
    assert all(end <= s.program_date_time + 1e-6 for end, s in zip(ends, segments[1:], strict=False))
    text = render_media(after.view(), CONFIG).plain.decode()
    assert text.count("#EXT-X-MAP") == 2
    for segment in segments:
        data = await after.output.get("720p", segment.generation, segment.msn, None)
        assert (data is None) == segment.is_gap
        if not segment.is_gap:
            assert after.output.init("720p", segment.generation) is not None or segment.generation == 2


async def test_what_leaves_the_window_goes_from_the_disk_as_ever(death: Death) -> None:
    await death.play(150)
    after = await death.rise(await death.die())
    await play(after, death.shelf, 500)
    assert listed(after)[0].msn > 400
    await death.shelf.settled()
    assert min(int(path.stem.partition("-")[2]) for path in death.folder.rglob("*.m4s")) > 200
    assert death.shelf.size_bytes == sum(path.stat().st_size for path in death.folder.rglob("*.m4s"))


async def test_ledgers_go_as_well(death: Death, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_file, "PER_FILE", 50)
    await death.play(150)
    after = await death.rise(await death.die())
    await play(after, death.shelf, 600)
    checkpoint = after.timeline.checkpoint()
    death.shelf.open("show").ledger.flush()
    await death.shelf.settled()
    assert 8 <= len(list((death.folder / "show").glob("ledger-*"))) <= 10
    again = await death.rise(checkpoint)
    assert [len(found.tracks) for found in again.output._restored.renditions.values()] == [1, 1]


async def test_a_promise_is_still_one(death: Death) -> None:
    copied, dormant = death.before.writers
    for _ in range(6):
        death.before.run(10, [copied])
        dormant.promise(death.before.timeline.frontier)
        await death.shelf.settled()
    after = await death.rise(await death.die())
    writer = after.writers[1]
    item = writer.rendition.item(3)
    assert item is not None
    assert item.is_promised
    assert writer.track_of(item.generation) == TRACK
    start = item.segment.start
    writer.keep(item, [Sample(start + i * S // 4, start + i * S // 4, bytes(50), not i) for i in range(8)])
    await death.shelf.settled()
    assert await after.output.get("480p", item.generation, 3, None) is not None
    assert not any(segment.is_gap for segment in listed(after, "480p")[:60])


async def test_a_promise_that_was_kept_in_the_last_moment_is_not_made_anew(death: Death) -> None:
    copied, dormant = death.before.writers
    death.before.run(10, [copied])
    dormant.promise(death.before.timeline.frontier)
    checkpoint = await death.die()
    (death.folder / "show/480p").mkdir()
    (death.folder / "show/480p/1-3.m4s").write_bytes(b"as somebody may have got it")
    after = await death.rise(checkpoint)
    after.run(1, after.writers[:1])
    items = [after.writers[1].rendition.item(msn) for msn in range(10)]
    assert [item.is_gap for item in items if item is not None] == [msn == 3 for msn in range(10)]


async def test_files_that_are_gone_are_gaps_and_others_are_removed(death: Death) -> None:
    await death.play(40)
    checkpoint = await death.die()
    folder = death.folder / "show/720p"
    (folder / "1-5.m4s").unlink()
    (folder / "1-6.m4s").write_bytes(b"cut short")
    (folder / "1-9999.m4s").write_bytes(b"never told of")
    after = await death.rise(checkpoint)
    after.run(1)
    assert [segment.msn for segment in listed(after) if segment.is_gap] == [5, 6, 40]
    assert not (folder / "1-9999.m4s").exists()


@pytest.mark.parametrize("missing", [0, 1, MAX_MISSING, MAX_MISSING + 1, -1])
async def test_lines_that_were_not_written_any_more_are_gaps(death: Death, missing: int) -> None:
    await death.play(40)
    checkpoint = await death.die()
    step = 2 * S * missing
    checkpoint = replace(
        checkpoint, next_msn=checkpoint.next_msn + missing, position=checkpoint.position + step
    )
    found = load_ledger(death.folder / "show")
    past = restore(found, checkpoint)
    if not 0 <= missing < MAX_MISSING:
        # One more is always missing: the segment that was open.
        assert (past is None) == (missing >= MAX_MISSING)
        return
    assert past is not None
    assert [segment.msn for segment in past.segments] == list(range(41 + missing))
    assert past.segments[-1].end <= checkpoint.position
    assert all(segment.end - segment.start <= 5 * S for segment in past.segments)
    items = past.renditions["720p"].items
    assert [item.is_gap for item in items] == [False] * 40 + [True] * (missing + 1)


async def test_what_was_a_discontinuity_is_counted(death: Death) -> None:
    await death.play(10)
    death.before.reconnect()
    checkpoint = await death.die()
    past = restore(load_ledger(death.folder / "show"), checkpoint)
    assert past is not None
    assert past.segments[-1].is_discontinuity, "the one that was open is the first of its run"
    after = await death.rise(checkpoint)
    after.run(1)
    view = after.view()
    tags = sum(segment.is_discontinuity for segment in view.listed)
    assert view.discontinuity_sequence + tags == checkpoint.discontinuity_sequence + 1


def test_a_damaged_ledger_is_read_as_far_as_it_goes() -> None:
    good = track_line("audio", 3, STEREO_48K)
    found = read_ledger(
        [b"", b"\xff\n", b"null\n", b"[1]\n", good[:20], good, b'["entry",{"rendition":"audio"}]\n']
    )
    assert found.renditions["audio"].tracks == {3: STEREO_48K}
    assert found.renditions["audio"].entries == {}


@given(st.lists(st.binary(max_size=60) | st.builds(lambda value: json.dumps(value).encode(), st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.sampled_from(["segment", "entry", "track"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["msn", "rendition", "generation", "kind", "base64", "fraction", "x"]), inner, max_size=4),
    max_leaves=8))))  # fmt: skip
def test_no_line_is_an_error(lines: list[bytes]) -> None:
    found = read_ledger(lines)
    assert restore(found, Checkpoint(5, 10, 2, 900_000)) is None
