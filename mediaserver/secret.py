"""The secrets behind access tokens, playback addresses and stored stream keys."""

from __future__ import annotations

from control_api.secret import KEYS, load_or_create_secret
from mediaserver.config import Settings


def access_secret(settings: Settings) -> bytes:
    """Give the configured secret, else the one kept in DATA_DIR, which is made when there is none.

    Raises:
        ConfigError: DATA_DIR cannot be used.
    """
    return settings.jwt_secret.get_secret_value().encode() or load_or_create_secret(settings.data_dir)


def key_secret(settings: Settings) -> bytes:
    """Give the secret that stored stream keys are sealed with: the configured one, else the one kept in DATA_DIR.

    Raises:
        ConfigError: DATA_DIR cannot be used.
    """
    configured = settings.key_secret.get_secret_value().encode()
    return configured or load_or_create_secret(settings.data_dir, KEYS)
