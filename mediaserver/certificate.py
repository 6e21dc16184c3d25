"""The server's TLS certificate: read from its files, and read again when they change, without dropping anyone."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from media.ending import end_task
from media.error import ConfigError, os_reason
from mediaserver.config import Settings

CHECK_S = 5.0
"""How often the files are looked at: two `stat` calls, and a renewal may well take that long to be seen."""

log = structlog.get_logger(__name__)


class Certificate:
    """A certificate with its key. Handshakes see the current one; connections that exist go on with theirs.

    Args:
        cert_file: PEM, the server's own certificate first, then those that lead to the root.
        key_file: PEM, without a password.

    Raises:
        ConfigError: they cannot be used.
    """

    def __init__(self, cert_file: Path, key_file: Path) -> None:
        self._files = (cert_file, key_file)
        self._stamp = self._take_stamp()
        self.current = load_context(cert_file, key_file)
        """For servers that ask for each connection."""

    def listening_context(self) -> ssl.SSLContext:
        """Make a context for a server that takes one for good; each handshake changes to the current one."""
        context = load_context(*self._files)

        def change(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
            connection.context = self.current

        context.sni_callback = change
        return context

    def refresh(self) -> None:
        """Read the files again if they have changed; what cannot be used is told in the log, once."""
        stamp = self._take_stamp()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self.current = load_context(*self._files)
        except ConfigError as error:
            log.warning(
                "new certificate cannot be used, the old one is kept", reason="; ".join(error.problems)
            )
        else:
            log.info("new certificate", file=str(self._files[0]))

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Refresh every few seconds, and at once on SIGHUP."""
        loop, nudge = asyncio.get_running_loop(), asyncio.Event()
        loop.add_signal_handler(signal.SIGHUP, nudge.set)
        task = asyncio.create_task(self._watch(nudge))
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGHUP)
            await end_task(task)

    async def _watch(self, nudge: asyncio.Event) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHECK_S):
                    await nudge.wait()
            nudge.clear()
            await asyncio.to_thread(self.refresh)

    def _take_stamp(self) -> tuple[tuple[int, ...], ...]:
        return tuple(_stamp(path) for path in self._files)


def open_certificate(settings: Settings) -> Certificate | None:
    """Read the certificate of the configuration, None when there is none.

    Raises:
        ConfigError: it cannot be used.
    """
    if settings.tls_cert_file is None or settings.tls_key_file is None:
        return None
    return Certificate(settings.tls_cert_file, settings.tls_key_file)


def load_context(cert_file: Path, key_file: Path) -> ssl.SSLContext:
    """Make a server's context: TLS 1.2 or newer.

    Raises:
        ConfigError: the files cannot be used.
    """
    certificate = _read("TLS_CERT_FILE", cert_file)
    key = _read("TLS_KEY_FILE", key_file)
    if b"BEGIN CERTIFICATE" not in certificate:
        raise ConfigError([f"TLS_CERT_FILE: {cert_file} holds no certificate in PEM form"])
    if b"PRIVATE KEY" not in key:
        raise ConfigError([f"TLS_KEY_FILE: {key_file} holds no private key in PEM form"])
    if b"ENCRYPTED" in key:
        raise ConfigError([f"TLS_KEY_FILE: {key_file} has a password; a server needs it without one"])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A client could make the server work again and again at the cost of a few bytes.
    context.options |= ssl.OP_NO_RENEGOTIATION
    try:
        context.load_cert_chain(cert_file, key_file, password=lambda: "")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            problem = f"TLS_KEY_FILE: {key_file} does not belong to the certificate in {cert_file}"
        else:
            problem = (
                f"TLS_CERT_FILE, TLS_KEY_FILE: {cert_file} and {key_file} cannot be used: {error.reason}"
            )
        raise ConfigError([problem]) from error
    except OSError as error:  # one of them was replaced while they were read
        words = f"{cert_file} and {key_file} cannot be read: {os_reason(error)}"
        raise ConfigError([f"TLS_CERT_FILE, TLS_KEY_FILE: {words}"]) from error
    return context


def _read(name: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError([f"{name}: {path} cannot be read: {os_reason(error)}"]) from error


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        facts = path.stat()
    except OSError:
        return ()
    return (facts.st_mtime_ns, facts.st_size, facts.st_ino)
