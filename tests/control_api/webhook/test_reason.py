"""Failures in words: short, on one line, and whatever the client may raise has some."""

from __future__ import annotations

import errno
import ssl

import aiohttp
import pytest

from control_api.webhook.reason import MAX_REASON, reason
from control_api.webhook.resolver import AddressRefusedError


def os_error(number: int) -> OSError:
    return OSError(number, "with an address: ('192.0.2.1', 80)")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (AddressRefusedError("the name leads to nothing"), "the name leads to nothing"),
        (TimeoutError(), "no answer within 2.5 s"),
        (aiohttp.ServerTimeoutError(), "no answer within 2.5 s"),
        (aiohttp.ServerDisconnectedError(), "closed the connection without an answer"),
        (
            aiohttp.ClientOSError(errno.ECONNRESET, "/?token=hidden"),
            "the connection was lost: Connection reset by peer",
        ),
        (os_error(errno.EPIPE), "the connection was lost: Broken pipe"),
        (ssl.SSLError(1, "bad"), "TLS failed: unknown reason"),
        (aiohttp.ClientPayloadError("http://a/?token=hidden"), "the connection was lost"),
        (aiohttp.InvalidURL("http://a/?token=hidden"), "the connection was lost"),
        (aiohttp.ClientConnectionError("Connector is closed"), "the connection was lost"),
    ],
)
def test_words(error: Exception, words: str) -> None:
    assert reason(error, 2.5) == words


def test_they_are_short_and_on_one_line() -> None:
    found = reason(AddressRefusedError("a\r\nb\x00\x1b[31m" + "c" * 1000), 1)
    assert found.startswith("a  b  [31mccc")
    assert found.endswith("c…")
    assert len(found) == MAX_REASON
