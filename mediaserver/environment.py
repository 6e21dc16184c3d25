"""Reads the configuration from the environment and `.env`, and checks it as a whole before anything starts."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings.exceptions import SettingsError

from media.error import ConfigError
from mediaserver import setting
from mediaserver.config import Settings
from mediaserver.config_rule import contradictions

ENV_FILE = Path(".env")


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
