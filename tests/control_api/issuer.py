"""Somebody else who issues access tokens: keys, tokens and a web server with the key set."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ISSUER = "https://issuer.example"
AUDIENCE = "media"
Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey


@cache
def private_key(kind: str) -> Private:
    """Make the key of a name such as `rsa`, `rsa-other`, `p384`; the same name has the same key."""
    match kind.partition("-")[0]:
        case "rsa":
            return rsa.generate_private_key(65537, 1024 if kind == "rsa-weak" else 2048)
        case "ed":
            return Ed25519PrivateKey.generate()
        case curve:
            curves = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}
            return ec.generate_private_key(curves[curve])


def jwk(kind: str, kid: str | None = None, **members: object) -> dict[str, Any]:
    """Write the public half of a key; its kid is its kind unless it is named otherwise."""
    return {**_members(private_key(kind).public_key()), "kid": kid or kind, **members}


def private_jwk(kind: str) -> dict[str, Any]:
    """Write both halves, as no issuer should."""
    return {**_members(private_key(kind)), "kid": kind}


def pem(kind: str) -> bytes:
    return private_key(kind).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def sign(
    kind: str = "rsa", algorithm: str = "RS256", kid: str | None = "", headers: Any = None, **claims: Any
) -> str:
    """Sign a token of alice; `exp`, `nbf` and `iat` count from now, a claim of None is left out."""
    now = time.time()
    kept: dict[str, Any] = {"sub": "alice", "iss": ISSUER, "aud": AUDIENCE, "exp": 3600, **claims}
    kept = {name: value for name, value in kept.items() if value is not None}
    kept.update({name: now + kept[name] for name in ("exp", "nbf", "iat") if name in kept})
    named = {} if kid is None else {"kid": kid or kind}
    return jwt.encode(kept, private_key(kind), algorithm=algorithm, headers={**named, **(headers or {})})


class Issuer:
    """Serves a key set, or whatever else it is told, and counts how often."""

    def __init__(self) -> None:
        self.body = b""
        self.status = 200
        self.headers: Mapping[str, str] = {}
        self.fetches = 0
        self.arrived = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    def publish(self, *keys: object) -> None:
        self.body = json.dumps({"keys": keys}).encode()

    async def handle(self, _: web.Request) -> web.Response:
        self.fetches += 1
        self.arrived.set()
        await self.gate.wait()
        response = web.Response(body=self.body, status=self.status, headers=self.headers)
        if "Content-Encoding" not in self.headers:
            response.enable_compression()  # for whoever takes it
        return response


def _members(key: Any) -> dict[str, Any]:
    if isinstance(key, rsa.RSAPublicKey | rsa.RSAPrivateKey):
        return RSAAlgorithm.to_jwk(key, as_dict=True)
    if isinstance(key, ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey):
        return ECAlgorithm.to_jwk(key, as_dict=True)
    return OKPAlgorithm.to_jwk(key, as_dict=True)
