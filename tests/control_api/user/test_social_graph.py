"""The follower graph over real gRPC."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from control_api.joined_cache import MAX_OPEN, JoinedCache
from control_api.user.graph_channel import FAILURES, PROBE_S, Target, parse_target
from control_api.user.social_graph import MAX_CACHED, MAX_PAGE_TOKEN, PAGE, GrpcSocialGraph
from control_api.user.social_graph_port import SocialGraph
from media.error import CapacityError
from protos.social_graph_pb2 import ListFollowersResponse
from tests.certificate import make_certificate
from tests.control_api.clock import Clock
from tests.control_api.graph_server import Graph, serve

ROOT = Path(__file__).parents[3]
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
ATTEMPTS = 3


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def graph() -> Graph:
    return Graph()


@pytest.fixture
async def port(graph: Graph) -> AsyncIterator[int]:
    async with serve(graph) as port:
        yield port


@pytest.fixture
async def client(port: int, clock: Clock) -> AsyncIterator[GrpcSocialGraph]:
    # The deadline is that of a busy machine; what depends on it has one of its own.
    client = GrpcSocialGraph(f"127.0.0.1:{port}", deadline_s=8, clock=clock)
    yield client
    await client.close()


async def refuse(client: SocialGraph, user_id: str = "alice", *, fresh: bool = False) -> None:
    with pytest.raises(CapacityError, match="The follower graph does not answer at the moment") as caught:
        await client.follower_count(user_id, fresh)
    assert caught.value.retry_after_s == 5


async def listed(client: SocialGraph) -> list[str]:
    return [follower_id async for page in client.followers("alice") for follower_id in page]


async def test_answers(client: SocialGraph, graph: Graph) -> None:
    graph.counts = {"alice": 100_000, "é" * 128: 2**40}
    graph.pairs = {("alice", "bob")}
    assert await client.follower_count("alice") == 100_000
    assert await client.follower_count("é" * 128) == 2**40
    assert await client.follower_count("nobody") == 0
    assert await client.is_follower("alice", "bob")
    assert not await client.is_follower("bob", "alice")


async def test_pages(client: SocialGraph, graph: Graph) -> None:
    graph.pages = {
        "": ListFollowersResponse(follower_ids=[f"u{n}" for n in range(PAGE)], next_page_token="2"),
        "2": ListFollowersResponse(next_page_token="3"),
        "3": ListFollowersResponse(follower_ids=["last", "", "control\x00character", "x" * 129]),
    }
    assert await listed(client) == [*(f"u{n}" for n in range(PAGE)), "last"]
    assert graph.calls == {f"page {PAGE}": 3}


@pytest.mark.parametrize(
    "page",
    [
        ListFollowersResponse(next_page_token="2", follower_ids=["again"]),
        ListFollowersResponse(follower_ids=["x"] * (PAGE + 1)),
        ListFollowersResponse(next_page_token="x" * (MAX_PAGE_TOKEN + 1)),
        ListFollowersResponse(follower_ids=["x" * 2000] * PAGE),
    ],
    ids=["circle", "too many", "long token", "too large"],
)
async def test_pages_that_cannot_be(client: SocialGraph, graph: Graph, page: ListFollowersResponse) -> None:
    graph.pages = {"": ListFollowersResponse(follower_ids=["first"], next_page_token="2"), "2": page}
    pages = client.followers("alice")
    assert await anext(pages) == ["first"]
    with pytest.raises(CapacityError):
        [_ async for _ in pages]
    assert graph.calls == {f"page {PAGE}": 2}


async def test_pages_without_end(client: SocialGraph, graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("control_api.user.social_graph.MAX_PAGES", 5)
    graph.pages = {
        "": ListFollowersResponse(next_page_token="a"),
        "a": ListFollowersResponse(next_page_token="b"),
        "b": ListFollowersResponse(next_page_token="a"),
    }
    with pytest.raises(CapacityError):
        await listed(client)
    assert graph.calls == {f"page {PAGE}": 5}


async def test_a_late_answer_is_none(port: int, graph: Graph) -> None:
    client = GrpcSocialGraph(f"grpc://127.0.0.1:{port}", deadline_s=0.2)
    graph.gate.clear()
    await refuse(client)
    graph.gate.set()
    await client.close()


async def test_two_failures_are_hidden_and_three_are_not(client: SocialGraph, graph: Graph) -> None:
    graph.counts = {"alice": 7}
    graph.failures.extend([UNAVAILABLE] * (ATTEMPTS - 1))
    assert await client.follower_count("alice") == 7
    graph.failures.extend([UNAVAILABLE] * ATTEMPTS)
    await refuse(client, fresh=True)
    assert await client.follower_count("alice", fresh=True) == 7


@pytest.mark.parametrize("code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.RESOURCE_EXHAUSTED])
async def test_other_failures_are_not_tried_again(
    client: SocialGraph, graph: Graph, code: grpc.StatusCode
) -> None:
    graph.failures.append(code)
    await refuse(client)
    assert graph.calls["count alice"] == 1


async def test_a_graph_that_is_down_is_left_alone_and_taken_up_again(
    client: SocialGraph, graph: Graph, clock: Clock
) -> None:
    graph.down = UNAVAILABLE
    for _ in range(FAILURES + 10):
        await refuse(client)
    assert graph.calls["count alice"] == FAILURES * ATTEMPTS
    clock.now += PROBE_S - 0.1
    await refuse(client)
    assert graph.calls["count alice"] == FAILURES * ATTEMPTS

    clock.now += 0.2
    await refuse(client)  # finds out that it is still down
    await refuse(client)
    assert graph.calls["count alice"] == (FAILURES + 1) * ATTEMPTS

    graph.down = None
    await refuse(client)
    clock.now += PROBE_S
    assert await client.follower_count("alice") == 0
    graph.failures.extend([UNAVAILABLE] * ATTEMPTS)
    await refuse(client, "bob")  # one failure is none yet
    assert await client.follower_count("bob") == 0


async def test_one_call_finds_out_and_the_others_are_refused(
    client: SocialGraph, graph: Graph, clock: Clock
) -> None:
    graph.down = UNAVAILABLE
    for _ in range(FAILURES):
        await refuse(client)
    graph.down = None
    graph.calls.clear()
    graph.gate.clear()
    graph.arrived.clear()
    clock.now += PROBE_S
    probe = asyncio.create_task(client.follower_count("alice"))
    await graph.arrived.wait()
    for user_id in ("bob", "carol"):
        await refuse(client, user_id)
    graph.gate.set()
    assert await probe == 0
    assert graph.calls == {"count alice": 1}
    assert await client.follower_count("bob") == 0


async def test_requests_that_the_graph_refuses_do_not_stop_others(client: SocialGraph, graph: Graph) -> None:
    graph.down = grpc.StatusCode.NOT_FOUND
    for _ in range(FAILURES + 1):
        await refuse(client)
    graph.down = None
    assert await client.follower_count("bob") == 0


@pytest.mark.timeout(40)
async def test_a_graph_that_went_away_and_came_back(clock: Clock) -> None:
    graph = Graph()
    async with serve(graph) as port:
        client = GrpcSocialGraph(f"127.0.0.1:{port}", deadline_s=8, clock=clock)
        assert await client.follower_count("alice") == 0
    for _ in range(FAILURES + 1):
        await refuse(client, fresh=True)
    async with serve(graph, port):
        await refuse(client, fresh=True)
        clock.now += PROBE_S
        assert await client.follower_count("alice", fresh=True) == 0
        assert graph.calls["count alice"] == 2
    await client.close()


async def test_a_negative_count_is_no_answer(client: SocialGraph, graph: Graph) -> None:
    graph.counts = {"alice": -1}
    for _ in range(FAILURES + 1):
        await refuse(client)
    assert await client.follower_count("bob") == 0


async def test_answers_are_remembered_for_a_while(client: SocialGraph, graph: Graph, clock: Clock) -> None:
    graph.counts = {"alice": 60}
    graph.pairs = {("alice", "bob")}
    assert (await client.follower_count("alice"), await client.is_follower("alice", "bob")) == (60, True)
    graph.counts, graph.pairs = {"alice": 10}, set()
    clock.now += 29.9
    assert (await client.follower_count("alice"), await client.is_follower("alice", "bob")) == (60, True)
    assert (graph.calls["count alice"], graph.calls["is"]) == (1, 1)
    clock.now += 0.2
    assert (await client.follower_count("alice"), await client.is_follower("alice", "bob")) == (10, False)


async def test_the_start_of_a_stream_asks_anew(client: SocialGraph, graph: Graph) -> None:
    graph.counts = {"alice": 60}
    assert await client.follower_count("alice") == 60
    graph.counts = {"alice": 10}
    assert await client.follower_count("alice", fresh=True) == 10
    assert await client.follower_count("alice") == 10
    graph.failures.append(grpc.StatusCode.INTERNAL)
    await refuse(client, fresh=True)


@pytest.mark.timeout(60)
async def test_memory_is_bounded(client: GrpcSocialGraph, graph: Graph) -> None:
    users = [f"user {n}" for n in range(10_000)]
    assert len(users) > MAX_CACHED
    for first in range(0, len(users), 100):
        await asyncio.gather(*(client.follower_count(user) for user in users[first : first + 100]))
    await client.follower_count(users[-1])
    await client.follower_count(users[-MAX_CACHED + 100])
    await client.follower_count(users[0])
    asked = [graph.calls[f"count {user}"] for user in (users[-1], users[-MAX_CACHED + 100], users[0])]
    assert asked == [1, 1, 2]


async def test_one_question_for_all_who_ask_it_at_once(client: SocialGraph, graph: Graph) -> None:
    graph.counts = {"alice": 60, "bob": 1}
    graph.gate.clear()
    waiting = [asyncio.create_task(client.follower_count("alice")) for _ in range(50)]
    waiting += [asyncio.create_task(client.follower_count("alice", fresh=True))]
    other = asyncio.create_task(client.follower_count("bob"))
    await graph.arrived.wait()
    waiting[0].cancel()  # who began it may go; the others stay
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    graph.gate.set()
    assert await asyncio.gather(*waiting[1:]) == [60] * 50
    assert await other == 1
    assert graph.calls == {"count alice": 1, "count bob": 1}


async def test_too_many_open_questions_are_refused() -> None:
    cache: JoinedCache[int, int] = JoinedCache(10, 1, Clock())
    gate = asyncio.Event()

    async def ask() -> int:
        await gate.wait()
        return 7

    waiting = [asyncio.create_task(cache.get(n, ask)) for n in range(MAX_OPEN)]
    await asyncio.wait(waiting, timeout=0)
    with pytest.raises(CapacityError):
        await cache.get(-1, ask)
    joined = asyncio.create_task(cache.get(0, ask))
    gate.set()
    assert set(await asyncio.gather(joined, *waiting)) == {7}
    await cache.drain()
    assert await cache.get(-1, ask) == 7
    assert len(cache) == 10


async def test_a_failure_is_for_all_who_wait_and_not_remembered(client: SocialGraph, graph: Graph) -> None:
    graph.failures.append(grpc.StatusCode.INTERNAL)
    graph.gate.clear()
    waiting = [asyncio.create_task(refuse(client)) for _ in range(5)]
    await graph.arrived.wait()
    graph.gate.set()
    await asyncio.gather(*waiting)
    assert await client.follower_count("alice") == 0
    assert graph.calls["count alice"] == 2


async def test_closing_ends_what_is_open(port: int, graph: Graph) -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, about: complaints.append(about))
    client = GrpcSocialGraph(f"127.0.0.1:{port}", deadline_s=8)
    graph.gate.clear()
    count = asyncio.create_task(refuse(client))
    pages = asyncio.create_task(listed(client))
    gone = asyncio.create_task(client.is_follower("alice", "bob"))
    while graph.calls.total() < 3:
        graph.arrived.clear()
        await graph.arrived.wait()
    gone.cancel()
    await client.close()
    await count
    with pytest.raises(CapacityError):
        await pages
    with pytest.raises(asyncio.CancelledError):
        await gone
    await refuse(client)
    await client.close()
    graph.gate.set()
    gc.collect()
    assert complaints == []


async def test_tls(graph: Graph, tmp_path: Path) -> None:
    files = make_certificate(tmp_path)
    pair = (files.key.read_bytes(), files.certificate.read_bytes())
    graph.counts = {"alice": 3}
    async with serve(graph, credentials=grpc.ssl_server_credentials([pair])) as port:
        client = GrpcSocialGraph(f"grpcs://localhost:{port}", deadline_s=8, roots=pair[1])
        assert await client.follower_count("alice") == 3
        await client.close()
        for target in (f"grpcs://localhost:{port}", f"grpc://localhost:{port}"):
            stranger = GrpcSocialGraph(target, deadline_s=8)
            await refuse(stranger)
            await stranger.close()
    assert graph.calls.total() == 1


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("graph:50051", Target("graph", 50051)),
        ("grpc://graph.example.com:443", Target("graph.example.com", 443)),
        (" GRPCS://10.0.0.7:1 ", Target("10.0.0.7", 1, is_tls=True)),
        ("grpcs://[::1]:65535", Target("[::1]", 65535, is_tls=True)),
        ("unix:7", Target("unix", 7)),
    ],
)
def test_targets(text: str, target: Target) -> None:
    assert parse_target(text) == target


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "host:port"),
        ("graph", "host:port"),
        (":50051", "host:port"),
        ("::1:50051", "in brackets"),
        ("[graph]:50051", "in brackets"),
        ("grpc://user@graph:50051", "host:port"),
        ("grpc://graph/path:50051", "host:port"),
        ("graph:50051/", "a port between"),
        ("grpc://graph:0", "a port between"),
        ("graph:65536", "a port between"),
        ("graph:٣", "a port between"),
        ("graph:-1", "a port between"),
        ("http://graph:50051", "begin with grpc://"),
        ("://graph:50051", "begin with grpc://"),
        ("a b:50051", "host:port"),
    ],
)
def test_wrong_targets(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_target(text)


def test_the_generated_code_is_that_of_the_definition(tmp_path: Path) -> None:
    out = [f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")]
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", *out, "protos/social_graph.proto"]
    subprocess.run(command, cwd=ROOT, check=True)
    made = sorted((tmp_path / "protos").iterdir())
    assert len(made) == 3
    for path in made:
        assert (ROOT / "protos" / path.name).read_text() == path.read_text(), "run `make protos`"
