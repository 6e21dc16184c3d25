"""JSON Web Key Sets (RFC 7517): which public keys may verify which signatures."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from media.error import MediaServerError

ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"})
"""Signatures with public keys alone: a secret that is known to everybody who may verify is none."""
MAX_KEYS = 64
"""Keys of one set; those behind them are ignored."""
MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192
"""A signature of longer keys takes milliseconds to verify, during which nothing else happens."""

PublicKey: TypeAlias = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey

_TEXT_MEMBERS = ("kty", "kid", "alg", "use", "crv", "n", "e", "x", "y")


class KeySetError(MediaServerError):
    """This is no set of keys, or nothing in it can be used."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key and what it may verify."""

    kid: str | None
    key: PublicKey
    algorithms: frozenset[str]
    """Those of the key's type, or the one that the set names for it. Never what only a token says."""


class KeySet:
    """The keys of one issuer."""

    def __init__(self, keys: Iterable[VerificationKey]) -> None:
        self._keys = tuple(keys)

    def knows(self, kid: str) -> bool:
        """Tell whether a key has this name."""
        return any(key.kid == kid for key in self._keys)

    def find(self, kid: str | None, algorithm: str) -> VerificationKey | None:
        """Find the key for a signature.

        Args:
            kid: the key's name; None stands for the only key of the set that fits.
            algorithm: as the token names it.
        """
        fitting = [key for key in self._keys if algorithm in key.algorithms and kid in (None, key.kid)]
        if kid is None and len(fitting) > 1:
            return None
        return fitting[0] if fitting else None


def parse_key_set(data: bytes) -> KeySet:
    """Read a set; keys that are not for verifying, unknown, weak or broken are left out.

    Raises:
        KeySetError: nothing is left.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise KeySetError("it is not JSON") from None
    members = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(members, list):
        raise KeySetError("it is no set of keys")
    keys = [key for member in members[:MAX_KEYS] if (key := _verification_key(member)) is not None]
    if not keys:
        raise KeySetError("it holds no key that can be used")
    return KeySet(keys)


def _verification_key(member: Any) -> VerificationKey | None:
    if not isinstance(member, dict) or not _is_for_verifying(member):
        return None
    try:
        parsed = jwt.PyJWKSet([member]).keys[0]
    except (jwt.PyJWTError, UnsupportedAlgorithm, ValueError, TypeError, OverflowError):
        return None
    kinds = _algorithms(parsed.key)
    named = member.get("alg")
    allowed = kinds & {named} if named else kinds
    return VerificationKey(member.get("kid"), parsed.key, allowed) if allowed else None


def _is_for_verifying(member: dict[str, Any]) -> bool:
    if any(not isinstance(member.get(name, ""), str) for name in _TEXT_MEMBERS):
        return False
    operations = member.get("key_ops", ["verify"])
    return member.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations


def _algorithms(key: object) -> frozenset[str]:
    """Tell what a key can verify; nothing when it is weak, secret or private, which an issuer never publishes."""
    match key:
        case RSAPublicKey() if MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
            return frozenset({"RS256", "RS384", "RS512", "PS256"})
        case EllipticCurvePublicKey(curve=SECP256R1()):
            return frozenset({"ES256"})
        case EllipticCurvePublicKey(curve=SECP384R1()):
            return frozenset({"ES384"})
        case Ed25519PublicKey():
            return frozenset({"EdDSA"})
    return frozenset()
