"""Access tokens: JSON Web Tokens (RFC 7519), those signed with a secret that only this server's owner knows.

Tokens of another issuer: `control_api.token.jwks`.
"""

from __future__ import annotations

import time
import warnings
from typing import TYPE_CHECKING, Any, Protocol

import jwt

from control_api.chat.text import clean_name
from control_api.stream.record import Identity
from media.error import MediaServerError

if TYPE_CHECKING:
    from control_api.token.key_set import PublicKey

ALGORITHM = "HS256"
LEEWAY_S = 10
"""How far the clock of whoever issues tokens may be off."""
MAX_USER_ID = 128
ADMIN_SCOPE = "admin"


class TokenError(MediaServerError):
    """A token proves nothing. The text says why, without the token."""


class TokenVerifier(Protocol):
    """Knows whom an access token speaks for."""

    async def verify(self, token: str) -> Identity:
        """Find out whom a token speaks for.

        Raises:
            TokenError: the token is malformed, forged, expired, not yet good or meant for somebody else.
            media.error.CapacityError: that cannot be known at the moment.
        """
        ...


class TokenSigner:
    """Issues access tokens, and verifies them: a `TokenVerifier`.

    Args:
        secret: signs and verifies.
        issuer: `iss` that a token must have; empty for any.
        audience: `aud` that a token must hold; empty for any.
    """

    def __init__(self, secret: bytes, issuer: str = "", audience: str = "") -> None:
        self._secret = secret
        self._issuer = issuer
        self._audience = audience

    def issue(
        self, user_id: str, *, admin: bool = False, ttl_s: float = 3600, now: float | None = None
    ) -> str:
        """Sign a token for a user.

        Args:
            user_id: becomes `sub`.
            admin: whether `scope` holds `admin`.
            ttl_s: how long the token is good.
            now: Unix time; the clock's when None.

        Raises:
            TokenError: no such user id can be.
        """
        if not is_user_id(user_id):
            raise TokenError(f"a user id is 1 to {MAX_USER_ID} characters without control characters")
        issued_at = time.time() if now is None else now
        claims: dict[str, Any] = {"sub": user_id, "iat": int(issued_at), "exp": int(issued_at + ttl_s)}
        optional = {"iss": self._issuer, "aud": self._audience, "scope": ADMIN_SCOPE if admin else None}
        claims.update({name: value for name, value in optional.items() if value})
        with _short_secrets_allowed():
            return jwt.encode(claims, self._secret, algorithm=ALGORITHM)

    async def verify(self, token: str) -> Identity:
        """Find out whom a token speaks for.

        Raises:
            TokenError: the token is malformed, forged, expired, not yet good or meant for somebody else.
        """
        return read_token(token, self._secret, ALGORITHM, issuer=self._issuer, audience=self._audience)


def read_token(
    token: str,
    key: bytes | PublicKey,
    algorithm: str,
    *,
    issuer: str = "",
    audience: str = "",
    needs_expiry: bool = False,
) -> Identity:
    """Verify a token with a key.

    Args:
        token: as it came.
        key: the one that has to have signed it.
        algorithm: of the signature: one that suits the key, whatever the token says.
        issuer: `iss` that it must have; empty for any.
        audience: `aud` that it must hold; empty for any.
        needs_expiry: whether it must have `exp`.

    Raises:
        TokenError: the token is malformed, forged, expired, not yet good or meant for somebody else.
    """
    try:
        with _short_secrets_allowed():
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                issuer=issuer or None,
                audience=audience or None,
                leeway=LEEWAY_S,
                options={
                    "require": ["sub", "exp"] if needs_expiry else ["sub"],
                    "verify_aud": bool(audience),
                },
            )
    except (jwt.InvalidTokenError, ValueError, OverflowError, RecursionError) as error:
        raise TokenError(_reason(error)) from None
    user_id = claims["sub"]
    if not is_user_id(user_id):
        raise TokenError("The access token names no user.")
    is_admin = ADMIN_SCOPE in _scopes(claims.get("scope"))
    expires_at = claims.get("exp")
    return Identity(
        user_id,
        is_admin,
        clean_name(claims.get("name")),
        None if expires_at is None else float(expires_at) + LEEWAY_S,
    )


def is_user_id(value: object) -> bool:
    """Tell whether this can be a user id: 1 to 128 characters without control characters and surrogates."""
    return (
        isinstance(value, str)
        and 1 <= len(value) <= MAX_USER_ID
        and not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000 for c in value)
    )


def _scopes(claim: object) -> list[object]:
    """Read `scope`: words in a string (RFC 8693, 4.2), or a list as some issuers send it."""
    if isinstance(claim, str):
        return [*claim.split()]
    return claim if isinstance(claim, list) else []


def _reason(error: Exception) -> str:
    known: dict[type[Exception], str] = {
        jwt.ExpiredSignatureError: "The access token has expired.",
        jwt.ImmatureSignatureError: "The access token is not valid yet.",
        jwt.InvalidIssuerError: "The access token comes from another issuer.",
        jwt.InvalidAudienceError: "The access token is meant for another service.",
    }
    return known.get(type(error), "The access token is not valid.")


def _short_secrets_allowed() -> warnings.catch_warnings[None]:
    """Keep PyJWT quiet about short secrets: the start of the server has said it once."""
    return warnings.catch_warnings(action="ignore", category=jwt.InsecureKeyLengthWarning)
