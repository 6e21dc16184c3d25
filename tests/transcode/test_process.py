"""One worker process: how it starts, speaks and ends."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from media import child
from media.error import LocalStateError, TranscodeError
from transcode.message import Activate, ActivateAudio, Frames, Message, SetTrack
from transcode.pool import WorkerPool
from transcode.process import WorkerProcess

from .source import audio, messages, spec, video


class Listener:
    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def on_message(self, message: Message) -> None:
        self.messages.append(message)

    def on_lost(self, reason: str) -> None:
        self.lost.set_result(reason)


async def test_it_starts_from_any_folder_whatever_lies_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "media.py").write_text("raise SystemExit('the wrong media')")
    (tmp_path / "transcode.py").write_text("raise SystemExit('the wrong transcode')")
    monkeypatch.chdir(tmp_path)
    worker = await WorkerProcess.spawn()
    await worker.stop()


async def test_it_does_not_see_the_servers_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET", "do-not-tell")
    worker = await WorkerProcess.spawn()
    environment = Path(f"/proc/{worker.pid}/environ").read_bytes()
    await worker.stop()
    assert b"do-not-tell" not in environment


async def test_it_ends_by_itself_when_its_socket_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = await WorkerProcess.spawn()
    worker.send(Activate(spec("144p", 256, 144), 0))
    for message in messages(video(50)):
        worker.send(message)
    pid = worker.pid
    monkeypatch.setattr(child, "STOP_TIMEOUT_S", 15.0)
    await worker.stop()
    assert worker._process is not None
    assert worker._process.returncode == 0, "it had to be told by a signal"
    assert not Path(f"/proc/{pid}").exists()


async def test_a_stopped_one_is_killed_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "STOP_TIMEOUT_S", 0.1)
    worker = await WorkerProcess.spawn()
    os.kill(worker.pid, signal.SIGSTOP)
    await worker.stop()
    assert not Path(f"/proc/{worker.pid}").exists()


async def test_a_codec_that_refuses_is_reported_with_words() -> None:
    worker = await WorkerProcess.spawn()
    listener = Listener()
    worker.attach(listener)
    (setting, *_) = messages(video(1))
    assert isinstance(setting, SetTrack)
    worker.send(Activate(spec("144p", 0, 0), 0))
    reason = await asyncio.wait_for(listener.lost, 5)
    assert "rror" in reason
    await worker.kill()


async def test_one_that_cannot_start_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nonexistent/python")
    with pytest.raises(TranscodeError, match="could not be started"):
        await WorkerProcess.spawn()
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(TranscodeError, match="ended"):
        await WorkerProcess.spawn()


async def test_a_server_that_does_not_read_stalls_it_in_bounded_memory() -> None:
    worker = await WorkerProcess.spawn()
    listener = Listener()
    worker.attach(listener)
    transport = worker._transport
    assert transport is not None
    transport.pause_reading()
    worker.send(Activate(spec("720p", 1280, 720), 0))
    worker.send(ActivateAudio("opus", 0))
    for message in [*messages(video(400)), *messages(audio(2.0))]:
        worker.send(message)
    await asyncio.sleep(1.5)
    status = Path(f"/proc/{worker.pid}/status").read_text()
    (resident,) = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")]
    assert resident < 200_000
    transport.resume_reading()
    async with asyncio.timeout(15):
        while sum(isinstance(message, Frames) for message in listener.messages) < 399:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await worker.kill()


async def test_a_spare_that_died_is_not_handed_out(pool: WorkerPool) -> None:
    first = await pool.take()
    await asyncio.sleep(1.2)
    (spare,) = pool._spares
    os.kill(spare.pid, signal.SIGKILL)
    await asyncio.sleep(0.05)
    second = await pool.take()
    assert second.pid not in (first.pid, spare.pid)
    pool.release(first)
    pool.release(second, at_once=True)


async def test_a_closed_pool_gives_nothing() -> None:
    pool = WorkerPool(warm=0)
    await pool.start()
    await pool.close()
    with pytest.raises(LocalStateError):
        await pool.take()


async def test_a_spare_that_was_killed_unnoticed_is_not_handed_out() -> None:
    pool = WorkerPool(warm=1)
    await pool.start()
    try:
        spare = await pool.take()
        pool.release(spare)
        second = await pool.take()
        assert await second.responds()
        os.kill(second.pid, signal.SIGKILL)
        assert not await second.responds()
        pool.release(second, at_once=True)
    finally:
        await pool.close()
