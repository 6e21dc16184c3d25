"""The routes of HLS delivery as OpenAPI 3.1 path items, for whoever describes the whole server."""

from __future__ import annotations

from typing import Any

from .answer import MANIFEST_TYPE, MEDIA_TYPE, PLAYLIST_TYPE, PROBLEM_TYPE
from .http import PREVIEW
from .picture_http import JPEG_TYPE

Names = tuple[str, str, dict[str, Any]]
"""A parameter's name, what it is, and its schema."""

TEXT: dict[str, Any] = {"type": "string"}
NUMBER: dict[str, Any] = {"type": "string", "pattern": "^[0-9]{1,9}$"}

STREAM: Names = ("stream_id", "Id of the stream.", {"type": "string", "format": "uuid"})
TOKEN: Names = ("token", "Playback token, as in the stream's `preview_url`.", TEXT)
RUNG: Names = (
    "rung",
    "`2160p` … `144p`, `audio`, or a top quality in its own codec: `1080p-hevc`, `720p-av1`.",
    {"type": "string", "pattern": "^[0-9a-z-]+$"},
)
GENERATION: Names = ("generation", "Rises whenever bytes may differ.", NUMBER)
MSN: Names = ("msn", "Media sequence number of the segment.", NUMBER)
PART: Names = ("part", "Index of the part in its segment.", NUMBER)

RELOAD: tuple[Names, ...] = (
    (
        "_HLS_msn",
        "Answer when this media sequence number is there (rfc8216bis, 6.2.5.2).",
        {"type": "integer", "minimum": 0},
    ),
    ("_HLS_part", "… and this part of it.", {"type": "integer", "minimum": 0}),
    (
        "_HLS_skip",
        "`YES` or `v2`: leave out what the player has (6.2.5.1).",
        {"type": "string", "enum": ["YES", "v2"]},
    ),
)

BEGIN: Names = (
    "start",
    "Where players begin: 0, -600 (seconds from the end), Unix time, or an RFC 3339 date.",
    {
        "type": "string",
        "anyOf": [{"pattern": r"^-?[0-9]{1,12}(\.[0-9]{1,9})?$"}, {"format": "date-time"}],
    },
)

RANGE: dict[str, Any] = {
    "name": "Range",
    "in": "header",
    "description": "Bytes that are wanted (RFC 9110, 14); what is no single range of bytes is ignored.",
    "schema": TEXT,
}

PROBLEM: dict[str, Any] = {
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
    400: "The query is not one that the specification knows.",
    404: "There is no such stream, or (`no_media_yet`) nothing of it yet.",
    421: "This server does not answer to this host name.",
    503: "Nothing came within three target durations, or too many wait.",
}

TAG = "Media"


def paths() -> dict[str, dict[str, Any]]:
    """Describe each route; all but previews exist with `/~TOKEN` behind the stream's id too."""
    base = "/hls/{stream_id}"
    rung = f"{base}/{{rung}}"
    return {
        **_playlists_and_media(base, STREAM, RUNG),
        f"{rung}/iframes.m3u8": _get("I-frame playlist", PLAYLIST_TYPE, STREAM, RUNG),
        f"{rung}/{{generation}}-{{msn}}.key.m4s": _get(
            "Keyframe with which a segment begins", MEDIA_TYPE, STREAM, RUNG, GENERATION, MSN
        ),
        f"{base}/thumbnails/{{msn}}.jpg": _get("First picture of a segment", JPEG_TYPE, STREAM, MSN),
        **_playlists_and_media(f"{base}/~{{token}}/{PREVIEW}", STREAM, TOKEN, RUNG, of=" of a preview"),
        "/dash/{stream_id}/manifest.mpd": _get(
            "MPEG-DASH manifest over the same segments", MANIFEST_TYPE, STREAM
        ),
        "/dash/time": _get("What time it is here, for DASH players", "text/plain"),
        "/hls-auth": _auth(),
    }


def _playlists_and_media(base: str, *names: Names, of: str = "") -> dict[str, dict[str, Any]]:
    """Describe what is below a prefix; the last one of its names is the rung."""
    rung = f"{base}/{{rung}}"
    media = {
        "init-{generation}.mp4": ("Initialization segment", (GENERATION,)),
        "{generation}-{msn}.m4s": ("Segment", (GENERATION, MSN)),
        "{generation}-{msn}.{part}.m4s": ("Part", (GENERATION, MSN, PART)),
    }
    return {
        f"{base}/master.m3u8": _get(f"Multivariant playlist{of}", PLAYLIST_TYPE, *names[:-1], query=(BEGIN,)),
        f"{rung}/index.m3u8": _get(
            f"Media playlist{of}, with blocking reload", PLAYLIST_TYPE, *names, query=(*RELOAD, BEGIN)
        ),
        **{
            f"{rung}/{name}": _get(f"{what}{of}", MEDIA_TYPE, *names, *own)
            for name, (what, own) in media.items()
        },
    }


def _auth() -> dict[str, Any]:
    header = {
        "name": "X-Original-URI",
        "in": "header",
        "required": True,
        "description": "The path that was asked for, with the token that stands in it.",
        "schema": {"type": "string"},
    }
    responses = {
        "204": {"description": "It may be answered."},
        "403": {"description": "It may not."},
        "421": _problem(421),
    }
    summary = "For a proxy with a cache: may this request be answered?"
    return {"get": {"summary": summary, "tags": [TAG], "parameters": [header], "responses": responses}}


def _get(summary: str, content: str, *names: Names, query: tuple[Names, ...] = ()) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "description": text, "schema": schema}
        for name, text, schema in names
    ]
    parameters += [
        {"name": name, "in": "query", "description": text, "schema": schema} for name, text, schema in query
    ]
    responses = {"200": {"description": summary, "content": {content: {}}}}
    if content in (MEDIA_TYPE, JPEG_TYPE):
        parameters.append(RANGE)
        responses["206"] = {"description": "The bytes that were asked for.", "content": {content: {}}}
        responses["416"] = {"description": "There are no such bytes."}
    responses |= {str(status): _problem(status) for status in PROBLEMS}
    return {"get": {"summary": summary, "tags": [TAG], "parameters": parameters, "responses": responses}}


def _problem(status: int) -> dict[str, Any]:
    return {"description": PROBLEMS[status], "content": {PROBLEM_TYPE: {"schema": PROBLEM}}}
