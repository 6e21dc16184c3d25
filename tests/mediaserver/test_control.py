"""The control plane with other services behind it: followers over gRPC, tokens of another issuer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from control_api.audit import Actor
from control_api.chat.store import ReactionType
from control_api.plane import ControlPlane
from control_api.stream.eligibility import NotEligibleError
from control_api.stream.record import Identity
from control_api.stream.store import StreamQuery
from control_api.token.access import TokenError, TokenSigner
from media.error import CapacityError, StreamError
from mediaserver.config import Settings
from mediaserver.control import open_control_plane
from tests.control_api.conftest import SECRET, Notes
from tests.control_api.graph_server import Graph, serve
from tests.control_api.issuer import AUDIENCE, ISSUER, Issuer, jwk, sign
from tests.database import PostgresServer

pytestmark = pytest.mark.timeout(60)


@asynccontextmanager
async def control_plane(
    postgres: PostgresServer, data_dir: Path, **fields: Any
) -> AsyncIterator[ControlPlane]:
    async with postgres.database() as dsn:
        settings = Settings(data_dir=data_dir, database_url=SecretStr(dsn), **fields)
        async with open_control_plane(settings, SECRET, Notes()) as control:
            yield control


async def test_followers_of_another_service(postgres_18: PostgresServer, tmp_path: Path) -> None:
    graph = Graph()
    graph.counts = {"star": 2, "nobody": 1}
    graph.pairs = {("star", "fan")}
    async with (
        serve(graph) as port,
        control_plane(
            postgres_18, tmp_path, social_graph_grpc_url=f"127.0.0.1:{port}", min_followers_to_stream=2
        ) as control,
    ):
        service = control.streams
        with pytest.raises(NotEligibleError, match=r"Need 2 friends to go live \(you have 1\)"):
            await service.create("nobody", {"title": "x"})
        private = [await service.create("star", {"title": f"p{n}", "is_private": True}) for n in range(5)]
        public = await service.create("star", {"title": "public"})
        other = [await service.create("star", {"title": f"q{n}", "is_private": True}) for n in range(5)]
        mine = {stream.id for stream in (*private, public, *other)}
        for viewer, seen in (
            (Identity("fan"), mine),
            (Identity("star"), mine),
            (Identity("root", is_admin=True), mine),
            (Identity("stranger"), {public.id}),
            (None, {public.id}),
        ):
            found = await service.list_streams(StreamQuery(viewer=viewer, limit=20))
            assert {stream.id for stream in found} == seen, viewer
        # The one stream that a stranger may see is not on the first page that the database gives.
        assert [
            s.id for s in await service.list_streams(StreamQuery(viewer=Identity("stranger"), limit=2))
        ] == [public.id]
        with pytest.raises(StreamError, match="kept by another service"):
            await control.users.follow("star", "fan")
        # Whoever has lost followers meanwhile does not go live, remembered answers or not.
        graph.counts["star"] = 1
        with pytest.raises(NotEligibleError):
            await service.start(public.id)
        graph.down = grpc.StatusCode.UNAVAILABLE
        with pytest.raises(CapacityError, match="follower graph does not answer"):
            await service.start(public.id)
        assert (await service.get(public.id)).status == "created"


async def test_tokens_of_another_issuer(postgres_18: PostgresServer, tmp_path: Path) -> None:
    issuer = Issuer()
    issuer.publish(jwk("rsa"))
    application = web.Application()
    application.router.add_get("/keys", issuer.handle)
    async with (
        TestServer(application, host="127.0.0.1") as server,
        control_plane(
            postgres_18,
            tmp_path,
            jwt_jwks_url=str(server.make_url("/keys")),
            jwt_issuer=ISSUER,
            jwt_audience=AUDIENCE,
        ) as control,
    ):
        assert await control.verifier.verify(sign()) == Identity("alice")
        with pytest.raises(TokenError):
            await control.verifier.verify(TokenSigner(SECRET, ISSUER, AUDIENCE).issue("alice"))


async def test_the_seeded_user_is_in_the_embedded_database_only(
    postgres_18: PostgresServer, tmp_path: Path
) -> None:
    async with postgres_18.bare_database() as dsn:
        settings = Settings(data_dir=tmp_path, database_url=SecretStr(dsn))
        async with open_control_plane(settings, SECRET, Notes()) as control:
            assert (await control.streams.eligibility("demo")).follower_count == 0
    embedded = Settings(data_dir=tmp_path)
    for _ in range(2):
        async with open_control_plane(embedded, SECRET, Notes()) as control:
            assert (await control.streams.eligibility("demo")).follower_count == 50


async def test_who_is_banned_neither_writes_nor_reacts(postgres_18: PostgresServer, tmp_path: Path) -> None:
    owner, fan, troll = Actor(Identity("owner"), None), Identity("fan"), Identity("troll")
    async with control_plane(postgres_18, tmp_path, min_followers_to_stream=0) as control:
        stream = await control.streams.create("owner", {"title": "x"})
        await control.streams.start(stream.id)
        await control.moderation.ban(stream, owner, "troll")
        with pytest.raises(StreamError, match="banned"):
            await control.chat.comment(stream.id, troll, "hello")
        with pytest.raises(StreamError, match="banned"):
            await control.chat.react(stream.id, troll, ReactionType.FIRE)
        assert (await control.chat.comment(stream.id, fan, "hello")).content == "hello"
        await control.moderation.unban(stream, owner, "troll")
        assert (await control.chat.comment(stream.id, troll, "sorry")).content == "sorry"
