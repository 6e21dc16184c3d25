"""Which stream an encoder publishes to, by the key that it shows."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NoReturn

from control_api.store import Store, StreamQuery
from control_api.stream import Identity, Status, Stream
from media.error import StreamError

APP = "live"
"""The RTMP application that encoders connect to."""

EARLY = timedelta(minutes=30)
"""A channel key opens a scheduled stream so long before its time."""

MAX_STREAMS = 1000
"""How many streams of one user are looked through for a channel key."""

_OVER = {
    Status.ENDED: ("already_ended", "This stream has ended. Create a new stream and use its key."),
    Status.CANCELLED: ("cancelled", "This stream was cancelled. Create a new stream and use its key."),
}


async def admit(store: Store, app: str, stream_key: str, now: datetime) -> Stream:
    """Find the stream that a key opens.

    A stream's own key opens that stream. A channel key opens the user's live stream, else the latest created
    one, else one scheduled within 30 minutes. Programs that ask for an address and a key may be given
    `rtmp_url` as the address and so send the key twice (`/live/KEY/KEY`); that is understood.

    Args:
        store: keeps streams and keys.
        app: RTMP application name.
        stream_key: as sent, without a query.
        now: aware time.

    Raises:
        StreamError: `unknown_app`, `unknown_key`, `already_ended`, `cancelled`, `no_stream`, with a sentence
            for the person at the encoder.
    """
    _check_app(app, stream_key)
    stream = await store.get_by_key(stream_key)
    if stream is None:
        user_id = await store.user_by_channel_key(stream_key)
        if user_id is None:
            _refuse("unknown_key", "This stream key is not known. Copy it again from your stream's page.")
        stream = await _choose(store, user_id, now)
    if stream.status in _OVER:
        code, detail = _OVER[stream.status]
        raise StreamError(code, detail, stream.id)
    return stream


def _check_app(app: str, stream_key: str) -> None:
    name = app.strip("/")
    if not stream_key:
        _refuse("unknown_key", "No stream key was sent. Publish to rtmp://HOST/live/STREAM_KEY.")
    if name not in (APP, f"{APP}/{stream_key}"):
        _refuse("unknown_app", "There is no such application. Publish to rtmp://HOST/live/STREAM_KEY.")


async def _choose(store: Store, user_id: str, now: datetime) -> Stream:
    everything = Identity("", is_admin=True)
    streams = await store.find(StreamQuery(viewer=everything, user_id=user_id, limit=MAX_STREAMS))
    for status in (Status.LIVE, Status.CREATED):
        for stream in streams:
            if stream.status is status:
                return stream
    soon = [
        s
        for s in streams
        if s.status is Status.SCHEDULED and s.scheduled_at and s.scheduled_at <= now + EARLY
    ]
    if not soon:
        _refuse("no_stream", "You have no stream to publish to. Create one, then connect again.")
    return max(soon, key=lambda stream: stream.scheduled_at or now)


def _refuse(code: str, detail: str) -> NoReturn:
    raise StreamError(code, detail)
