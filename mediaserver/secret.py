"""The secret behind access tokens and playback addresses."""

from __future__ import annotations

from control_api.secret import load_or_create_secret
from mediaserver.config import Settings


def access_secret(settings: Settings) -> bytes:
    """Give the configured secret, else the one kept in DATA_DIR, which is made when there is none.

    Raises:
        ConfigError: DATA_DIR cannot be used.
    """
    return settings.jwt_secret.get_secret_value().encode() or load_or_create_secret(settings.data_dir)
