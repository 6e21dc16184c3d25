"""Answers to requests that carried an `Idempotency-Key`, in PostgreSQL: the same request again gets the same answer."""

from __future__ import annotations

from dataclasses import dataclass

from control_api.key_box import KeyBox
from control_api.postgres.database import Database

STALE_S = 60.0
"""A request that has had no answer for so long has died with its server."""

CLAIM = (
    "INSERT INTO idempotency_keys (user_id, key, request_digest) VALUES ($1, $2, $3) "
    "ON CONFLICT (user_id, key) DO UPDATE SET created_at = now(), request_digest = $3 "
    "WHERE idempotency_keys.status IS NULL AND idempotency_keys.created_at < now() - make_interval(secs => $4)"
)
FIND = "SELECT request_digest, status, headers, body FROM idempotency_keys WHERE user_id = $1 AND key = $2"
KEEP = "UPDATE idempotency_keys SET status = $3, headers = $4, body = $5 WHERE user_id = $1 AND key = $2"
DROP = "DELETE FROM idempotency_keys WHERE user_id = $1 AND key = $2 AND status IS NULL"
FORGET = "DELETE FROM idempotency_keys WHERE created_at < now() - interval '1 day'"


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What a request was answered with."""

    request_digest: bytes
    status: int | None
    """None while the first request is under way."""
    headers: dict[str, str]
    body: str


class IdempotencyTable:
    """The table `idempotency_keys`.

    Args:
        database: where it is.
        box: seals bodies, which may hold stream keys.
    """

    def __init__(self, database: Database, box: KeyBox) -> None:
        self._database = database
        self._box = box

    async def claim(self, user_id: str, key: str, request_digest: bytes) -> KeptAnswer | None:
        """Begin a request, or find what became of the first one with this key; None: it is begun now."""
        if await self._database.execute(CLAIM, user_id, key, request_digest, STALE_S):
            return None
        row = await self._database.fetchrow(FIND, user_id, key)
        if row is None:  # it failed just now, and may be tried again
            return await self.claim(user_id, key, request_digest)
        body = "" if row["body"] is None else self._box.open(row["body"], f"{user_id} {key}")
        return KeptAnswer(row["request_digest"], row["status"], row["headers"] or {}, body)

    async def keep(self, user_id: str, key: str, status: int, headers: dict[str, str], body: str) -> None:
        """Keep the answer."""
        sealed = self._box.seal(body, f"{user_id} {key}")
        await self._database.execute(KEEP, user_id, key, status, headers, sealed)

    async def drop(self, user_id: str, key: str) -> None:
        """Let the request be made again: it has failed."""
        await self._database.execute(DROP, user_id, key)

    async def forget_old(self) -> None:
        """Delete answers of yesterday."""
        await self._database.execute(FORGET)
