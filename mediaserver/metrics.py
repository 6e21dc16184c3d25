"""`GET /metrics`: what the encoders and the delivery do, for Prometheus (text exposition format 0.0.4).

Rendered by hand: gauges and counters that are read from what runs, so there is no registry to keep in step with it.
Labels are streams on the air and their rungs, nothing that was; so their number is bounded by what is on the air.
"""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from aiohttp import web
from pydantic import SecretStr

from control_api.call import bearer_token
from control_api.problem import problem_response
from control_api.realtime.bus import Bus
from control_api.realtime.traffic import Traffic
from mediaserver.live.stage import Stage
from webrtc.plane import WebRtcPlane

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

NO_STORE = {"Cache-Control": "no-store"}

STATES = ("copied", "encoded", "dormant", "shed", "idle", "slate")

Sample = tuple[Mapping[str, str], float]


def routes(
    stage: Stage,
    token: SecretStr,
    *,
    answered: Mapping[str, int],
    sockets: Traffic,
    bus: Bus,
    webrtc: WebRtcPlane,
) -> list[web.RouteDef]:
    """Make the route.

    Args:
        stage: has the broadcasts.
        token: that a request has to bring; empty: anybody may ask.
        answered: requests for HLS by what they asked for, as far as they took the short way.
        sockets: what is counted of WebSockets.
        bus: to the other nodes.
        webrtc: has the sessions of viewers and publishers.
    """

    async def answer(request: web.Request) -> web.Response:
        if not _may_read(request, token.get_secret_value()):
            headers = {"WWW-Authenticate": 'Bearer realm="metrics"'}
            return problem_response(401, "no_token", "The metrics take METRICS_TOKEN.", headers=headers)
        return web.Response(
            body=render(stage, answered, sockets, bus, webrtc).encode(),
            headers=NO_STORE | {"Content-Type": CONTENT_TYPE},
        )

    return [web.get("/metrics", answer)]


def paths() -> dict[str, dict[str, Any]]:
    """Describe the route as an OpenAPI path item."""
    good = {"description": "Prometheus text", "content": {CONTENT_TYPE: {}}}
    responses = {
        "200": good,
        "401": {
            "description": "`METRICS_TOKEN` is set, and was not sent as a bearer token.",
            "content": {"application/problem+json": {}},
        },
    }
    return {
        "/metrics": {"get": {"summary": "What the encoders do", "tags": ["Server"], "responses": responses}}
    }


def render(stage: Stage, answered: Mapping[str, int], sockets: Traffic, bus: Bus, webrtc: WebRtcPlane) -> str:
    """Write everything that is known now."""
    parts = (
        _lines(stage), _delivery(stage, answered), _sockets(sockets), _bus(bus), _webrtc(webrtc)
    )  # fmt: skip
    return "".join(line for part in parts for line in part)


def _webrtc(webrtc: WebRtcPlane) -> Iterator[str]:
    rungs = Counter(webrtc.gateway.viewers_by_rung())
    yield from _family(
        "webrtc_viewers",
        "Viewers that get a rung over WebRTC.",
        [({"stream": stream_id, "rung": rung}, float(count)) for (stream_id, rung), count in rungs.items()],
    )
    yield from _family(
        "webrtc_publishers", "Who publishes over WHIP now.", [({}, float(webrtc.publishers.count))]
    )
    yield from _family(
        "webrtc_worker_restarts_total",
        "WebRTC processes that had to be replaced.",
        [({}, float(sum(worker.restarts for worker in webrtc.workers)))],
        kind="counter",
    )
    yield from _family(
        "webrtc_events_total",
        "What WebRTC processes have counted since they began, by name.",
        [({"event": name}, float(count)) for name, count in sorted(webrtc.counters().items())],
        kind="counter",
    )


def _bus(bus: Bus) -> Iterator[str]:
    text = "1 while other nodes are reached, or while there are none."
    yield from _family("bus_connected", text, [({}, float(bus.is_connected))])


def _sockets(traffic: Traffic) -> Iterator[str]:
    yield from _family(
        "websocket_connections", "Sockets of streams that are open.", [({}, float(traffic.sockets))]
    )
    yield from _family(
        "websocket_slow_total",
        "Sockets that were closed because they did not read.",
        [({}, float(traffic.slow))],
        kind="counter",
    )
    yield from _family(
        "websocket_messages_total",
        "Messages of clients that were taken, by type.",
        [({"type": name}, float(count)) for name, count in traffic.messages.items()],
        kind="counter",
    )
    yield from _family(
        "websocket_errors_total",
        "Errors that clients were told, by code.",
        [({"code": code}, float(count)) for code, count in traffic.errors.items()],
        kind="counter",
    )


def _delivery(stage: Stage, answered: Mapping[str, int]) -> Iterator[str]:
    yield from _family(
        "hls_hot_answers_total",
        "Requests for HLS that were answered from memory, by what they asked for.",
        [({"kind": kind}, float(answered.get(kind, 0))) for kind in ("playlist", "part", "segment")],
        kind="counter",
    )
    yield from _family(
        "hls_waiting_requests",
        "Requests that wait for a part now.",
        [({"stream": stream_id}, float(one.output.waiting)) for stream_id, one in stage.live_broadcasts()],
    )
    yield from _family(
        "hls_refused_requests_total",
        "Requests that would have had to wait for a part, and were too many.",
        [({"stream": stream_id}, float(one.output.refused)) for stream_id, one in stage.live_broadcasts()],
        kind="counter",
    )


def _lines(stage: Stage) -> Iterator[str]:
    broadcasts = list(stage.live_broadcasts())
    stats = [({"stream": stream_id}, one.rungs.stats) for stream_id, one in broadcasts]
    states = [
        ({"stream": stream_id, "rung": state.name}, state)
        for stream_id, one in broadcasts
        for state in one.rungs.states
    ]
    yield from _family(
        "rewind_available_seconds",
        "How far viewers can rewind.",
        [({"stream": stream_id}, one.output.rewind_s) for stream_id, one in broadcasts],
    )
    yield from _family(
        "rewind_disk_bytes",
        "Segments on disk.",
        [({"stream": stream_id}, float(one.output.archived_bytes)) for stream_id, one in broadcasts],
    )
    steward = stage.steward
    yield from _family(
        "ladder_lag_seconds",
        "Media time between the newest frame sent to the encoders and the newest one that came back.",
        [(labels, one.lag_s) for labels, one in stats],
    )
    yield from _family(
        "ladder_speed_ratio",
        "Seconds of media encoded per second of work; below 1 the encoders fall behind.",
        [(labels, one.speed) for labels, one in stats if one.speed is not None],
    )
    yield from _family(
        "ladder_base_cost_cores",
        "Processor cores that decoding and scaling take.",
        [(labels, one.base_cost) for labels, one in stats if one.base_cost is not None],
    )
    yield from _family(
        "ladder_rung_cost_cores",
        "Processor cores that a rung's encoder takes.",
        [(labels, state.cost) for labels, state in states if state.cost is not None],
    )
    yield from _family(
        "ladder_rung_state",
        "1 for the state that a rung is in.",
        [
            ({**labels, "state": name}, float(state.kind == name))
            for labels, state in states
            for name in STATES
        ],
    )
    yield from _family(
        "ladder_worker_restarts_total",
        "Codec workers that had to be replaced, by broadcast on the air.",
        [(labels, float(one.restarts)) for labels, one in stats],
        kind="counter",
    )
    yield from _family(
        "ladder_actions_total",
        "What has been ordered so that no broadcast falls behind.",
        [({"action": name}, float(count)) for name, count in steward.actions.items()],
        kind="counter",
    )
    yield from _family(
        "ladder_capacity_cores",
        "Processor cores that encoders may use, learned from lag.",
        [({}, steward.capacity)],
    )


def _family(name: str, text: str, samples: list[Sample], *, kind: str = "gauge") -> Iterator[str]:
    yield f"# HELP {name} {text}\n# TYPE {name} {kind}\n"
    for labels, value in samples:
        inner = ",".join(f'{label}="{_escaped(found)}"' for label, found in labels.items())
        yield f"{name}{{{inner}}} {value:g}\n" if inner else f"{name} {value:g}\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _may_read(request: web.Request, token: str) -> bool:
    if not token:
        return True
    sent = bearer_token(request) or ""
    return hmac.compare_digest(sent.encode("utf-8", "surrogateescape"), token.encode())
