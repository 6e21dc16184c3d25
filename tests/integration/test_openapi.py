"""`/openapi.json` says what the server does: schemathesis asks it thousands of things and believes the description.

Cases are made the same way each time; only what a server makes up itself (ids, keys) differs. On a failure the output
has commands that repeat it.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .server import NEW_FFMPEG, Server, encoder_args, running

HOOKS = Path(__file__).with_name("openapi_hook.py")
PROGRAM = Path(sys.executable).with_name("schemathesis")
MEDIA = "^/(hls|dash)/"
ELSEWHERE = "^/(hls|dash|ws|webrtc|whip)(/|$)"
"""Media have a test of their own; sockets want an upgrade that these requests do not ask for; WHEP and WHIP want
session descriptions, which no schema describes (tests/webrtc and test_webrtc_input)."""
RUNG = "360p"

WITHOUT = {
    "object_level_authorization": "most streams are for everybody to see; who may see what is asked in test_http",
    "use_after_free": "DELETE cancels a stream: it is there afterwards, with this status",
}
"""Checks that can't be made here, and why. All others that the installed schemathesis has are made."""

ACCEPTED = ["2xx", "3xx", "401", "403", "404", "409", "412", "429"]
"""Answers to what is well-formed. Who asks, what there is, in which state and revision can't be read from a schema."""

REFUSED = ["400", "401", "403", "404", "405", "406", "409", "412", "413", "415", "422", "428", "429"]
"""Answers to what is not. 412: no stream has a revision of another form."""

BY_MEDIA = ["400", "416"]
"""Answers to well-formed requests for media: a playlist too far ahead is 400 (rfc8216bis, 6.2.5.2), bytes behind the
end are 416."""


@dataclass(frozen=True)
class Run:
    """What schemathesis found."""

    report: dict[str, Any]

    @property
    def cases(self) -> int:
        return int(self.report["test_cases"]["generated"])

    @property
    def failures(self) -> list[tuple[str, list[str]]]:
        """What was found, and in which operations; errors of schemathesis itself too."""
        found = [(failure["type"], failure["operations"]) for failure in self.report["failures"]]
        return found + [("error", [json.dumps(error)]) for error in self.report["errors"]]

    def accepted(self, operation: str) -> int:
        """Tell how many cases of an operation, such as `POST /api/v1/streams`, succeeded."""
        phases = self.report["valid_rates"].get(operation, {})
        return sum(int(phase["accepted"]) for phase in phases.values())


async def schemathesis(
    folder: Path,
    server: Server,
    *arguments: str,
    location: str = "",
    accepted: list[str] = ACCEPTED,
    there: Mapping[str, str] | None = None,
) -> Run:
    """Run it against a server.

    Args:
        folder: for its files.
        server: is asked.
        arguments: more of them.
        location: of the description; the server's when empty.
        accepted: statuses of answers to well-formed requests.
        there: path parameters of something that is there.
    """
    configuration = folder / "schemathesis.toml"
    configuration.write_text(
        f"hooks = {json.dumps(str(HOOKS))}\n"
        f"[checks.positive_data_acceptance]\nexpected-statuses = {json.dumps(accepted)}\n"
        f"[checks.negative_data_rejection]\nexpected-statuses = {json.dumps(REFUSED)}\n"
    )
    report = folder / "report.json"
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "--config-file", configuration, "run", location or f"{server.http_url}/openapi.json",
        "--checks", "all", "--exclude-checks", ",".join(WITHOUT), "--generation-deterministic",
        "--request-timeout", "30", "--no-color", "--report", "json", "--report-json-path", report, *arguments,
        env=os.environ | {"OPENAPI_TEST_PATH": json.dumps(there or {})},
        cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await process.communicate()
    sys.stdout.write(out.decode())
    return Run(json.loads(report.read_text()))


def as_user(server: Server) -> tuple[str, str]:
    return "--header", f"Authorization: Bearer {server.token}"


@pytest.mark.timeout(180)
async def test_a_user_finds_what_is_described(server: Server, tmp_path: Path) -> None:
    run = await schemathesis(
        tmp_path, server, *as_user(server), "--exclude-path-regex", ELSEWHERE, "--max-examples", "55"
    )
    assert run.failures == []
    assert run.cases >= 1200
    for operation in ("POST /api/v1/streams", "PUT /api/v1/streams/{id}", "POST /api/v1/streams/{id}/start"):
        assert run.accepted(operation) >= 5, operation


@pytest.mark.timeout(120)
async def test_somebody_without_a_token_finds_what_is_described(server: Server, tmp_path: Path) -> None:
    await server.create_stream()
    run = await schemathesis(tmp_path, server, "--exclude-path-regex", ELSEWHERE, "--max-examples", "20")
    assert run.failures == []
    assert run.cases >= 400
    assert run.accepted("GET /api/v1/streams/live") >= 5
    assert run.accepted("POST /api/v1/streams") == 0


@pytest.mark.timeout(120)
async def test_a_player_finds_what_is_described(server: Server, tmp_path: Path) -> None:
    stream = await server.create_stream()
    playlist = f"/hls/{stream['id']}/{RUNG}/index.m3u8"
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream), gop_s=1)):
        listed = await server.wait_for(playlist, contains="#EXTINF", seconds=30)
        there = {"stream_id": stream["id"], "rung": RUNG, **_segment_in(listed.text)}
        run = await schemathesis(
            tmp_path, server, "--include-path-regex", MEDIA, "--max-examples", "30",
            "--phases", "coverage,fuzzing", accepted=ACCEPTED + BY_MEDIA, there=there,
        )  # fmt: skip
    assert run.failures == []
    assert run.cases >= 400
    for name in ("master.m3u8", "{rung}/index.m3u8", "{rung}/iframes.m3u8", "{rung}/{generation}-{msn}.m4s"):
        assert run.accepted(f"GET /hls/{{stream_id}}/{name}") >= 5, name


def _segment_in(playlist: str) -> dict[str, str]:
    """Name the first segment as path parameters."""
    found = re.search(r"^(\d+)-(\d+)\.m4s", playlist, re.MULTILINE)
    assert found is not None, playlist
    return {"generation": found[1], "msn": found[2], "part": "0"}


@pytest.mark.timeout(60)
async def test_a_description_that_is_not_true_is_noticed(server: Server, tmp_path: Path) -> None:
    document = (await server.request("/openapi.json")).json()
    document["components"]["schemas"]["StreamCreation"]["properties"]["title"]["maxLength"] = 300
    del document["paths"]["/api/v1/streams/{id}"]["get"]["responses"]["404"]
    document["components"]["schemas"]["KeyAnswer"]["properties"]["stream_key"]["type"] = "integer"
    described = tmp_path / "openapi.json"
    described.write_text(json.dumps(document))
    run = await schemathesis(
        tmp_path, server, *as_user(server), "--url", server.http_url, "--phases", "coverage",
        "--include-name", "POST /api/v1/streams", "--include-name", "GET /api/v1/streams/{id}",
        "--include-name", "GET /api/v1/users/me/key", location=str(described),
    )  # fmt: skip
    assert {(kind, *operations) for kind, operations in run.failures} == {
        ("RejectedPositiveData", "POST /api/v1/streams"),
        ("UndefinedStatusCode", "GET /api/v1/streams/{id}"),
        ("JsonSchemaError", "GET /api/v1/users/me/key"),
    }
