"""Names, and that a connection only ever goes to an address that was checked."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence

import aiohttp
import pytest

from control_api.webhook.outcome import Outcome
from control_api.webhook.resolver import (
    MAX_ADDRESSES,
    MAX_LOOKUPS,
    AddressRefusedError,
    CheckedResolver,
    Lookup,
    guarded_socket,
    look_up,
)
from control_api.webhook.sender import WebhookSender
from control_api.webhook.target import Target, parse_target

from .conftest import answers, receiver, send

NOWHERE = "2e00::1"
"""Passes for public, and belongs to nobody: no test may knock at anybody's door."""


class Names:
    """A name server that gives its answers in turn, the last one for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = answers
        self.asked: list[str] = []

    def __call__(self, name: str) -> Sequence[str]:
        self.asked.append(name)
        return self._answers[min(len(self.asked), len(self._answers)) - 1]


async def resolve(
    lookup: Lookup, *, allow_private: bool = False, family: int = socket.AF_UNSPEC
) -> list[str]:
    resolver = CheckedResolver(allow_private=allow_private, lookup=lookup)
    try:
        found = await resolver.resolve("hooks.example", 443, socket.AddressFamily(family))
    finally:
        await resolver.close()
    assert {each["port"] for each in found} <= {443}
    assert {each["hostname"] for each in found} <= {"hooks.example"}
    return [each["host"] for each in found]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (["8.8.8.8"], ["8.8.8.8"]),
        (["8.8.8.8", "8.8.8.8", "2606:4700::1"], ["8.8.8.8", "2606:4700::1"]),
        (["127.0.0.1", "8.8.8.8", "::1", "10.0.0.1"], ["8.8.8.8"]),
        (["fe80::1%eth0", "8.8.8.8"], ["8.8.8.8"]),
        ([f"8.8.8.{n}" for n in range(100)], [f"8.8.8.{n}" for n in range(MAX_ADDRESSES)]),
    ],
)
async def test_what_is_refused_is_left_out(answer: list[str], expected: list[str]) -> None:
    assert await resolve(lambda _: answer) == expected


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (["127.0.0.1"], "a loopback address"),
        (["::ffff:10.0.0.1", "127.0.0.1"], "a private address"),
        (["169.254.169.254"], "a cloud's metadata service"),
        (["0.0.0.0"], "an unspecified address"),  # noqa: S104
    ],
)
async def test_nothing_but_refused_addresses(answer: list[str], words: str) -> None:
    with pytest.raises(AddressRefusedError, match=f"^the host's name leads to {words}$"):
        await resolve(lambda _: answer)


async def test_families() -> None:
    both = ["8.8.8.8", "2606:4700::1"]
    assert await resolve(lambda _: both, family=socket.AF_INET) == ["8.8.8.8"]
    assert await resolve(lambda _: both, family=socket.AF_INET6) == ["2606:4700::1"]
    with pytest.raises(OSError, match="Name or service not known"):
        await resolve(lambda _: ["8.8.8.8"], family=socket.AF_INET6)


async def test_private_addresses_can_be_allowed() -> None:
    found = await resolve(lambda _: ["127.0.0.1", "169.254.169.254", "fd00::1"], allow_private=True)
    assert found == ["127.0.0.1", "fd00::1"]


def test_the_system_knows_localhost() -> None:
    assert set(look_up("localhost")) <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize("name", ["2130706433", "127.1", "0x7f.1"])
async def test_what_the_system_takes_for_an_address_is_checked_too(name: str) -> None:
    assert look_up(name) == ["127.0.0.1"]
    with pytest.raises(AddressRefusedError, match="loopback"):
        await resolve(lambda _: look_up(name))


@pytest.mark.parametrize("name", ["a" * 64 + ".example", "a..b"])
def test_names_without_an_address(name: str) -> None:
    with pytest.raises(socket.gaierror):
        look_up(name)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "169.254.169.254", "::ffff:10.0.0.1"])
def test_no_socket_is_made_for_an_address_that_is_refused(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    where = (address, 80, 0, 0) if ":" in address else (address, 80)
    with pytest.raises(PermissionError, match="Webhooks are not sent to a"):
        guarded_socket(allow_private=False)((family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", where))


async def test_the_socket_holds_where_the_client_asks_no_resolver() -> None:
    async with receiver(answers(200)) as found:
        for allowed in (False, True):
            connector = aiohttp.TCPConnector(socket_factory=guarded_socket(allow_private=allowed))
            async with aiohttp.ClientSession(connector=connector) as session:
                if allowed:
                    assert (await session.get(found.url())).status == 200
                else:
                    with pytest.raises(aiohttp.ClientConnectorError):
                        await session.get(found.url())
    assert len(found.got) == 1


async def test_the_sender_has_such_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(url: str, _: bool) -> Target:
        return parse_target(url, allow_private=True)

    monkeypatch.setattr("control_api.webhook.sender.parse_target", careless)
    async with receiver(answers(200)) as found, WebhookSender(allow_private=False) as sender:
        outcome = await send(sender, found.url())
    assert outcome == Outcome(is_delivered=False, error="cannot be reached: Permission denied")
    assert found.got == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "127.1", "2130706433"]
)
async def test_loopback_is_out_of_reach(host: str) -> None:
    async with receiver(answers(200)) as found, WebhookSender(allow_private=False) as sender:
        outcome = await send(sender, found.url(host))
    assert not outcome.is_delivered
    assert outcome.status is None
    assert found.got == []


async def test_a_name_of_a_private_address_is_out_of_reach() -> None:
    async with (
        receiver(answers(200)) as found,
        WebhookSender(allow_private=False, lookup=Names(["127.0.0.1"])) as sender,
    ):
        outcome = await send(sender, found.url("hooks.example"))
    assert outcome == Outcome(is_delivered=False, error="the host's name leads to a loopback address")
    assert found.got == []


async def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    names = Names(["127.0.0.1"])
    async with receiver(answers(200)) as found, WebhookSender(allow_private=True, lookup=names) as sender:
        assert (await send(sender, found.url("hooks.example"))).is_delivered
    [(headers, _)] = found.got
    assert headers["Host"] == f"hooks.example:{found.port}"
    assert names.asked == ["hooks.example"]


async def test_rebinding() -> None:
    """The name is public when it is looked at, and leads home right behind that."""
    names = Names([NOWHERE], ["127.0.0.1"])
    async with (
        receiver(answers(200)) as found,
        WebhookSender(allow_private=False, timeout_s=0.5, lookup=names) as sender,
    ):
        first = await send(sender, found.url("rebind.example"))
        assert names.asked == ["rebind.example"], "one question for one connection"
        second = await send(sender, found.url("rebind.example"))
    assert first.status is None
    assert "leads to" not in str(first.error), "it was let through, and went to the public address"
    assert second.error == "the host's name leads to a loopback address"
    assert found.got == []


async def test_a_public_address_beside_a_private_one_opens_no_way_to_it() -> None:
    names = Names(["127.0.0.1", NOWHERE, "::1"])
    async with (
        receiver(answers(200)) as found,
        WebhookSender(allow_private=False, timeout_s=0.5, lookup=names) as sender,
    ):
        outcome = await send(sender, found.url("hooks.example"))
    assert not outcome.is_delivered
    assert found.got == []


async def test_a_name_that_does_not_exist() -> None:
    def lookup(_: str) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async with WebhookSender(allow_private=False, lookup=lookup) as sender:
        outcome = await send(sender, "http://nobody.example/?token=hidden")
    assert outcome.error == "the host's name cannot be resolved: Name or service not known"


async def test_slow_name_servers_stop_nobody_else() -> None:
    released = threading.Event()

    def lookup(name: str) -> Sequence[str]:
        if name == "slow.example":
            released.wait()
        return ["127.0.0.1"]

    async with (
        receiver(answers(200)) as found,
        WebhookSender(allow_private=True, timeout_s=0.2, lookup=lookup) as sender,
    ):
        try:
            slow = found.url("slow.example")
            outcomes = await asyncio.gather(*(send(sender, slow) for _ in range(MAX_LOOKUPS - 1)))
            assert set(outcomes) == {Outcome(is_delivered=False, error="no answer within 0.2 s")}
            assert (await send(sender, found.url("quick.example"))).is_delivered
            # One more, and webhooks wait; but the loop's own threads are free: disks and the rest go on.
            await send(sender, slow)
            async with asyncio.timeout(10):
                assert await asyncio.to_thread(lambda: True)
        finally:
            released.set()
    assert len(found.got) == 1
