"""What this server shows in DTLS: a key, a certificate signed by itself, and the OpenSSL context with both."""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from OpenSSL.crypto import X509

from webrtc.sdp.description import Fingerprint
from webrtc.transport.srtp import PROFILES

_DTLS_1_2 = 0xFEFD
_LIFETIME = datetime.timedelta(days=3650)
"""Nobody looks at it, since the fingerprint is what counts; but a process may run for long."""
_CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:"
    b"ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA"
)
"""Of RFC 8827, 6.5, and their neighbours; only for an ECDSA key."""
_HASHES = {"sha-256": "sha256", "sha-384": "sha384", "sha-512": "sha512"}
"""By their names in a session description, as OpenSSL names them. Others are too weak (RFC 8122, 5)."""


class Certificate:
    """A certificate of this server with its key.

    Args:
        key: on the curve P-256: signatures are small and cheap.
        certificate: of that key.
    """

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self.fingerprint = Fingerprint(
            "sha-256", digest(X509.from_cryptography(certificate), "sha-256") or ""
        )
        """For the session description."""
        self.context = _make_context(key, certificate)
        """For all DTLS servers with this certificate."""

    @classmethod
    def generate(cls) -> Certificate:
        """Make a new key and a certificate for it."""
        return cls(*generate_pair())


def generate_pair() -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """Make a key and a certificate that it has signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "WebRTC")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + _LIFETIME)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def digest(certificate: X509, algorithm: str) -> str | None:
    """Hash a certificate as a session description does (RFC 8122, 5).

    It is hashed as it came: what is in a peer's certificate, and whether it can be read, does not matter.

    Returns:
        The hash; None for an algorithm that is not known.
    """
    known = _HASHES.get(algorithm.lower())
    return None if known is None else certificate.digest(known).decode()


def _make_context(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> SSL.Context:
    context = SSL.Context(SSL.DTLS_SERVER_METHOD)
    # All browsers speak 1.2, and `webrtc.transport.dtls` numbers its records.
    context.set_min_proto_version(_DTLS_1_2)
    context.set_max_proto_version(_DTLS_1_2)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_QUERY_MTU | SSL.OP_NO_RENEGOTIATION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    # The peer must show a certificate; whether it is the right one is known from its fingerprint afterwards.
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
    context.use_certificate(certificate)
    context.use_privatekey(key)
    context.set_cipher_list(_CIPHERS)
    # The server chooses: its first one that the peer has too.
    context.set_tlsext_use_srtp(b":".join(profile.name for profile in PROFILES))
    return context
