"""Access tokens, the secret behind them, and playback tokens."""

from __future__ import annotations

import subprocess
import sys
import time
from base64 import b64encode
from pathlib import Path

import jwt
import pytest

from control_api.secret import load_or_create_secret
from control_api.stream.playback import TTL_S, PlaybackSigner
from control_api.stream.record import Identity
from control_api.token.access import TokenError, TokenSigner, is_user_id
from media.error import ConfigError, StreamError

SECRET = b"s" * 32
SIGNER = TokenSigner(SECRET, "https://issuer.example", "media")


@pytest.mark.parametrize(("user_id", "admin"), [("alice", False), ("é" * 128, True), ("a b/c", False)])
async def test_round_trip(user_id: str, admin: bool) -> None:
    assert await SIGNER.verify(SIGNER.issue(user_id, admin=admin)) == Identity(user_id, admin)


@pytest.mark.parametrize(
    ("scope", "admin"),
    [
        ("admin", True),
        ("read admin", True),
        (["admin"], True),
        ("administrator", False),
        (None, False),
        (7, False),
    ],
)
async def test_scopes(scope: object, admin: bool) -> None:
    claims = {"sub": "a", "iss": "https://issuer.example", "aud": ["media", "chat"], "scope": scope}
    assert await SIGNER.verify(jwt.encode(claims, SECRET)) == Identity("a", admin)


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (SIGNER.issue("a", ttl_s=60, now=time.time() - 100), "has expired"),
        (TokenSigner(SECRET, "https://other.example", "media").issue("a"), "another issuer"),
        (TokenSigner(SECRET, "https://issuer.example", "chat").issue("a"), "another service"),
        (TokenSigner(SECRET).issue("a"), "not valid"),
        (TokenSigner(b"t" * 32, "https://issuer.example", "media").issue("a"), "not valid"),
        (SIGNER.issue("a")[:-2], "not valid"),
        ("", "not valid"),
        ("a.b.c", "not valid"),
        ("\ud800", "not valid"),
        (f"{b64encode(b'[' * 5000).decode()}.e30.e30", "not valid"),
    ],
)
async def test_refusals(token: str, words: str) -> None:
    with pytest.raises(TokenError, match=words):
        await SIGNER.verify(token)


@pytest.mark.parametrize(
    ("claim", "name"),
    [("Eve Adams", "Eve Adams"), (" Eve\u202e\n", "Eve"), ("e" * 128, "e" * 128), ("e" * 129, ""), ("", ""),
     (None, ""), (7, ""), ({"given": "Eve"}, ""), ("\u200b", "")],
)  # fmt: skip
async def test_names(claim: object, name: str) -> None:
    token = jwt.encode({"sub": "a", "name": claim}, SECRET)
    assert (await TokenSigner(SECRET).verify(token)).name == name


async def test_clocks_may_differ_a_little() -> None:
    assert await SIGNER.verify(SIGNER.issue("a", ttl_s=60, now=time.time() - 65)) == Identity("a")


async def test_a_signer_without_audience_takes_any() -> None:
    assert await TokenSigner(SECRET).verify(SIGNER.issue("a")) == Identity("a")


async def test_a_short_secret_works_without_noise() -> None:
    signer = TokenSigner(b"short")
    assert await signer.verify(signer.issue("a")) == Identity("a")


@pytest.mark.parametrize("user_id", ["", "a" * 129, "a\0", "\x7f", "\ud800", 7, None])
def test_what_no_user_id_can_be(user_id: object) -> None:
    assert not is_user_id(user_id)
    with pytest.raises(TokenError):
        SIGNER.issue(user_id)  # type: ignore[arg-type]  # that is the point


def test_all_processes_find_the_same_secret(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from control_api.secret import load_or_create_secret;"
        "sys.stdout.buffer.write(load_or_create_secret(Path(sys.argv[1])))"
    )
    folder = tmp_path / "not" / "there"
    command = [sys.executable, "-c", program, str(folder)]
    racers = [
        subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) for _ in range(4)
    ]
    secrets = {racer.communicate()[0] for racer in racers}
    assert secrets == {load_or_create_secret(folder)}
    assert (folder / "jwt_secret").stat().st_mode & 0o777 == 0o600


def test_a_damaged_secret_is_refused(tmp_path: Path) -> None:
    (tmp_path / "jwt_secret").write_bytes(b"abc\n")
    with pytest.raises(ConfigError, match="is damaged"):
        load_or_create_secret(tmp_path)
    with pytest.raises(ConfigError, match="cannot be used"):
        load_or_create_secret(tmp_path / "jwt_secret")


def test_playback_tokens() -> None:
    signer = PlaybackSigner(SECRET)
    token = signer.issue("stream", "salt", "viewer é", 1000)
    assert signer.verify("stream", "salt", token, 1000 + TTL_S - 1) == "viewer é"
    other = PlaybackSigner(b"o" * 32).issue("stream", "salt", "viewer", 1000)
    cases = [
        ("stream", "salt", token, 1000 + TTL_S),
        ("another", "salt", token, 1000),
        ("stream", "pepper", token, 1000),
        ("stream", "salt", other, 1000),
    ]
    cases += [
        ("stream", "salt", bad, 1000)
        for bad in ("", ".", "a.b", token[:-1], token + "é", "a" * 5000, "." * 100)
    ]
    for stream_id, salt, bad, now in cases:
        with pytest.raises(StreamError) as caught:
            signer.verify(stream_id, salt, bad, now)
        assert caught.value.code == "not_found"


@pytest.mark.parametrize("viewer_id", ["viewer", "admin", '","admin"'])
def test_an_admins_playback_token_says_so_and_no_other(viewer_id: str) -> None:
    signer = PlaybackSigner(SECRET)
    for is_admin in (True, False):
        token = signer.issue("stream", "salt", viewer_id, 1000, is_admin=is_admin)
        assert signer.holder("stream", "salt", token, 1000) == (viewer_id, is_admin)


def test_an_access_token_is_no_playback_token() -> None:
    with pytest.raises(StreamError):
        PlaybackSigner(SECRET).verify("stream", "salt", TokenSigner(SECRET).issue("a"), 0)
