"""The routes of WHEP as OpenAPI 3.1 path items, for whoever describes the whole server."""

from __future__ import annotations

from typing import Any

from .http_answer import FRAGMENT_TYPE, JSON_TYPE, PROBLEM_TYPE, SDP_TYPE
from .whep import SESSION
from .whep_extension import EVENT_STREAM_TYPE
from .whep_session import EVENTS

TAG = "WebRTC"

Schema = dict[str, Any]
Content = dict[str, Schema]
"""Schemas by media type."""

TEXT: Schema = {"type": "string"}

_PARAMETERS: dict[str, tuple[str, Schema]] = {
    "stream_id": ("Id of the stream.", {"type": "string", "format": "uuid"}),
    "session": ("As in the `Location` of the answer.", TEXT),
    "channel": ("As in the `Location` of the event stream.", TEXT),
}

PROBLEM: Schema = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": TEXT,
        "title": TEXT,
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable; for programs."},
        "detail": {"type": "string", "description": "For people."},
    },
}
"""RFC 9457."""

PROBLEMS = {
    400: "The body is malformed; `detail` says where.",
    401: "Sign in to watch this.",
    403: "This viewer may not watch this.",
    404: "There is no such stream or session.",
    409: "The stream is not live, or nothing waits for this.",
    412: "ICE was restarted meanwhile.",
    413: "The body is larger than 64 KiB.",
    415: "The body has another type.",
    421: "This server does not answer to this host name.",
    422: "The body does not fit.",
    428: "`If-Match` is needed.",
    429: "Too many requests from one address.",
    503: "There is no room for more viewers now.",
}

_CHOICE: Schema = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "encodingId": {"type": ["string", "null"], "description": "Name of the rung; null: automatic."},
        "rid": {"type": ["string", "null"], "description": "The same; `encodingId` comes first."},
        "mediaId": {"description": "Index of the m-line; there is only one to choose for."},
    },
}

_LAYERS: Schema = {
    "type": "object",
    "required": ["active", "chosen", "layers"],
    "properties": {
        "active": {"type": ["string", "null"], "description": "What is sent; null before the first frame."},
        "chosen": {"type": ["string", "null"], "description": "What the viewer has fixed; null: automatic."},
        "layers": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["encodingId", "width", "height", "bitrate"],
                "properties": {
                    "encodingId": TEXT,
                    "rid": TEXT,
                    "width": {"type": "integer"},
                    "height": {"type": "integer"},
                    "bitrate": {"type": "integer", "description": "Bits a second; 0: sleeps until wanted."},
                    "targetBitrate": {"type": "integer"},
                },
            },
        },
    },
}

_TYPES: Schema = {"type": "array", "items": {"type": "string", "enum": list(EVENTS)}}

_CHANGES: Content = {
    FRAGMENT_TYPE: TEXT,
    SDP_TYPE: {"type": "string", "description": "The answer to a counter-offer."},
}


def paths() -> dict[str, dict[str, Any]]:
    """Describe each route; the first exists with `/~TOKEN` behind the stream's id too."""
    return {
        "/webrtc/{stream_id}": _endpoint(),
        SESSION: _session(),
        f"{SESSION}/layer": _layer(),
        f"{SESSION}/events": _events(),
        f"{SESSION}/events/{{channel}}": _channel(),
    }


def _endpoint() -> dict[str, Any]:
    good = {201: ("The answer.", {SDP_TYPE: TEXT}), 406: ("A counter-offer.", {SDP_TYPE: TEXT})}
    problems = (400, 401, 403, 404, 409, 413, 415, 421, 429, 503)
    return _path(
        "stream_id",
        get=_operation("Nothing, where the viewer may watch", _empty(), (401, 403, 404, 421)),
        post=_operation("Watch a stream (WHEP): an offer", good, problems, {SDP_TYPE: TEXT}),
    )


def _session() -> dict[str, Any]:
    good = {
        200: ("ICE was restarted; what counts now.", {FRAGMENT_TYPE: TEXT}),
        204: ("Taken.", {}),
    }
    problems = (400, 404, 409, 412, 413, 415, 421, 428, 429, 503)
    patch = _operation("Candidates, a restart of ICE, or an answer", good, problems, _CHANGES)
    patch["parameters"] = [
        {
            "name": "If-Match",
            "in": "header",
            "description": 'The `ETag` that counts, or `"*"`; not needed for an answer.',
            "schema": TEXT,
        }
    ]
    return _path(
        "stream_id",
        "session",
        get=_operation("Nothing, while the session lasts", _empty(), (404, 421)),
        patch=patch,
        delete=_operation("Stop watching", {200: ("Stopped.", {})}, (404, 421, 429)),
    )


def _layer() -> dict[str, Any]:
    good = {200: ("The rungs.", {JSON_TYPE: _LAYERS})}
    problems = (400, 404, 413, 415, 421, 422, 429)
    return _path(
        "stream_id",
        "session",
        get=_operation("Which rungs there are, and which one is sent", good, (404, 421)),
        post=_operation("Fix a rung", good, problems, {JSON_TYPE: _CHOICE}),
        delete=_operation("Leave the choice to the server", good, (404, 421, 429)),
    )


def _events() -> dict[str, Any]:
    body = {"oneOf": [_TYPES, {"type": "object", "properties": {"events": _TYPES}}]}
    problems = (400, 404, 409, 413, 415, 421, 422, 429)
    post = _operation(
        "Make an event stream", {201: ("It is at `Location`.", {})}, problems, {JSON_TYPE: body}
    )
    post["requestBody"]["required"] = False
    return _path("stream_id", "session", get=_read("All events of a session"), post=post)


def _channel() -> dict[str, Any]:
    end = _operation("End an event stream", {200: ("Ended.", {})}, (404, 421, 429))
    return _path("stream_id", "session", "channel", get=_read("Events of an event stream"), delete=end)


def _read(summary: str) -> dict[str, Any]:
    good = {200: ("Events until the session ends.", {EVENT_STREAM_TYPE: TEXT})}
    return _operation(summary, good, (404, 421))


def _empty() -> dict[int, tuple[str, Content]]:
    return {200: ("Nothing to show.", {SDP_TYPE: TEXT})}


def _path(*names: str, **operations: dict[str, Any]) -> dict[str, Any]:
    parameters = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PARAMETERS[name][0],
            "schema": _PARAMETERS[name][1],
        }
        for name in names
    ]
    return {
        method: operation | {"parameters": parameters + operation.get("parameters", [])}
        for method, operation in operations.items()
    }


def _operation(
    summary: str, good: dict[int, tuple[str, Content]], problems: tuple[int, ...], body: Content | None = None
) -> dict[str, Any]:
    responses: dict[str, Any] = {
        str(status): {"description": text} | ({"content": _content(content)} if content else {})
        for status, (text, content) in good.items()
    }
    responses |= {
        str(status): {"description": PROBLEMS[status], "content": _content({PROBLEM_TYPE: PROBLEM})}
        for status in problems
    }
    operation: dict[str, Any] = {"summary": summary, "tags": [TAG], "responses": responses}
    if body is not None:
        operation["requestBody"] = {"required": True, "content": _content(body)}
    return operation


def _content(content: Content) -> dict[str, Any]:
    return {kind: {"schema": schema} for kind, schema in content.items()}
