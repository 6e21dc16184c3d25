"""Access tokens of another issuer, whose keys come over real HTTP."""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from gzip import compress
from hashlib import sha256
from hmac import digest
from typing import Any, cast

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from control_api.call import Call
from control_api.idempotency import Idempotency
from control_api.key_box import KeyBox
from control_api.postgres.database import Database
from control_api.postgres.idempotency_table import IdempotencyTable
from control_api.problem import problem_middleware
from control_api.route import Route, bind
from control_api.stream.record import Identity
from control_api.token.access import TokenError, TokenVerifier
from control_api.token.jwks import (
    FETCH_TIMEOUT_S,
    MAX_BODY,
    RETRY_S,
    UNKNOWN_KEY_S,
    JwksVerifier,
    check_jwks_url,
    fresh_time,
)
from media.error import CapacityError
from tests.control_api.clock import Clock
from tests.control_api.issuer import AUDIENCE, ISSUER, Issuer, jwk, pem, sign

ALICE = Identity("alice")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def issuer() -> Issuer:
    issuer = Issuer()
    issuer.publish(jwk("rsa"), jwk("p256"), jwk("p384"), jwk("ed"))
    return issuer


@pytest.fixture
async def server(issuer: Issuer) -> AsyncIterator[TestServer]:
    app = web.Application()
    app.router.add_get("/keys", issuer.handle)
    server = TestServer(app)
    await server.start_server()
    yield server
    await server.close()


@pytest.fixture
async def verifier(server: TestServer, clock: Clock) -> AsyncIterator[JwksVerifier]:
    async with httpx.AsyncClient(trust_env=False) as client:
        verifier = JwksVerifier(str(server.make_url("/keys")), ISSUER, AUDIENCE, client=client, clock=clock)
        yield verifier
        await verifier.close()


async def refuse(verifier: TokenVerifier, token: str, words: str = "access token") -> None:
    with pytest.raises(TokenError, match=words):
        await verifier.verify(token)


async def unknown(verifier: TokenVerifier, token: str) -> None:
    with pytest.raises(CapacityError, match="keys of the access tokens cannot be fetched"):
        await verifier.verify(token)


@pytest.mark.parametrize(
    ("kind", "algorithm"),
    [
        ("rsa", "RS256"),
        ("rsa", "RS384"),
        ("rsa", "RS512"),
        ("rsa", "PS256"),
        ("p256", "ES256"),
        ("p384", "ES384"),
        ("ed", "EdDSA"),
    ],
)
async def test_good_tokens(verifier: JwksVerifier, issuer: Issuer, kind: str, algorithm: str) -> None:
    assert await verifier.verify(sign(kind, algorithm)) == ALICE
    assert await verifier.verify(sign(kind, algorithm, kid=None, scope="read admin", name="Al")) == Identity(
        "alice", True, "Al"
    )
    assert issuer.fetches == 1


def forged(algorithm: str, key: bytes) -> str:
    """Make a token by hand, as who wants to get in does: libraries refuse to."""
    good = sign().split(".")
    header = urlsafe_b64encode(f'{{"alg":"{algorithm}","kid":"rsa"}}'.encode()).rstrip(b"=").decode()
    signature = digest(key, f"{header}.{good[1]}".encode(), sha256) if key else b""
    return f"{header}.{good[1]}.{urlsafe_b64encode(signature).rstrip(b'=').decode()}"


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (forged("none", b""), "not allowed"),
        (forged("None", b""), "not allowed"),
        (forged("HS256", pem("rsa")), "not allowed"),
        (forged("RS256", pem("rsa")), "not valid"),
        (sign("rsa-other", kid="rsa"), "not valid"),
        (sign("p256", "ES256", kid="rsa"), "does not list"),
        (sign("rsa", "PS512"), "not allowed"),
        (sign("p521", "ES512"), "not allowed"),
        (sign()[:-8] + "AAAAAAAA", "not valid"),
        (".".join([*sign().split(".")[:2], ""]), "not valid"),
        (sign(headers={"crit": ["x"], "x": 1}), "not valid"),
        (sign(exp=-60), "has expired"),
        (sign(exp=None), "not valid"),
        (sign(nbf=3000), "not valid yet"),
        (sign(iat=3000), "not valid yet"),
        (sign(iss="https://other.example"), "another issuer"),
        (sign(iss=None), "not valid"),
        (sign(aud="chat"), "another service"),
        (sign(aud=None), "not valid"),
        (sign(sub=None), "not valid"),
        (sign(sub=7), "not valid"),
        (sign(sub="a\0"), "names no user"),
        ("", "not valid"),
        ("a.b.c", "not valid"),
        ("\ud800", "not valid"),
    ],
)
async def test_refusals(verifier: JwksVerifier, issuer: Issuer, token: str, words: str) -> None:
    await refuse(verifier, token, words)
    assert issuer.fetches <= 1


@pytest.mark.parametrize(("claim", "good", "bad"), [("exp", -8, -11), ("nbf", 10, 25), ("iat", 10, 25)])
async def test_clocks_may_differ_a_little(verifier: JwksVerifier, claim: str, good: int, bad: int) -> None:
    tokens = [sign(**cast("dict[str, Any]", {claim: seconds})) for seconds in (good, bad)]
    assert await verifier.verify(tokens[0]) == ALICE
    await refuse(verifier, tokens[1])


async def test_without_issuer_and_audience_any_will_do(server: TestServer) -> None:
    verifier = JwksVerifier(str(server.make_url("/keys")))
    assert await verifier.verify(sign(iss="https://other.example", aud=["a", "b"])) == ALICE
    await verifier.close()


async def test_rotation(verifier: JwksVerifier, issuer: Issuer, clock: Clock) -> None:
    old, new = sign(), sign("rsa-new")
    assert await verifier.verify(old) == ALICE
    issuer.publish(jwk("rsa"), jwk("rsa-new"))
    clock.now += UNKNOWN_KEY_S
    assert await verifier.verify(new) == ALICE  # a key that was not there is looked for
    issuer.publish(jwk("rsa-new"))
    clock.now += 599
    assert await verifier.verify(old) == ALICE
    assert issuer.fetches == 2
    clock.now += 1
    await refuse(verifier, old, "does not list")
    assert await verifier.verify(new) == ALICE
    assert issuer.fetches == 3


async def test_names_that_somebody_invents_make_nobody_fetch(
    verifier: JwksVerifier, issuer: Issuer, clock: Clock
) -> None:
    assert await verifier.verify(sign()) == ALICE
    clock.now += UNKNOWN_KEY_S
    for _ in range(3):
        storm = [refuse(verifier, sign(kid=f"invented {n}"), "does not list") for n in range(100)]
        await asyncio.gather(*storm, verifier.verify(sign()))
    assert issuer.fetches == 2
    clock.now += UNKNOWN_KEY_S - 0.1
    await refuse(verifier, sign(kid="invented"))
    assert issuer.fetches == 2
    clock.now += 0.1
    await refuse(verifier, sign(kid="invented"))
    assert issuer.fetches == 3


async def test_many_first_tokens_fetch_once(verifier: JwksVerifier, issuer: Issuer) -> None:
    issuer.gate.clear()
    waiting = [asyncio.create_task(verifier.verify(sign())) for _ in range(20)]
    await issuer.arrived.wait()
    waiting[0].cancel()
    issuer.gate.set()
    assert await asyncio.gather(*waiting[1:]) == [ALICE] * 19
    assert issuer.fetches == 1


@pytest.mark.parametrize(
    "answer",
    [
        (500, None, {}),
        (404, None, {}),
        (302, None, {"Location": "/keys"}),
        (200, b"<html>", {}),
        (200, b'{"keys": []}', {}),
        (200, json.dumps({"keys": [jwk("rsa")], "x": " " * MAX_BODY}).encode(), {}),
        (200, compress(json.dumps({"keys": [jwk("rsa")]}).encode()), {"Content-Encoding": "gzip"}),
    ],
)
async def test_answers_that_are_no_key_set(
    verifier: JwksVerifier, issuer: Issuer, clock: Clock, answer: tuple[int, bytes | None, dict[str, str]]
) -> None:
    good = issuer.body
    issuer.status, body, issuer.headers = answer
    issuer.body = good if body is None else body
    for _ in range(3):
        await unknown(verifier, sign())
    assert issuer.fetches == 1

    issuer.body, issuer.status, issuer.headers = good, 200, {}
    clock.now += RETRY_S
    assert await verifier.verify(sign()) == ALICE


async def test_the_old_keys_are_used_while_the_issuer_is_away(
    verifier: JwksVerifier, issuer: Issuer, clock: Clock
) -> None:
    assert await verifier.verify(sign()) == ALICE
    issuer.status = 503
    clock.now += 600
    assert await verifier.verify(sign()) == ALICE  # has waited for the failure
    assert issuer.fetches == 2

    issuer.gate.clear()
    issuer.arrived.clear()
    clock.now += RETRY_S
    async with asyncio.timeout(FETCH_TIMEOUT_S / 2):
        assert await verifier.verify(sign()) == ALICE  # does not wait for another one
    await issuer.arrived.wait()
    assert issuer.fetches == 3
    newcomer = asyncio.create_task(unknown(verifier, sign("rsa-new")))
    await asyncio.wait([newcomer], timeout=0)
    issuer.gate.set()
    await newcomer  # nobody knows whether there is such a key

    issuer.status = 200
    issuer.publish(jwk("rsa-new"))
    clock.now += UNKNOWN_KEY_S
    assert await verifier.verify(sign("rsa-new")) == ALICE
    await refuse(verifier, sign())


async def test_an_issuer_that_is_not_there(server: TestServer, clock: Clock) -> None:
    url = str(server.make_url("/keys"))
    await server.close()
    async with httpx.AsyncClient(trust_env=False) as client:
        verifier = JwksVerifier(url, client=client, clock=clock)
        await unknown(verifier, sign())
        await refuse(verifier, "a.b.c")
        await verifier.close()


async def test_an_issuer_that_does_not_answer(
    verifier: JwksVerifier, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("control_api.token.jwks.FETCH_TIMEOUT_S", 0.1)
    issuer.gate.clear()
    await unknown(verifier, sign())
    issuer.gate.set()


async def test_closing_ends_a_fetch(verifier: JwksVerifier, issuer: Issuer) -> None:
    issuer.gate.clear()
    waiting = asyncio.create_task(unknown(verifier, sign()))
    await issuer.arrived.wait()
    await verifier.close()
    await waiting
    await unknown(verifier, sign())
    issuer.gate.set()


async def test_the_issuer_says_how_long_keys_are_good(
    verifier: JwksVerifier, issuer: Issuer, clock: Clock
) -> None:
    issuer.headers = {"Cache-Control": "public, max-age=3600"}
    for pause, fetches in [(0, 1), (3599, 1), (1, 2)]:
        clock.now += pause
        assert await verifier.verify(sign()) == ALICE
        assert issuer.fetches == fetches


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 600),
        ("max-age=700", 700),
        ('public,Max-Age = "800"', 800),
        ("s-maxage=900", 600),
        ("x-max-age=900", 600),
        ("max-age=0", 60),
        ("max-age=-5", 600),
        ("max-age=999999999999999", 86_400),
        ("no-store", 60),
        ("max-age=800, no-cache", 60),
    ],
)
def test_cache_control(header: str, seconds: float) -> None:
    assert fresh_time(header) == seconds


@pytest.mark.parametrize(
    "url",
    ["https://issuer.example/keys", "http://127.0.0.1:8080/keys", "http://[::1]/k", "http://localhost/keys"],
)
def test_addresses(url: str) -> None:
    check_jwks_url(url)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://issuer.example/keys", "anybody on the way"),
        ("http://127.0.0.1.example/keys", "anybody on the way"),
        ("http://10.0.0.1/keys", "anybody on the way"),
        ("https://user:password@issuer.example/keys", "user or a password"),
        ("file:///etc/passwd", "begin with https"),
        ("https://", "begin with https"),
        ("", "begin with https"),
        ("https://issuer.example:port/keys", "no address"),
        ("https://[::1/keys", "no address"),
    ],
)
async def test_wrong_addresses(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        JwksVerifier(url)


async def test_over_http(verifier: JwksVerifier, issuer: Issuer, clock: Clock, database: Database) -> None:
    unused = Idempotency(IdempotencyTable(database, KeyBox(b"a secret of the tests")))

    async def handler(call: Call) -> web.Response:
        return web.Response(text=call.user.user_id)

    app = web.Application(middlewares=[problem_middleware])
    app.add_routes(
        [
            bind(
                Route(method="GET", path="/me", handler=handler, summary="", needs_user=True),
                verifier,
                unused,
            )
        ]
    )
    issuer.status = 500
    async with TestClient(TestServer(app)) as client:

        async def ask(token: str) -> tuple[int, str]:
            response = await client.get("/me", headers={"Authorization": f"Bearer {token}"})
            return response.status, response.headers.get("Retry-After") or await response.text()

        assert await ask(sign()) == (503, "5")
        issuer.status = 200
        clock.now += RETRY_S
        assert await ask(sign()) == (200, "alice")
        status, text = await ask(sign(exp=-60))
        assert (status, "has expired" in text) == (401, True)
        assert (await client.get("/me")).status == 401
