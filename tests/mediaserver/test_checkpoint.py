"""CheckpointStore: positions on disk, the newest only, off the event loop."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from hls.timeline import Checkpoint
from mediaserver.live.checkpoint import CheckpointStore

NEWEST = Checkpoint(generation=3, next_msn=41, discontinuity_sequence=2, position=9_000_000)


async def test_round_trip(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "live")
    assert store.load("a") is None
    store.save("a", Checkpoint(1, 1, 0, 0))
    store.save("a", NEWEST)
    store.save("b", Checkpoint())
    await store.close()
    assert CheckpointStore(tmp_path / "live").load("a") == NEWEST
    assert store.load("b") == Checkpoint()
    await store.forget("a")
    await store.forget("a")
    assert store.load("a") is None
    assert [path.name for path in (tmp_path / "live").iterdir()] == ["b.json"]


async def test_newest_wins_over_one_that_is_being_written(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    for number in range(30):
        store.save("a", Checkpoint(next_msn=number))
        await asyncio.sleep(0)
    await store.close()
    assert store.load("a") == Checkpoint(next_msn=29)


async def test_forgetting_wins_over_one_that_is_being_written(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    store.save("a", NEWEST)
    await asyncio.sleep(0)
    await store.forget("a")
    assert list(tmp_path.iterdir()) == []


async def test_nobody_starves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = CheckpointStore(tmp_path)
    order = []
    write = CheckpointStore._write

    def noted(self: CheckpointStore, stream_id: str, checkpoint: Checkpoint) -> None:
        order.append(stream_id)
        write(self, stream_id, checkpoint)

    monkeypatch.setattr(CheckpointStore, "_write", noted)
    for name in "abc":
        store.save(name, NEWEST)
    await store.close()
    assert order == ["a", "b", "c"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        "null",
        '{"generation": "x"}',
        '{"next_msn": -1}',
        '{"position": 1e40}',
        f'{{"position": {10**30}}}',
        '{"other": 1}',
        "\udcff",
    ],
)
def test_unreadable_checkpoint_is_said_and_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text, errors="surrogateescape")
    with capture_logs() as logs:
        assert CheckpointStore(tmp_path).load("a") is None
    assert [entry["stream_id"] for entry in logs] == ["a"]


async def test_disk_that_cannot_be_written_is_said_and_tried_again(tmp_path: Path) -> None:
    folder = tmp_path / "live"
    folder.write_text("a file where the folder should be")
    store = CheckpointStore(folder)
    with capture_logs() as logs:
        store.save("a", NEWEST)
        await store.close()
    assert logs[0]["event"] == "checkpoint not written"
    folder.unlink()
    store.save("a", NEWEST)
    await store.close()
    assert store.load("a") == NEWEST


async def test_half_written_file_is_never_read(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    store.save("a", NEWEST)
    await store.close()
    (tmp_path / "a.partial").write_text('{"generation": 9')
    assert store.load("a") == NEWEST
    assert json.loads((tmp_path / "a.json").read_text())["next_msn"] == 41
