"""The registry and its file: what was answered is there after a kill."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from control_api.registry import Registry
from control_api.stream import Status, Stream
from media.error import CapacityError, ConfigError, StreamError

from .conftest import NOW


def stream(number: int, **fields: object) -> Stream:
    values: dict[str, object] = {
        "id": f"id-{number:04}",
        "user_id": "u",
        "stream_key": f"key-{number}",
        "title": "t",
    }
    return Stream(created_at=NOW, **{**values, **fields})  # type: ignore[arg-type]  # a test's shorthand


async def test_everything_survives(tmp_path: Path) -> None:
    registry = await Registry.open(tmp_path)
    first = stream(1, tags=("a", "é\n"), scheduled_at=NOW, category="x")
    await registry.add(first)
    live = await registry.replace(replace(first, status=Status.LIVE, started_at=NOW))
    await registry.follow("a", "b")
    await registry.set_channel_key("a", "ck_1")
    await registry.close()

    again = await Registry.open(tmp_path)
    assert await again.get("id-0001") == live
    assert live.revision == 2
    assert await again.get_by_key("key-1") == live
    assert await again.follower_count("a") == 1
    assert await again.follower_count("demo") == 50
    assert await again.user_by_channel_key("ck_1") == "a"
    assert (tmp_path / "registry.json").stat().st_mode & 0o777 == 0o600
    await again.close()


async def test_the_seed_comes_only_once(tmp_path: Path) -> None:
    registry = await Registry.open(tmp_path)
    await registry.unfollow("demo", "demo-friend-01")
    await registry.close()
    again = await Registry.open(tmp_path)
    assert await again.follower_count("demo") == 49
    await again.close()


WRITER = """
import asyncio, sys
from pathlib import Path
from control_api.registry import Registry
from control_api.stream import Stream
from datetime import UTC, datetime
async def main():
    registry = await Registry.open(Path(sys.argv[1]))
    for number in range(100_000):
        await registry.add(Stream(id=str(number), user_id="u", stream_key=str(number), title="t",
                                  created_at=datetime.now(UTC)))
        print(number, flush=True)
asyncio.run(main())
"""


async def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, str(tmp_path), stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert writer.stdout is not None
    while int(await writer.stdout.readline()) < 20:
        pass
    writer.send_signal(signal.SIGKILL)
    rest = (await writer.stdout.read()).split()
    await writer.wait()
    registry = await Registry.open(tmp_path)
    for number in (0, 20, *map(int, rest)):
        assert await registry.get(str(number)) is not None
    await registry.close()


async def test_changes_at_once_are_all_kept(tmp_path: Path) -> None:
    registry = await Registry.open(tmp_path)
    await asyncio.gather(*(registry.follow("star", f"fan-{n}") for n in range(20)))
    await asyncio.gather(*(registry.add(stream(n)) for n in range(20)))
    results = await asyncio.gather(
        *(registry.replace(stream(1, title=f"t{n}")) for n in range(5)), return_exceptions=True
    )
    assert sum(isinstance(result, StreamError) for result in results) == 4
    await registry.close()
    data = json.loads((tmp_path / "registry.json").read_bytes())
    assert len(data["users"]["star"]["followers"]) == 20
    assert len(data["streams"]) == 20


async def test_a_cancelled_request_leaves_no_half_change(tmp_path: Path) -> None:
    registry = await Registry.open(tmp_path)
    adding = asyncio.create_task(registry.add(stream(1)))
    await asyncio.sleep(0)
    adding.cancel()
    await asyncio.gather(adding, return_exceptions=True)
    await registry.close()
    assert await registry.get("id-0001") is not None
    assert b"id-0001" in (tmp_path / "registry.json").read_bytes()


async def test_a_failed_write_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    registry = await Registry.open(folder)
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(CapacityError):
        await registry.add(stream(1))
    assert await registry.get("id-0001") is None
    (tmp_path / "elsewhere").rename(folder)
    await registry.add(stream(1))
    await registry.close()


async def test_one_server_at_a_time(tmp_path: Path) -> None:
    registry = await Registry.open(tmp_path)
    with pytest.raises(ConfigError, match="another server already uses"):
        await Registry.open(tmp_path)
    await registry.close()
    await (await Registry.open(tmp_path)).close()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is damaged"),
        (b'{"version": 1, "streams": [', "is damaged"),
        (b'{"version": 1, "streams": [{"id": 1}], "users": {}}', "is damaged"),
        (b'{"version": 2, "streams": [], "users": {}}', "has version 2"),
    ],
)
async def test_a_damaged_file_is_refused_and_kept(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "registry.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        await Registry.open(tmp_path)
    assert path.read_bytes() == content


async def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        await Registry.open(tmp_path / "file" / "data")
