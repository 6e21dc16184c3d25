"""`/metrics`: what is on the air, in the words of Prometheus."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import SecretStr

from control_api.postgres.store import PostgresStore
from control_api.realtime.bus import LocalBus
from control_api.realtime.traffic import Traffic
from mediaserver import metrics
from mediaserver.live.whip_gate import WhipGate
from webrtc.gateway import Gateway
from webrtc.message import Counters, Listen
from webrtc.plane import WebRtcPlane
from webrtc.publisher import Publishers

from .scene import MakeScene
from .test_stage import House, open_house, send

TRAFFIC = Traffic(sockets=2, slow=1, messages=Counter(comment=4), errors=Counter(banned=3))
LINE = re.compile(r'[a-z_]+(\{[a-z]+="[^"\n]*"(,[a-z]+="[^"\n]*")*\})? -?[0-9.e+-]+')


@pytest.fixture
async def house(make_scene: MakeScene, store: PostgresStore, tmp_path: Path) -> AsyncIterator[House]:
    house = await open_house(store, tmp_path)
    yield house
    await house.stage.close()


async def read(house: House, token: str = "", **headers: str) -> tuple[int, str]:
    application = web.Application()
    plane = WebRtcPlane(
        Listen("127.0.0.1", 0, ()), 1, Gateway(house.stage), Publishers(WhipGate(house.stage))
    )
    plane.workers[0].counters = Counters({"resent": 7})
    application.add_routes(
        metrics.routes(
            house.stage,
            SecretStr(token),
            answered={"part": 3},
            sockets=TRAFFIC,
            bus=LocalBus(),
            webrtc=plane,
        )
    )
    async with (
        TestClient(TestServer(application)) as client,
        client.get("/metrics", headers=headers) as answer,
    ):
        return answer.status, await answer.text()


async def test_what_is_on_the_air(house: House) -> None:
    stream = await house.create()
    send(await house.publish(stream))
    status, text = await read(house)
    assert status == 200
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(LINE.fullmatch(line) for line in lines), lines
    assert f'ladder_lag_seconds{{stream="{stream.id}"}} 0' in lines
    assert f'ladder_rung_state{{stream="{stream.id}",rung="360p",state="copied"}} 1' in lines
    assert f'ladder_rung_state{{stream="{stream.id}",rung="240p",state="encoded"}} 1' in lines
    assert 'ladder_actions_total{action="shed"} 0' in lines
    assert any(line.startswith("ladder_capacity_cores ") for line in lines)
    assert "websocket_connections 2" in lines
    assert "bus_connected 1" in lines
    assert 'webrtc_events_total{event="resent"} 7' in lines
    assert 'websocket_messages_total{type="comment"} 4' in lines
    assert 'websocket_errors_total{code="banned"} 3' in lines
    assert text.count("# TYPE ladder_rung_state gauge\n") == 1
    await house.service.end(stream.id, "enough")
    assert stream.id not in (await read(house))[1], "labels are of what is on the air"


async def test_a_token_where_one_is_set(house: House) -> None:
    token = "the metrics' token"
    assert (await read(house, token))[0] == 401
    assert (await read(house, token, Authorization=f"Basic {token}"))[0] == 401
    assert (await read(house, token, Authorization="Bearer something else"))[0] == 401
    assert (await read(house, token, Authorization=f"Bearer {token}"))[0] == 200


def test_labels_are_escaped() -> None:
    lines = "".join(metrics._family("x", "text", [({"stream": 'a"\\\n'}, 1.5)]))
    assert lines == '# HELP x text\n# TYPE x gauge\nx{stream="a\\"\\\\\\n"} 1.5\n'
