"""The certificate: what is refused in which words, and that a new one reaches new connections only."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from media.error import ConfigError
from mediaserver.certificate import Certificate, open_certificate
from mediaserver.config import Settings
from tests.certificate import CertificateFiles, encrypt_key, make_certificate


@pytest.fixture
def files(tmp_path: Path) -> CertificateFiles:
    return make_certificate(tmp_path)


def lose_certificate(files: CertificateFiles) -> None:
    files.certificate.unlink()


def lose_key(files: CertificateFiles) -> None:
    files.key.unlink()


def exchange(files: CertificateFiles) -> None:
    files.certificate.write_bytes(files.key.read_bytes())


def certificate_as_key(files: CertificateFiles) -> None:
    files.key.write_bytes(files.certificate.read_bytes())


def other_key(files: CertificateFiles) -> None:
    certificate = files.certificate.read_bytes()
    files.renew("other")
    files.certificate.write_bytes(certificate)


def cut(files: CertificateFiles) -> None:
    files.certificate.write_bytes(files.certificate.read_bytes()[:200])


DAMAGES: list[tuple[Callable[[CertificateFiles], None], str]] = [
    (lose_certificate, r"TLS_CERT_FILE: \S+cert.pem cannot be read: No such file or directory"),
    (lose_key, r"TLS_KEY_FILE: \S+key.pem cannot be read: No such file or directory"),
    (exchange, r"TLS_CERT_FILE: \S+cert.pem holds no certificate in PEM form"),
    (certificate_as_key, r"TLS_KEY_FILE: \S+key.pem holds no private key in PEM form"),
    (encrypt_key, r"TLS_KEY_FILE: \S+key.pem has a password; a server needs it without one"),
    (other_key, r"TLS_KEY_FILE: \S+key.pem does not belong to the certificate in \S+cert.pem"),
    (cut, r"TLS_CERT_FILE, TLS_KEY_FILE: \S+cert.pem and \S+key.pem cannot be used: "),
]


@pytest.mark.parametrize(("damage", "words"), DAMAGES, ids=[damage.__name__ for damage, _ in DAMAGES])
def test_what_cannot_be_used_is_refused_in_words(
    files: CertificateFiles, damage: Callable[[CertificateFiles], None], words: str
) -> None:
    damage(files)
    with pytest.raises(ConfigError, match=words):
        Certificate(files.certificate, files.key)


@pytest.mark.parametrize(("damage", "words"), DAMAGES, ids=[damage.__name__ for damage, _ in DAMAGES])
def test_bad_renewal_keeps_the_old_one_and_is_logged_once(
    files: CertificateFiles, damage: Callable[[CertificateFiles], None], words: str
) -> None:
    certificate = Certificate(files.certificate, files.key)
    before = certificate.current
    damage(files)
    with capture_logs() as logs:
        certificate.refresh()
        certificate.refresh()
    assert certificate.current is before
    assert [(entry["log_level"], entry["event"]) for entry in logs] == [
        ("warning", "new certificate cannot be used, the old one is kept")
    ]
    files.renew("whole again")
    certificate.refresh()
    assert certificate.current is not before


def test_files_that_go_while_they_are_read_are_refused_in_words(
    files: CertificateFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Path.read_bytes

    def read_and_lose(path: Path) -> bytes:
        data = read(path)
        path.unlink()
        return data

    monkeypatch.setattr(Path, "read_bytes", read_and_lose)
    with pytest.raises(ConfigError, match=r"cannot be read: No such file or directory"):
        Certificate(files.certificate, files.key)


def test_files_that_stay_are_not_read_again(files: CertificateFiles) -> None:
    certificate = Certificate(files.certificate, files.key)
    before = certificate.current
    with capture_logs() as logs:
        certificate.refresh()
    assert certificate.current is before
    assert logs == []


async def test_listening_server_shows_the_new_one_and_goes_on_with_the_old(files: CertificateFiles) -> None:
    certificate = Certificate(files.certificate, files.key)
    clients = [files.client_context()]

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(4))
        await reader.read()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=certificate.listening_context())
    port = server.sockets[0].getsockname()[1]
    async with server, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=clients[0])
        files.renew("second")
        certificate.refresh()
        clients.append(files.client_context())
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection("127.0.0.1", port, ssl=clients[0])
        _, second = await asyncio.open_connection("127.0.0.1", port, ssl=clients[1])
        writer.write(b"ping")
        assert await reader.readexactly(4) == b"ping"
        for each in (writer, second):
            each.close()
            await each.wait_closed()


async def changes(certificate: Certificate, before: ssl.SSLContext) -> None:
    for _ in range(1000):
        if certificate.current is not before:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the certificate was not read again")


async def test_signal_makes_it_look_at_once(files: CertificateFiles) -> None:
    certificate = Certificate(files.certificate, files.key)
    before = certificate.current
    async with certificate.watching():
        files.renew("second")
        os.kill(os.getpid(), signal.SIGHUP)
        await changes(certificate, before)


async def test_change_is_found_without_a_signal(
    files: CertificateFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediaserver.certificate.CHECK_S", 0.01)
    certificate = Certificate(files.certificate, files.key)
    before = certificate.current
    async with certificate.watching():
        files.renew("second")
        await changes(certificate, before)


def test_without_files_there_is_none() -> None:
    assert open_certificate(Settings()) is None
