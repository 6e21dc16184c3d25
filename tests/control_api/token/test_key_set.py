"""Which keys of a key set verify what."""

from __future__ import annotations

import json

import pytest

from control_api.token.key_set import ALGORITHMS, MAX_KEYS, KeySetError, parse_key_set
from tests.control_api.issuer import jwk, private_jwk

RSA = {"RS256", "RS384", "RS512", "PS256"}


def usable(*keys: object) -> set[str]:
    """Tell what the key `k` of a set verifies. An Ed25519 key is there as well, so that the set is never empty."""
    keys = (*keys, jwk("ed", "other"))
    found = parse_key_set(json.dumps({"keys": keys}).encode())
    return {algorithm for algorithm in [*ALGORITHMS, "HS256", "none"] if found.find("k", algorithm)}


@pytest.mark.parametrize(
    ("key", "algorithms"),
    [
        (jwk("rsa", "k"), RSA),
        (jwk("rsa", "k", alg="PS256", use="sig", key_ops=["verify"]), {"PS256"}),
        (jwk("p256", "k"), {"ES256"}),
        (jwk("p384", "k"), {"ES384"}),
        (jwk("ed", "k"), {"EdDSA"}),
        (jwk("ed", "k", alg="EdDSA"), {"EdDSA"}),
    ],
)
def test_a_key_verifies_what_its_type_is_for(key: object, algorithms: set[str]) -> None:
    assert usable(key) == algorithms


@pytest.mark.parametrize(
    "key",
    [
        jwk("p521", "k"),
        jwk("rsa-weak", "k"),
        jwk("rsa", "k", use="enc"),
        jwk("rsa", "k", use=None),
        jwk("rsa", "k", key_ops=["encrypt"]),
        jwk("rsa", "k", key_ops="verify"),
        jwk("rsa", "k", alg="RSA-OAEP"),
        jwk("rsa", "k", alg="PS512"),
        jwk("rsa", "k", alg="HS256"),
        jwk("rsa", "k", alg=["RS256"]),
        jwk("p256", "k", alg="RS256"),
        jwk("p256", "k", alg="ES384"),
        jwk("p256", "k", x="AAAA"),
        jwk("rsa", "k", n="%"),
        jwk("rsa", "k", e="AA"),
        jwk("rsa", "k", n=7),
        jwk("ed", "k", x=""),
        {"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "kid": "k"},
        {"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "kid": "k", "alg": "RS256"},
        {**private_jwk("rsa"), "kid": "k"},
        {**private_jwk("p256"), "kid": "k"},
        {**private_jwk("ed"), "kid": "k"},
        {"kid": "k"},
        {"kty": "RSA", "kid": "k"},
        {"kty": ["RSA"], "kid": "k"},
        None,
        7,
        [],
    ],
)
def test_keys_that_are_left_out(key: object) -> None:
    assert usable(key) == set()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"<html>", "not JSON"),
        (b"[]", "no set"),
        (b"7", "no set"),
        (b"{}", "no set"),
        (b'{"keys": {}}', "no set"),
        (b'{"keys": []}', "no key"),
        (b'{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}', "no key"),
    ],
)
def test_what_is_no_key_set(data: bytes, words: str) -> None:
    with pytest.raises(KeySetError, match=words):
        parse_key_set(data)


def test_a_key_without_a_name_is_found_when_it_is_the_only_one_that_fits() -> None:
    two = parse_key_set(json.dumps({"keys": [jwk("rsa"), jwk("p256")]}).encode())
    assert two.find(None, "RS256") == two.find("rsa", "RS256") is not None
    assert two.find(None, "EdDSA") is None
    three = parse_key_set(json.dumps({"keys": [jwk("rsa"), jwk("rsa-other"), jwk("p256")]}).encode())
    assert three.find(None, "RS256") is None
    assert three.find("rsa", "ES256") is None
    assert three.knows("rsa")
    assert not three.knows("")


def test_keys_are_bounded() -> None:
    keys = [jwk("ed", str(number)) for number in range(MAX_KEYS + 1)]
    found = parse_key_set(json.dumps({"keys": keys}).encode())
    assert found.knows(str(MAX_KEYS - 1))
    assert not found.knows(str(MAX_KEYS))
