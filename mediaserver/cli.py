"""The command line. Imports little, so that `token` and `--help` answer at once."""

from __future__ import annotations

import difflib
import sys
from typing import TYPE_CHECKING, NoReturn

import click

from media.error import ConfigError
from mediaserver.hlscheck import hlscheck

if TYPE_CHECKING:
    from mediaserver.config import Settings

CONFIG_PROBLEM = 2
"""Exit code when the configuration cannot be used; the same as click's for a wrong option."""
INTERRUPTED = 130


class _Group(click.Group):
    """Says which command was meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            close = difflib.get_close_matches(name, self.list_commands(ctx), n=1)
            meant = f" Did you mean {close[0]!r}?" if close else ""
            known = ", ".join(self.list_commands(ctx))
            raise click.UsageError(f"There is no command {name!r}.{meant} Commands: {known}.", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mediaserver", message="%(version)s")
def main() -> None:
    """Run a live media server: RTMP in, eight renditions, low-latency HLS out.

    Settings come from the environment and from `.env`; see docs/configuration.md.

    \b
    Examples:
      mediaserver serve
      PORT=9000 DATA_DIR=/var/lib/mediaserver mediaserver serve
      mediaserver token alice --ttl 12h
      mediaserver hlscheck https://example.com/live/master.m3u8
    """  # noqa: D301 - \b keeps click from wrapping what follows


main.add_command(hlscheck)


@main.command()
def serve() -> None:
    """Run the server until it is interrupted.

    \b
    Examples:
      mediaserver serve
      PORT=9000 RTMP_PORT=1936 mediaserver serve
      MIN_FOLLOWERS_TO_STREAM=0 LOG_LEVEL=debug mediaserver serve
    """  # noqa: D301 - \b keeps click from wrapping what follows
    _run(demo=False)


@main.command()
def demo() -> None:
    """Run the server with a channel that broadcasts a test picture and a tone.

    \b
    Examples:
      mediaserver demo
      PORT=9000 mediaserver demo
    """  # noqa: D301 - \b keeps click from wrapping what follows
    _run(demo=True)


@main.command()
@click.argument("user_id")
@click.option("--admin", is_flag=True, help="The token's scope holds `admin`.")
@click.option("--ttl", default="1h", show_default=True, help="How long it is good: 90s, 15m, 1h, 7d.")
def token(user_id: str, admin: bool, ttl: str) -> None:
    """Print an access token for USER_ID, and nothing else.

    Works before the server runs and while it does.

    \b
    Examples:
      mediaserver token alice
      TOKEN=$(mediaserver token alice --ttl 7d)
      mediaserver token root --admin
    """  # noqa: D301 - \b keeps click from wrapping what follows
    from control_api.token.access import TokenError, TokenSigner  # noqa: PLC0415 keeps --help fast
    from mediaserver.duration import parse_duration  # noqa: PLC0415 likewise
    from mediaserver.secret import access_secret  # noqa: PLC0415 likewise

    settings = _settings()
    try:
        ttl_s = parse_duration(ttl)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--ttl") from None
    try:
        signer = TokenSigner(access_secret(settings), settings.jwt_issuer, settings.jwt_audience)
        click.echo(signer.issue(user_id, admin=admin, ttl_s=ttl_s))
    except ConfigError as error:
        _refuse(error)
    except TokenError as error:
        raise click.BadParameter(str(error), param_hint="USER_ID") from None


@main.command()
def migrate() -> None:
    """Bring the database to the newest schema. The server does so itself when it starts.

    \b
    Examples:
      mediaserver migrate
      DATABASE_URL=postgresql://me:secret@db/streams mediaserver migrate
    """  # noqa: D301 - \b keeps click from wrapping what follows
    from mediaserver.migrate import migrate as run  # noqa: PLC0415 keeps --help fast

    settings = _settings()
    try:
        applied = run(settings)
    except ConfigError as error:
        _refuse(error)
    for name in applied:
        click.echo(f"applied {name}")
    if not applied:
        click.echo("The schema is the newest.")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(as_json: bool) -> None:
    """Check the configuration and this machine; exit with 2 when there is a problem.

    \b
    Examples:
      mediaserver check
      mediaserver check --json
      PORT=80 mediaserver check
    """  # noqa: D301 - \b keeps click from wrapping what follows
    from mediaserver.check import examine, render  # noqa: PLC0415 loads codecs

    report = examine()
    click.echo(report.to_json() if as_json else render(report))
    if report.problems:
        sys.exit(CONFIG_PROBLEM)


def _run(*, demo: bool) -> None:
    settings = _settings()

    import structlog  # noqa: PLC0415 a wrong configuration is told before the codecs are loaded

    from mediaserver.config_rule import remarks  # noqa: PLC0415 likewise
    from mediaserver.log import configure_logging  # noqa: PLC0415 likewise
    from mediaserver.server import run  # noqa: PLC0415 likewise

    configure_logging(settings.log_format, settings.log_level)
    for remark in remarks(settings):
        structlog.get_logger(__name__).warning("setting", remark=remark)
    try:
        run(settings, demo=demo)
    except ConfigError as error:
        _refuse(error)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _settings() -> Settings:
    from mediaserver.environment import load_settings  # noqa: PLC0415 keeps --help fast

    try:
        return load_settings()
    except ConfigError as error:
        _refuse(error)


def _refuse(error: ConfigError) -> NoReturn:
    """Tell every problem and leave; the values in it were cleared of secrets by whoever found them."""
    for problem in error.problems:
        click.echo(f"mediaserver: {problem}", err=True)
    sys.exit(CONFIG_PROBLEM)
