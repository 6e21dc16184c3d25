"""`mediaserver hlscheck`: checks any HLS address against the specification. Imports little, see `cli`."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hls.check.finding import Report
    from hls.check.follow import Options

BROKEN = 1
"""Exit code when there are errors, or warnings with `--strict`."""
NOT_CHECKED = 2
"""Exit code when there was nothing to check; the same as click's for a wrong option."""


def _print_rules(ctx: click.Context, _: click.Parameter, is_wanted: bool) -> None:
    if is_wanted:
        from hls.check.catalogue import RULES  # noqa: PLC0415 keeps --help fast
        from hls.check.summary import render_rules  # noqa: PLC0415 likewise

        click.echo(render_rules(RULES))
        ctx.exit()


@click.command()
@click.argument("url")
@click.option(
    "--duration",
    "duration_s",
    type=click.FloatRange(0, 86_400),
    default=20.0,
    show_default=True,
    help="Seconds for which a live playlist is followed.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings too.")
@click.option("--all", "is_all", is_flag=True, help="Fetch every segment of a playlist that has ended.")
@click.option(
    "--rendition", "renditions", multiple=True, help="Only playlists with this in their address; repeatable."
)
@click.option("--insecure", is_flag=True, help="Take any certificate.")
@click.option(
    "--header", "headers", multiple=True, help="`Name: value`, sent along to the host of URL; repeatable."
)
@click.option(
    "--list-rules",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_rules,
    help="Print all rules with section and severity, and exit.",
)
def hlscheck(
    *,
    url: str,
    duration_s: float,
    as_json: bool,
    strict: bool,
    is_all: bool,
    renditions: tuple[str, ...],
    insecure: bool,
    headers: tuple[str, ...],
) -> None:
    """Check the HLS playlist at URL, live or not, against the specification.

    Follows all of its playlists as players do, fetches parts and segments and looks into them. Works for any server.
    Exits with 0 when nothing is wrong, 1 when there are errors, 2 when nothing could be checked.

    \b
    Examples:
      mediaserver hlscheck https://example.com/live/master.m3u8
      mediaserver hlscheck --duration 60 --strict --json URL > report.json
      mediaserver hlscheck --rendition 720p --header 'Authorization: Bearer …' URL
      mediaserver hlscheck --list-rules
    """  # noqa: D301 - \b keeps click from wrapping what follows
    from hls.check.catalogue import RULES  # noqa: PLC0415 keeps --help fast
    from hls.check.conformance import CheckError  # noqa: PLC0415 likewise
    from hls.check.finding import Report, Severity  # noqa: PLC0415 likewise
    from hls.check.follow import Options  # noqa: PLC0415 likewise
    from hls.check.summary import render, to_json  # noqa: PLC0415 likewise

    if not url.startswith(("http://", "https://")):
        raise click.BadParameter(f"{url!r} is no address of http or https", param_hint="URL")
    options = Options(duration_s, renditions, is_all)
    report = Report()
    try:
        asyncio.run(_check(url, options, _parse_headers(headers), report, is_insecure=insecure))
    except CheckError as error:
        if as_json:
            click.echo(json.dumps({"url": url, "problem": str(error)}))
        click.echo(f"mediaserver: {error}", err=True)
        sys.exit(NOT_CHECKED)
    except KeyboardInterrupt:
        sys.exit(130)
    total = sum(len(rules) for rules in RULES.values())
    click.echo(to_json(report, url) if as_json else render(report, total))
    if report.count(Severity.ERROR) or (strict and report.count(Severity.WARNING)):
        sys.exit(BROKEN)


async def _check(
    url: str, options: Options, headers: Mapping[str, str], report: Report, *, is_insecure: bool
) -> None:
    from hls.check.conformance import check_address  # noqa: PLC0415 keeps --help fast
    from hls.check.fetch import HttpFetcher  # noqa: PLC0415 likewise

    async with HttpFetcher(headers, url, is_insecure=is_insecure) as fetcher:
        progress = asyncio.create_task(_show_progress(report)) if sys.stderr.isatty() else None
        try:
            await check_address(url, fetcher, options, report)
        finally:
            if progress is not None:
                progress.cancel()
                click.echo("\r\x1b[K", nl=False, err=True)


async def _show_progress(report: Report) -> None:
    """Tell once a second what has been looked at, on one line of the terminal."""
    begin_s = time.monotonic()
    while True:
        seen = report.seen
        counts = f"{seen['segments']} segments, {seen['parts']} parts, {sum(report.broken.values())} findings"
        click.echo(f"\r\x1b[K{time.monotonic() - begin_s:.0f} s: {counts}", nl=False, err=True)
        await asyncio.sleep(1)


def _parse_headers(headers: tuple[str, ...]) -> dict[str, str]:
    parsed = {}
    for header in headers:
        name, separator, value = header.partition(":")
        if not separator or not name.strip() or not header.isascii() or not header.isprintable():
            raise click.BadParameter(f"{header!r} is not `Name: value`", param_hint="--header")
        parsed[name.strip()] = value.strip()
    return parsed
