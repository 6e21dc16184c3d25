"""Receivers behind TLS: who is trusted, and in which words others are refused."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest

from control_api.webhook.sender import WebhookSender
from tests.certificate import CertificateFiles, make_certificate, server_context

from .conftest import answers, receiver, send


@pytest.fixture
def files(tmp_path: Path) -> CertificateFiles:
    return make_certificate(tmp_path)


def home(_: str) -> Sequence[str]:
    return ["127.0.0.1"]


async def test_a_certificate_that_is_trusted(files: CertificateFiles) -> None:
    tls = ssl.create_default_context(cafile=str(files.certificate))
    async with (
        receiver(answers(200), server_context(files)) as found,
        WebhookSender(allow_private=True, lookup=home, tls=tls) as sender,
    ):
        for host in ("localhost", "127.0.0.1"):
            assert (await send(sender, found.url(host, "https"))).is_delivered


async def test_a_certificate_of_another_name(files: CertificateFiles) -> None:
    tls = ssl.create_default_context(cafile=str(files.certificate))
    async with (
        receiver(answers(200), server_context(files)) as found,
        WebhookSender(allow_private=True, lookup=home, tls=tls) as sender,
    ):
        outcome = await send(sender, found.url("hooks.example", "https"))
    assert not outcome.is_delivered
    assert str(outcome.error).startswith("its certificate is not trusted: Hostname mismatch")
    assert "hidden" not in str(outcome.error)
    assert found.got == []


async def test_a_certificate_that_nobody_vouches_for(files: CertificateFiles, sender: WebhookSender) -> None:
    async with receiver(answers(200), server_context(files)) as found:
        outcome = await send(sender, found.url(scheme="https"))
    assert not outcome.is_delivered
    assert str(outcome.error).startswith("its certificate is not trusted: self")
    assert found.got == []


async def test_tls_where_none_is_spoken(sender: WebhookSender) -> None:
    async with receiver(answers(200)) as found:
        outcome = await send(sender, found.url(scheme="https"))
    assert not outcome.is_delivered
    assert str(outcome.error).startswith("TLS failed: ")
    assert found.got == []


async def test_no_tls_where_it_is_spoken(files: CertificateFiles, sender: WebhookSender) -> None:
    async with receiver(answers(200), server_context(files)) as found:
        outcome = await send(sender, found.url())
    assert not outcome.is_delivered
    assert outcome.error
    assert found.got == []
