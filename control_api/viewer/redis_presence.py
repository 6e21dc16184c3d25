"""Viewers in Redis: who is present on which server, and until when if nothing more is heard.

Of each stream there are three keys. `present` is a sorted set of everybody who ever watched, by when they expire or
have left: who is present, and how many there were, are two of its counts. `held` says of viewers which servers hold
them, and with a socket or without. `meta` has the peak, and the version. Time is an argument everywhere.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from math import inf
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from control_api.viewer.audience import Figures
from control_api.viewer.presence import EXPIRY_S, QUIET_S
from control_api.viewer.shared import Act, Finding, Note, SharedFigures
from media.error import CapacityError

TIMEOUT_S = 0.5
"""Who joins waits for it once; then servers count by themselves until Redis answers again."""

KEPT_S = 24 * 3600
"""How long a stream's keys outlive what was last told of it."""

MAX_NOTES = 500
"""Notes in one call of the script, which nobody else's is served beside: a millisecond or two."""

SCRIPT = """
local present, held, meta = KEYS[1], KEYS[2], KEYS[3]
local now, node, kept = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local count = redis.call('ZCOUNT', present, '(' .. ARGV[1], '+inf')
local peak = math.max(tonumber(redis.call('HGET', meta, 'peak') or 0), count)
local found = {}
for i = 4, #ARGV, 4 do
    local act, key, till, quiet_till = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
    local before = tonumber(redis.call('ZSCORE', present, key) or nil)
    local was = before ~= nil and before > now
    local entries, top, top_till, quiet, is_let_go = {}, 0, '0', 0, '0'
    local known = redis.call('HGET', held, key)
    local function hold(who, what, at)
        entries[#entries + 1] = who .. ' ' .. what .. ' ' .. at
        if who ~= '-' and tonumber(at) > top then top, top_till = tonumber(at), at end
    end
    for who, what, at in string.gmatch(known or '', '(%S+) (%S+) (%S+)') do
        if who == '-' then
            quiet = tonumber(at)
        elseif who ~= node and tonumber(at) > now then
            if act == 'L' and what ~= 'O' then is_let_go = '1' else hold(who, what, at) end
        end
    end
    found[#found + 1] = is_let_go
    found[#found + 1] = top_till
    if act == 'L' then
        quiet = 0
        if top == 0 and before then hold('-', '-', quiet_till) end
    elseif act ~= 'K' and tonumber(till) > now then
        if not (act == 'S' and not was and quiet > tonumber(quiet_till)) then
            hold(node, act == 'O' and 'O' or 'S', till)
            quiet = 0
        end
    end
    -- What is told may be a little late.
    if quiet + 30 > now and top == 0 then hold('-', '-', string.format('%.17g', quiet)) end
    if #entries > 0 then
        redis.call('HSET', held, key, table.concat(entries, ' '))
    elseif known then
        redis.call('HDEL', held, key)
    end
    if top > now then
        redis.call('ZADD', present, top_till, key)
    elseif was or before == nil and act ~= 'L' then
        redis.call('ZADD', present, ARGV[1], key)
    end
    local is = top > now
    if is and not was then count = count + 1 elseif was and not is then count = count - 1 end
    peak = math.max(peak, count)
end
local version = math.max(tonumber(redis.call('HGET', meta, 'version') or 0) + 1, math.floor(now * 1000))
redis.call('HSET', meta, 'peak', peak, 'version', string.format('%.0f', version))
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, kept) end
local due = redis.call('ZRANGEBYSCORE', present, '(' .. ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
return {count, peak, redis.call('ZCARD', present), string.format('%.0f', version), due[2] or '', found}
"""


class RedisPresence:
    """Counts with other servers in Redis; see `control_api.viewer.shared.SharedPresence`.

    Args:
        redis: a client that gives text.
        node: names this server as long as it runs; without spaces.
    """

    def __init__(self, redis: Redis, node: str) -> None:
        self._redis = redis
        self._node = node
        self._digest = ""

    async def tell(self, notes: Mapping[str, Sequence[Note]], now: float) -> Mapping[str, SharedFigures]:
        """Tell what has happened, in its order, and hear how many watch by that.

        Raises:
            CapacityError: Redis does not answer.
        """
        calls = [(stream_id, part) for stream_id, some in notes.items() for part in _parts(some)]
        try:
            if not calls:
                await self._redis.ping()
                return {}
            answers = await self._call(calls, now)
        except (RedisError, OSError) as error:
            raise CapacityError(f"Redis does not count viewers: {type(error).__name__}.") from error
        found: dict[str, SharedFigures] = {}
        for (stream_id, _), answer in zip(calls, answers, strict=True):
            before = found[stream_id].findings if stream_id in found else ()
            found[stream_id] = _read(answer, before)
        return found

    async def _call(self, calls: Sequence[tuple[str, Sequence[Note]]], now: float) -> Sequence[Any]:
        try:
            return await self._execute(calls, now)
        except NoScriptError:
            self._digest = await self._redis.script_load(SCRIPT)
            return await self._execute(calls, now)

    async def _execute(self, calls: Sequence[tuple[str, Sequence[Note]]], now: float) -> Sequence[Any]:
        if not self._digest:
            self._digest = await self._redis.script_load(SCRIPT)
        async with self._redis.pipeline(transaction=False) as pipeline:
            for stream_id, some in calls:
                arguments = [repr(now), self._node, str(KEPT_S)]
                for note in some:
                    arguments += _arguments(note)
                pipeline.evalsha(self._digest, 3, *_keys(stream_id), *arguments)
            answers: Sequence[Any] = await pipeline.execute()
            return answers


@asynccontextmanager
async def redis_presence(url: str, node: str = "") -> AsyncIterator[RedisPresence]:
    """Connect when there is something to tell.

    Args:
        url: of Redis.
        node: names this server as long as it runs; made up where it is empty.
    """
    redis = Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        yield RedisPresence(redis, node or secrets.token_urlsafe(9))
    finally:
        await redis.aclose()


def _keys(stream_id: str) -> list[str]:
    return [f"mediaserver:viewers:{{{stream_id}}}:{name}" for name in ("present", "held", "meta")]


def _arguments(note: Note) -> list[str]:
    # Of a leave: until when what a player had asked for is no sign of life. Of such a sign: when it was.
    quiet = note.at + QUIET_S if note.act is Act.LEAVE else note.at
    return [note.act.value, note.key, repr(note.at + EXPIRY_S), repr(quiet)]


def _parts(notes: Sequence[Note]) -> list[Sequence[Note]]:
    return [notes[at : at + MAX_NOTES] for at in range(0, len(notes), MAX_NOTES)] or [()]


def _read(answer: Sequence[Any], before: Sequence[Finding]) -> SharedFigures:
    count, peak, unique, version, due, findings = answer
    return SharedFigures(
        figures=Figures(count, peak, unique),
        version=int(version),
        due_at=float(due) if due else inf,
        findings=[
            *before,
            *(
                Finding(is_let_go == "1", float(till))
                for is_let_go, till in zip(*[iter(findings)] * 2, strict=True)
            ),
        ],
    )
