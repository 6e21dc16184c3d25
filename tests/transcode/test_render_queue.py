"""How requests for segments share the work of real workers, in what order they are served, and what losses do."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace

import pytest

from media.error import CapacityError, TranscodeError
from transcode import render as module
from transcode import render_queue, render_worker
from transcode.pool import WorkerPool
from transcode.render import Priority, Rendered, Renderer

from .rendering import GOP, SMALL, TINY, CountingPool, render, request, times
from .source import video


async def test_rungs_of_one_source_that_wait_together_are_decoded_once(pool: WorkerPool) -> None:
    counting = CountingPool(pool)
    renderer = Renderer(counting)
    packets = video(GOP)
    results = await asyncio.gather(
        render(renderer, request(packets, SMALL)), render(renderer, request(packets, TINY))
    )
    assert [item.track.width for item in results] == [256, 160]
    assert counting.count("SetTrack") == 1
    assert counting.count("Media") == GOP
    alone = await render(renderer, request(packets, TINY, source="again"))
    assert alone.frames[0].pts == results[1].frames[0].pts
    await renderer.close()


async def test_many_who_ask_for_the_same_wait_for_one_job(pool: WorkerPool) -> None:
    counting = CountingPool(pool, stops=True)
    renderer = Renderer(counting)
    wanted = request(video(GOP))
    first = asyncio.create_task(render(renderer, wanted))
    await counting.until_sent("Media")
    late = [asyncio.create_task(render(renderer, wanted)) for _ in range(5)]
    await asyncio.sleep(0)
    counting.go_on()
    results = await asyncio.gather(first, *late)
    assert all(item is results[0] for item in results)
    assert counting.count("Media") == GOP
    assert renderer.stats.rendered == 1
    await renderer.close()


async def test_live_goes_before_rewind_and_the_newest_first(renderer: Renderer) -> None:
    finished: list[str] = []

    async def ask(name: str, priority: Priority, order: int) -> None:
        wanted = request(video(2), source=name)
        await renderer.render(wanted, priority=priority, order=order)
        finished.append(name)

    asked = [
        ("vod", Priority.VOD, 9),
        ("old", Priority.LIVE, 1),
        ("rewind", Priority.REWIND, 8),
        ("new", Priority.LIVE, 2),
    ]
    await asyncio.wait_for(asyncio.gather(*(ask(*item) for item in asked)), 15)
    assert finished == ["new", "old", "rewind", "vod"]


async def test_live_does_not_wait_for_what_is_less_urgent(pool: WorkerPool) -> None:
    counting = CountingPool(pool, stops=True)
    renderer = Renderer(counting)
    vod = asyncio.create_task(renderer.render(request(video(GOP), source="vod"), priority=Priority.VOD))
    await counting.until_sent("Media")
    counting.stops = False
    assert len((await render(renderer, request(video(GOP), source="live"))).frames) == GOP
    assert not vod.done()
    counting.go_on()
    await asyncio.wait_for(vod, 15)
    assert len(renderer.worker_pids) == 1, "the other one is let go"
    await renderer.close()


async def test_nobody_waits_for_it_any_more(pool: WorkerPool) -> None:
    counting = CountingPool(pool, stops=True)
    renderer = Renderer(counting)
    first = asyncio.create_task(render(renderer, request(video(GOP), source="first")))
    await counting.until_sent("Media")
    other = request(video(GOP), source="other")
    tasks = [asyncio.create_task(renderer.render(other, priority=Priority.LIVE)) for _ in range(2)]
    await asyncio.sleep(0)
    assert renderer.stats.waiting == 1
    tasks[0].cancel()
    await asyncio.gather(tasks[0], return_exceptions=True)
    assert renderer.stats.waiting == 1, "one still waits"
    tasks[1].cancel()
    await asyncio.gather(tasks[1], return_exceptions=True)
    assert renderer.stats.waiting == 0
    counting.go_on()
    await first
    assert counting.count("Media") == GOP
    await renderer.close()


async def test_who_stops_waiting_for_what_runs_spoils_nothing(pool: WorkerPool) -> None:
    counting = CountingPool(pool, stops=True)
    renderer = Renderer(counting)
    task = asyncio.create_task(render(renderer, request(video(GOP))))
    await counting.until_sent("Media")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    counting.go_on()
    assert len((await render(renderer, request(video(GOP), source="next"))).frames) == GOP
    assert renderer.stats.rendered == 2
    await renderer.close()


async def test_a_worker_that_is_killed_is_replaced(pool: WorkerPool) -> None:
    counting = CountingPool(pool)
    renderer = Renderer(counting)
    packets = video(10 * GOP)
    task = asyncio.create_task(render(renderer, request(packets)))
    await counting.until_sent("Media")
    os.kill(counting.workers[0].pid, signal.SIGKILL)
    assert times(await task) == [packet.pts for packet in packets]
    assert len(counting.workers) == 2
    await renderer.close()


async def test_what_kills_every_worker_is_given_up_and_does_no_harm_to_others(pool: WorkerPool) -> None:
    # A rung without pixels: its encoder cannot be opened, and the worker ends with the reason.
    renderer = Renderer(pool)
    packets = video(GOP)
    good, bad = await asyncio.gather(
        render(renderer, request(packets)),
        render(renderer, request(packets, replace(TINY, width=0, height=0))),
        return_exceptions=True,
    )
    assert isinstance(good, Rendered), "tried once more, by itself"
    assert isinstance(bad, TranscodeError)
    assert renderer.stats.failed == 1
    await renderer.close()


async def test_a_worker_that_dies_without_a_job_is_not_used(renderer: Renderer) -> None:
    await render(renderer, request(video(2)))
    (pid,) = renderer.worker_pids
    os.kill(pid, signal.SIGKILL)
    assert len((await render(renderer, request(video(GOP), source="next"))).frames) == GOP


async def test_a_full_queue_refuses_the_least_urgent(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render_queue, "MAX_WAITING", 2)
    ranks = [(Priority.REWIND, 1), (Priority.REWIND, 2), (Priority.REWIND, 0), (Priority.LIVE, 0)]
    results = await asyncio.gather(
        *(
            asyncio.wait_for(
                renderer.render(request(video(2), source=str(rank)), priority=rank[0], order=rank[1]), 15
            )
            for rank in ranks
        ),
        return_exceptions=True,
    )
    assert [type(item) for item in results] == [CapacityError, Rendered, CapacityError, Rendered]


async def test_closing_lets_nobody_wait(pool: WorkerPool) -> None:
    counting = CountingPool(pool)
    renderer = Renderer(counting)
    running = asyncio.create_task(render(renderer, request(video(10 * GOP))))
    await counting.until_sent("Media")
    waiting = asyncio.create_task(render(renderer, request(video(2), source="waiting")))
    await asyncio.sleep(0)
    await renderer.close()
    for task in (running, waiting):
        with pytest.raises(TranscodeError, match="no more"):
            await task
    with pytest.raises(TranscodeError, match="no more"):
        await render(renderer, request(video(2)))
    assert renderer.worker_pids == []


async def test_a_worker_without_a_job_is_let_go(pool: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_S", 0.0)
    counting = CountingPool(pool)
    renderer = Renderer(counting)
    await render(renderer, request(video(2)))
    await asyncio.wait_for(counting.released.wait(), 15)
    assert renderer.worker_pids == []
    await renderer.close()


async def test_a_worker_of_large_pictures_serves_once(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render_worker, "MAX_KEPT_PIXELS", 320 * 180)
    await render(renderer, request(video(2)))
    assert len(renderer.worker_pids) == 1
    await render(renderer, request(video(2, 322, 180), source="large"))
    assert renderer.worker_pids == []


async def test_several_workers_share_the_work(pool: WorkerPool) -> None:
    renderer = Renderer(pool, workers=2)
    results = await asyncio.gather(
        *(render(renderer, request(video(GOP), source=str(number))) for number in range(4))
    )
    assert [len(item.frames) for item in results] == [GOP] * 4
    assert len(renderer.worker_pids) == 2
    await renderer.close()
