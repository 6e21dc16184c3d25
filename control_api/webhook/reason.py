"""Why a request failed, in words for the webhook's owner: without the address, which may hold a secret."""

from __future__ import annotations

import ssl

import aiohttp

from media.error import MediaServerError, os_reason

MAX_REASON = 200
"""Characters: parts of it come from the other side."""


def reason(error: Exception, timeout_s: float) -> str:
    """Say why a request failed.

    Args:
        error: what the client raised.
        timeout_s: how long it waited at most.
    """
    words = "".join(c if c.isprintable() else " " for c in _words(error, timeout_s))
    return words if len(words) <= MAX_REASON else words[: MAX_REASON - 1] + "…"


def _words(error: Exception, timeout_s: float) -> str:
    match error:
        case MediaServerError():
            return str(error)
        case TimeoutError():
            return f"no answer within {timeout_s:g} s"
        case aiohttp.ClientConnectorCertificateError():
            return f"its certificate is not trusted: {_certificate_words(error.certificate_error)}"
        case aiohttp.ClientSSLError(os_error=cause) | (ssl.SSLError() as cause):
            return f"TLS failed: {_tls_words(cause)}"
        case aiohttp.ClientConnectorDNSError():
            return f"the host's name cannot be resolved: {os_reason(error.os_error)}"
        case aiohttp.ClientConnectorError():
            return f"cannot be reached: {os_reason(error.os_error)}"
        case aiohttp.ServerDisconnectedError():
            return "closed the connection without an answer"
        case aiohttp.ClientResponseError():
            return "what it answered is not HTTP"
        case OSError():
            return f"the connection was lost: {os_reason(error)}"
        case _:
            return "the connection was lost"


def _certificate_words(error: Exception) -> str:
    return (
        error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else "it cannot be verified"
    )


def _tls_words(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):  # its number is not the system's
        return (getattr(error, "reason", None) or "unknown reason").replace("_", " ").lower()
    return os_reason(error)
