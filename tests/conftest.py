"""Fixtures of more than one room."""

from __future__ import annotations

from hypothesis import settings

from .database import any_postgres, database, postgres_18, system_postgres
from .redis_server import redis_cluster, redis_server

__all__ = ["any_postgres", "database", "postgres_18", "redis_cluster", "redis_server", "system_postgres"]

# A slow machine is no fault of the code: examples have no deadline of their own.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
