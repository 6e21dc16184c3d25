"""`mediaserver hlscheck` as a command: exit codes, output, options."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from hls.check.catalogue import RULES
from hls.check.summary import render_rules
from mediaserver.cli import main
from tests.hls.check.case_multivariant import MULTIVARIANT
from tests.hls.check.media_bytes import PICTURES, pictures
from tests.hls.check.playlists import spoil
from tests.hls.check.site import Page, Pages, site

VOD = """#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:1
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MAP:URI="init.mp4"
#EXTINF:0.400,
0.m4s
#EXTINF:0.400,
1.m4s
#EXT-X-ENDLIST
"""
PAGES = {
    "index.m3u8": Page(VOD),
    "init.mp4": Page(PICTURES),
    "0.m4s": Page(pictures(36_000, 10)),
    "1.m4s": Page(pictures(72_000, 10)),
}


async def run(pages: Pages, *options: str, path: str = "index.m3u8") -> tuple[int, str, str]:
    """Check a site by the command; return its exit code and what it wrote."""
    async with site(pages) as url:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "mediaserver",
            "hlscheck",
            *options,
            f"{url}{path}",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, error = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), error.decode()


async def test_what_is_right_exits_with_0_and_tells_what_was_looked_at() -> None:
    code, out, _ = await run(PAGES, "--strict")
    assert code == 0, out
    assert "2 segments inspected" in out
    assert "0 errors, 0 warnings" in out


async def test_an_error_exits_with_1_and_quotes_the_line() -> None:
    pages = PAGES | {"index.m3u8": Page(spoil(VOD, ("EXTINF:0.400", "EXTINF:1.600")))}
    code, out, _ = await run(pages)
    assert code == 1
    assert "ERROR media-duration-rounded (4.4.3.1)" in out
    assert "index.m3u8:7\n    #EXTINF:1.600," in out


async def test_warnings_count_only_when_strict() -> None:
    pages = PAGES | {"index.m3u8": Page(spoil(VOD, ("#EXT-X-INDEPENDENT-SEGMENTS\n", "")))}
    code, out, _ = await run(pages, "--json")
    report = json.loads(out)
    assert code == 0
    assert report["errors"] == 0
    assert report["rules_broken"]["media-independent-segments"] == 1
    assert next(finding for finding in report["findings"] if finding["severity"] == "warning")["detail"]
    code, _, _ = await run(pages, "--strict")
    assert code == 1


@pytest.mark.parametrize(
    ("pages", "words"),
    [
        ({}, "is answered with 404"),
        ({"index.m3u8": Page("<html>")}, "no playlist: it begins with '<html>'"),
        ({"index.m3u8": Page(VOD)}, "no segment could be looked at (init.mp4: it is answered with 404"),
        ({"index.m3u8": Page("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-ENDLIST\n")}, "no segment could be looked at"),
        ({"index.m3u8": Page(MULTIVARIANT)}, "no segment could be looked at"),
    ],
    ids=["missing", "page", "no media", "empty", "no playlists"],
)  # fmt: skip
async def test_what_cannot_be_checked_exits_with_2(pages: Pages, words: str) -> None:
    code, out, error = await run(pages, "--duration", "0")
    assert code == 2
    assert words in error
    assert not out


async def test_programs_are_told_why_nothing_was_checked() -> None:
    code, out, _ = await run({}, "--json")
    assert code == 2
    assert json.loads(out)["problem"].endswith("is answered with 404")


async def test_a_rendition_that_is_not_there_is_told_what_is() -> None:
    code, _, error = await run({"index.m3u8": Page(MULTIVARIANT)}, "--rendition", "4k")
    assert code == 2
    assert "no rendition has '4k' in its name; there are 720p.m3u8, 1080p.m3u8, en.m3u8" in error


def test_nobody_listens() -> None:
    result = CliRunner().invoke(main, ["hlscheck", "http://127.0.0.1:9/index.m3u8"])
    assert result.exit_code == 2
    assert "ConnectError" in result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["index.m3u8"], "'index.m3u8' is no address of http or https"),
        (
            ["--durration", "5", "http://x/"],
            "No such option '--durration'. (Did you mean one of: '--duration', '--rendition'?)",
        ),
        (["--duration", "-1", "http://x/"], "-1.0 is not in the range"),
        (["--header", "Authorization", "http://x/"], "'Authorization' is not `Name: value`"),
    ],
)
def test_a_wrong_option_says_what_was_meant(arguments: list[str], words: str) -> None:
    result = CliRunner().invoke(main, ["hlscheck", *arguments])
    assert result.exit_code == 2
    assert words in result.output


def test_all_rules_are_listed_with_section_and_severity() -> None:
    result = CliRunner().invoke(main, ["hlscheck", "--list-rules"])
    assert result.exit_code == 0
    for rules in RULES.values():
        for rule in rules:
            assert f"| `{rule.id}` | {rule.section} | {rule.severity} |" in result.output


def test_the_documentation_lists_the_rules_as_they_are() -> None:
    documented = (Path(__file__).parents[2] / "docs" / "hlscheck.md").read_text().partition("\n## Rules\n")[2]
    assert documented.strip() == render_rules(RULES).strip()
