"""Keys of streams and channels at rest: found by an HMAC, shown again to their owner from authenticated ciphertext.

Who reads the database without the server's secret learns no key and cannot test a guess.
"""

from __future__ import annotations

import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from media.error import ConfigError

NONCE_BYTES = 12
"""NIST SP 800-38D, 8.2: 96 bits; random ones are good for 2^32 keys."""


class KeyBox:
    """Digests, seals and opens keys.

    Args:
        secret: of the installation; the same on every node.
    """

    def __init__(self, secret: bytes) -> None:
        self._digest_key = _derive(secret, b"key digest")
        self._cipher = AESGCM(_derive(secret, b"key sealing"))

    def digest(self, key: str) -> bytes:
        """Turn a key, or anything that was sent as one, into the 32 bytes it is looked up by."""
        return hmac.digest(self._digest_key, key.encode(errors="surrogatepass"), hashlib.sha256)

    def seal(self, key: str, owner: str) -> bytes:
        """Encrypt a key so that it opens for `owner` (id of its stream or user) only."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, key.encode(), owner.encode())

    def open(self, sealed: bytes, owner: str) -> str:
        """Decrypt a key.

        Raises:
            ConfigError: it was sealed with another secret, or for somebody else.
        """
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], owner.encode()).decode()
        except InvalidTag:
            raise ConfigError(
                ["KEY_SECRET: the stored stream keys were sealed with another secret; restore it"]
            ) from None


def _derive(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), length=32, salt=None, info=b"mediaserver " + purpose).derive(secret)
