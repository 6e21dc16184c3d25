"""Which stream an encoder publishes to, by the key that it shows."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NoReturn

from control_api.key import CHANNEL_PREFIX
from control_api.stream.record import Status, Stream
from control_api.stream.store import Store, StreamStore
from media.error import StreamError

APP = "live"
"""The RTMP application that encoders connect to."""

EARLY = timedelta(minutes=30)
"""A channel key opens a scheduled stream so long before its time."""

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
    if stream_key.startswith(CHANNEL_PREFIX):
        user_id = await store.user_by_channel_key(stream_key)
        stream = None if user_id is None else await _choose(store, user_id, now)
    else:
        stream = await store.get_by_key(stream_key)
    if stream is None:
        _refuse("unknown_key", "This stream key is not known. Copy it again from your stream's page.")
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


async def _choose(store: StreamStore, user_id: str, now: datetime) -> Stream:
    stream = await store.publishable(user_id, now + EARLY)
    if stream is None:
        _refuse("no_stream", "You have no stream to publish to. Create one, then connect again.")
    return stream


def _refuse(code: str, detail: str) -> NoReturn:
    raise StreamError(code, detail)
