"""Configuration from the environment and `.env`, checked as a whole before anything starts."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from media.error import ConfigError
from mediaserver import setting
from mediaserver.config_rule import contradictions

ENV_FILE = Path(".env")


class Settings(BaseSettings):
    """Every setting, by the lower-case form of its name. `docs/configuration.md` says what each means."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", frozen=True, validate_default=True
    )

    port: setting.Port = 8098
    host: setting.Host = "0.0.0.0"  # noqa: S104 a server for others by default
    rtmp_host: setting.Host = "0.0.0.0"  # noqa: S104 likewise
    rtmp_port: setting.Port = 1935
    rtmp_server_url: setting.RtmpAddress = ""
    cdn_hls_base_url: setting.HttpAddress = ""
    cdn_webrtc_base_url: setting.WebRtcAddress = ""
    min_followers_to_stream: setting.Count = 50
    allowed_hosts: setting.HostNames = ()
    """Empty: any where the connection came to a loopback or private address."""
    data_dir: setting.Folder = Path("data")
    jwt_secret: setting.Secret = SecretStr("")
    """Empty: made in `data_dir`."""
    jwt_issuer: setting.Text = ""
    jwt_audience: setting.Text = ""
    reconnect_grace_s: setting.Grace = 60
    stop_grace_s: setting.Grace = 10
    start_grace_s: setting.Grace = 900
    ladder: setting.Ladder = "on_demand"
    """`on_demand`, `always`, or a tuple of rungs, best first."""
    segment_s: setting.SegmentLength = 2
    part_s: setting.PartLength = 0.5
    target_duration_s: setting.TargetDuration = 5
    log_format: setting.LogFormat = ""
    log_level: setting.LogLevel = "info"

    # Accepted, without effect yet: `config_rule.WITHOUT_EFFECT`.
    enable_recording: setting.Switch = True
    dvr_window_s: setting.Window = 7200
    vod_ladder: setting.VodLadder = "on_demand"
    edge_workers: setting.SmallCount = 0
    webrtc_udp_port: setting.OtherPort = 8189
    webrtc_workers: setting.SmallCount = 1
    webrtc_public_ips: setting.IpAddresses = ()

    # Not supported yet, and refused because going on without would surprise: `config_rule.UNSUPPORTED`.
    database_url: SecretStr = SecretStr("")
    redis_url: SecretStr = SecretStr("")
    media_service_grpc_url: str = ""
    social_graph_grpc_url: str = ""
    storage_url: SecretStr = SecretStr("")
    jwt_jwks_url: str = ""
    rtmps_port: str = ""
    tls_cert_file: str = ""
    tls_key_file: str = ""


def load_settings(env_file: Path | None = ENV_FILE) -> Settings:
    """Read the settings from the environment, and below it from a file of the same names.

    Args:
        env_file: may be missing; None for none.

    Raises:
        ConfigError: with every problem at once, each naming the setting, its value and what is accepted.
    """
    try:
        return _checked(_read(env_file), ())
    except ValidationError as error:
        problems = {str(fault["loc"][0]): _words(fault) for fault in error.errors(include_url=False)}
    except (OSError, UnicodeError, SettingsError) as error:
        raise ConfigError([f"{env_file} cannot be read: {error}"]) from None
    # The rules that join several settings are checked too, with the defaults of those that are wrong.
    defaults: dict[str, Any] = {name: Settings.model_fields[name].default for name in problems}
    try:
        _checked(_read(env_file, **defaults), problems)
    except ConfigError as error:
        raise ConfigError([*problems.values(), *error.problems]) from None
    raise ConfigError(list(problems.values()))


def name_of(field: str) -> str:
    """Give the name of a setting as it stands in the environment."""
    return field.upper()


def accepted(field: FieldInfo) -> str:
    """Say what a setting accepts."""
    return next((str(mark) for mark in field.metadata if isinstance(mark, setting.Accepts)), "a text")


def _read(env_file: Path | None, **instead: Any) -> Settings:
    arguments: dict[str, Any] = {"_env_file": env_file, "_env_file_encoding": "utf-8", **instead}
    return Settings(**arguments)


def _checked(settings: Settings, wrong: Container[str]) -> Settings:
    found = [text for fields, text in contradictions(settings) if not any(field in wrong for field in fields)]
    if found:
        raise ConfigError(found)
    return settings


def _words(fault: Any) -> str:
    name = str(fault["loc"][0])
    field = Settings.model_fields[name]
    secret = isinstance(field.default, SecretStr)
    value = "its value (not shown)" if secret else repr(str(fault["input"]))
    return f"{name_of(name)}: {value} is not accepted; it takes {accepted(field)}"
