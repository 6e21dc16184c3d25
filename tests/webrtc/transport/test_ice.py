from __future__ import annotations

from collections import Counter

import pytest
from aioice import stun

from tests.webrtc.transport.client import ELSEWHERE, HERE, Client, answer_of
from webrtc.sdp.description import IceCredentials
from webrtc.transport.ice import (
    MAX_FAILURES,
    MAX_FAILURES_PER_ROUTE,
    MAX_GENERATIONS,
    MAX_ROUTES,
    SILENCE_S,
    IceAgent,
    new_credentials,
)
from webrtc.transport.route import Route


@pytest.fixture
def agent() -> IceAgent:
    return IceAgent(new_credentials(), Counter())


@pytest.fixture
def client(agent: IceAgent) -> Client:
    client = Client(agent.local)
    agent.set_remote(client.ice)
    return client


def count(agent: IceAgent, name: str) -> int:
    return agent._counters[name]


def test_credentials_are_long_enough_and_new_each_time() -> None:
    first, second = new_credentials(), new_credentials()
    assert first.ufrag != second.ufrag
    assert first.pwd != second.pwd
    assert len(first.ufrag) >= 4
    assert len(first.pwd) >= 22


@pytest.mark.parametrize(
    ("address", "seen"),
    [
        (("192.0.2.1", 5000), ("192.0.2.1", 5000)),
        (("2001:db8::1", 5000, 0, 0), ("2001:db8::1", 5000)),
        (("::ffff:192.0.2.1", 5000, 0, 0), ("192.0.2.1", 5000)),
        (("fe80::1%eth0", 5000, 0, 2), ("fe80::1", 5000)),
    ],
)
def test_a_check_is_answered_with_where_it_came_from(
    agent: IceAgent, client: Client, address: tuple[str, int], seen: tuple[str, int]
) -> None:
    data = agent.receive_check(client.check(), Route(address), 0.0)
    assert data is not None
    answer = answer_of(data, agent.local.pwd)
    assert answer.message_class == stun.Class.RESPONSE
    assert answer.attributes["XOR-MAPPED-ADDRESS"] == seen
    assert agent.selected == Route(address)
    assert agent.heard_at == 0.0


@pytest.mark.parametrize(
    ("name", "counter"),
    [
        ("wrong password", "checks_with_wrong_password"),
        ("wrong user fragment", "checks_of_strangers"),
        ("wrong fragment of the peer", "checks_of_strangers"),
        ("not signed", "checks_malformed"),
        ("cut", "checks_malformed"),
    ],
)
def test_a_forged_check_teaches_nothing_and_gets_no_answer(
    agent: IceAgent, client: Client, name: str, counter: str
) -> None:
    unsigned = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    unsigned.attributes["USERNAME"] = f"{agent.local.ufrag}:{client.ice.ufrag}"
    data = {
        "wrong password": client.check(password="x" * 24),
        "wrong user fragment": client.check(username=f"other:{client.ice.ufrag}"),
        "wrong fragment of the peer": client.check(username=f"{agent.local.ufrag}:other"),
        "not signed": bytes(unsigned),
        "cut": client.check()[:-8],
    }[name]
    assert agent.receive_check(data, HERE, 0.0) is None
    assert agent.selected is None
    assert agent.heard_at is None
    assert not agent.routes
    assert count(agent, counter) == 1


def test_before_the_peer_is_known_its_fragment_is_not_looked_at() -> None:
    agent = IceAgent(new_credentials(), Counter())
    assert agent.receive_check(Client(agent.local).check(), HERE, 0.0)


def test_a_peer_that_takes_itself_for_controlled_is_told_to_control(agent: IceAgent, client: Client) -> None:
    data = agent.receive_check(client.conflict(), HERE, 0.0)
    assert data is not None
    assert answer_of(data, agent.local.pwd).error_code == 487
    assert agent.selected is None
    assert count(agent, "role_conflicts") == 1


def test_the_first_address_is_used_until_another_is_nominated(agent: IceAgent, client: Client) -> None:
    agent.receive_check(client.check(), HERE, 0.0)
    agent.receive_check(client.check(), ELSEWHERE, 0.1)
    assert agent.selected == HERE
    agent.receive_check(client.nominate(), ELSEWHERE, 0.2)
    assert agent.selected == ELSEWHERE
    assert set(agent.routes) == {HERE, ELSEWHERE}


def test_the_same_peer_on_two_of_our_addresses_has_two_routes(agent: IceAgent, client: Client) -> None:
    other = HERE._replace(ancillary=((0, 8, b"info"),))
    agent.receive_check(client.check(), HERE, 0.0)
    agent.receive_check(client.nominate(), other, 0.0)
    assert agent.selected == other


def test_after_silence_a_check_without_nomination_moves_the_session(agent: IceAgent, client: Client) -> None:
    agent.receive_check(client.nominate(), HERE, 0.0)
    agent.note_heard(HERE, 10.0)
    agent.receive_check(client.check(), ELSEWHERE, 10.0 + SILENCE_S)
    assert agent.selected == HERE
    agent.receive_check(client.check(), ELSEWHERE, 10.1 + SILENCE_S)
    assert agent.selected == ELSEWHERE


def test_a_copied_check_from_elsewhere_moves_nothing(agent: IceAgent, client: Client) -> None:
    data = client.nominate()
    assert agent.receive_check(data, HERE, 0.0)
    assert agent.receive_check(data, HERE, 0.1), "a repeated check is answered again"
    assert agent.receive_check(data, ELSEWHERE, 0.2) is None
    assert agent.selected == HERE
    assert count(agent, "checks_replayed") == 1
    for _ in range(200):
        agent.receive_check(client.check(), HERE, 0.3)
    assert len(agent._checks) <= 64


def test_wrong_passwords_are_looked_at_only_so_often(agent: IceAgent, client: Client) -> None:
    agent.receive_check(client.check(), HERE, 0.0)
    for _ in range(100):
        agent.receive_check(client.check(password="x" * 24), ELSEWHERE, 0.5)
    assert count(agent, "checks_with_wrong_password") == MAX_FAILURES_PER_ROUTE
    for number in range(100):
        agent.receive_check(client.check(password="x" * 24), Route(("192.0.2.9", number)), 0.5)
    assert count(agent, "checks_with_wrong_password") == MAX_FAILURES
    assert agent.receive_check(client.check(), HERE, 0.6), "the peer itself is answered all the same"
    assert agent.receive_check(client.check(), ELSEWHERE, 0.6) is None
    assert agent.receive_check(client.check(), ELSEWHERE, 1.5), "and others after a second"


def test_a_peer_with_many_addresses_is_known_under_the_newest(agent: IceAgent, client: Client) -> None:
    agent.receive_check(client.nominate(), HERE, 0.0)
    for number in range(3 * MAX_ROUTES):
        agent.receive_check(client.check(), Route(("192.0.2.9", number)), 0.01 * number)
    assert len(agent.routes) == MAX_ROUTES
    assert agent.selected == HERE
    assert HERE in agent.routes
    assert Route(("192.0.2.9", 3 * MAX_ROUTES - 1)) in agent.routes


def test_after_a_restart_the_old_credentials_are_good_too(agent: IceAgent, client: Client) -> None:
    old, new = agent.local, new_credentials()
    agent.receive_check(client.nominate(), HERE, 0.0)
    peer_then = new_credentials()
    agent.restart(new, peer_then)
    assert agent.local == new
    assert agent.ufrags == (new.ufrag, old.ufrag)
    data = agent.receive_check(client.check(), HERE, 1.0)
    assert data is not None
    answer_of(data, old.pwd)
    client.ice = peer_then
    for server, route in ((new, ELSEWHERE), (old, HERE)):
        client.server = server
        data = agent.receive_check(client.nominate(), route, 2.0)
        assert data is not None
        answer_of(data, server.pwd)
        assert agent.selected == route
    client.server = IceCredentials(old.ufrag, new.pwd)
    assert agent.receive_check(client.check(), HERE, 3.0) is None


def test_a_peer_may_name_itself_anew_before_it_asks_for_a_restart(agent: IceAgent, client: Client) -> None:
    agent.receive_check(client.nominate(), HERE, 0.0)
    client.ice = new_credentials()
    assert agent.receive_check(client.check(), HERE, 1.0)


def test_the_oldest_credentials_of_many_restarts_are_forgotten(agent: IceAgent, client: Client) -> None:
    agent.receive_check(client.nominate(), HERE, 0.0)
    for _ in range(MAX_GENERATIONS - 1):
        agent.restart(new_credentials(), new_credentials())
        assert agent.receive_check(client.check(), HERE, 1.0)
    agent.restart(new_credentials(), new_credentials())
    assert len(agent.ufrags) == MAX_GENERATIONS
    assert agent.receive_check(client.check(), HERE, 1.0) is None
