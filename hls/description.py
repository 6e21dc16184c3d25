"""The routes of HLS delivery as OpenAPI 3.1 path items, for whoever describes the whole server."""

from __future__ import annotations

from typing import Any

from .answer import MEDIA_TYPE, PLAYLIST_TYPE

STREAM = ("stream_id", "Id of the stream.")
RUNG = ("rung", "`2160p` … `144p`, `audio`, or a top quality in its own codec: `1080p-hevc`, `720p-av1`.")
GENERATION = ("generation", "Rises whenever bytes may differ.")
MSN = ("msn", "Media sequence number of the segment.")
PART = ("part", "Index of the part in its segment.")

RELOAD = {
    "_HLS_msn": ("integer", "Answer when this media sequence number is there (rfc8216bis, 6.2.5.2)."),
    "_HLS_part": ("integer", "… and this part of it."),
    "_HLS_skip": ("string", "`YES` or `v2`: leave out what the player has (6.2.5.1)."),
}

PROBLEMS = {
    400: "The query is not one that the specification knows.",
    404: "There is no such stream, or (`no_media_yet`) nothing of it yet.",
    503: "Nothing came within three target durations, or too many wait.",
}


def paths() -> dict[str, dict[str, Any]]:
    """Describe each route; all of them exist with `/~TOKEN` behind the stream's id too."""
    base = "/hls/{stream_id}"
    rung = f"{base}/{{rung}}"
    return {
        f"{base}/master.m3u8": _get("Multivariant playlist", PLAYLIST_TYPE, STREAM),
        f"{rung}/index.m3u8": _get(
            "Media playlist, with blocking reload", PLAYLIST_TYPE, STREAM, RUNG, query=RELOAD
        ),
        f"{rung}/init-{{generation}}.mp4": _get(
            "Initialization segment", MEDIA_TYPE, STREAM, RUNG, GENERATION
        ),
        f"{rung}/{{generation}}-{{msn}}.m4s": _get("Segment", MEDIA_TYPE, STREAM, RUNG, GENERATION, MSN),
        f"{rung}/{{generation}}-{{msn}}.{{part}}.m4s": _get(
            "Part", MEDIA_TYPE, STREAM, RUNG, GENERATION, MSN, PART
        ),
    }


def _get(
    summary: str, content: str, *names: tuple[str, str], query: dict[str, tuple[str, str]] | None = None
) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "description": text, "schema": {"type": "string"}}
        for name, text in names
    ]
    parameters += [
        {"name": name, "in": "query", "description": text, "schema": {"type": kind}}
        for name, (kind, text) in (query or {}).items()
    ]
    good = {"description": summary, "content": {content: {}}}
    problems = {str(status): {"description": text} for status, text in PROBLEMS.items()}
    return {"get": {"summary": summary, "parameters": parameters, "responses": {"200": good} | problems}}
