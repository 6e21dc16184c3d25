"""Rules that join several settings, and settings that this version does not honour yet."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import SecretStr

from mediaserver.config import Settings

UNSUPPORTED: dict[str, str] = {
    "database_url": "streams are kept under DATA_DIR",
    "redis_url": "this server runs alone",
    "media_service_grpc_url": "recordings are not made",
    "social_graph_grpc_url": "followers are kept under DATA_DIR",
    "storage_url": "recordings are not made",
    "jwt_jwks_url": "access tokens are signed with JWT_SECRET or a secret made in DATA_DIR",
    "rtmps_port": "RTMP is served without TLS; put a TLS proxy in front",
    "tls_cert_file": "HTTP is served without TLS; put a TLS proxy in front",
    "tls_key_file": "HTTP is served without TLS; put a TLS proxy in front",
}
"""What would change where data goes or who is let in: to ignore it would be dangerous."""

WITHOUT_EFFECT = (
    "enable_recording",
    "dvr_window_s",
    "vod_ladder",
    "edge_workers",
    "webrtc_udp_port",
    "webrtc_workers",
    "webrtc_public_ips",
)
"""What only asks for more than there is: the start says so and goes on."""

SHORT_SECRET = 32
"""Bytes (RFC 7518, 3.2)."""


def contradictions(settings: Settings) -> Iterator[tuple[tuple[str, ...], str]]:
    """List what cannot be, as (settings concerned, sentence)."""
    for name, instead in UNSUPPORTED.items():
        if _is_set(settings, name):
            yield (name,), f"{name.upper()} is not supported by this version, leave it empty; {instead}"
    if settings.part_s >= settings.segment_s:
        limit = f"less than SEGMENT_S ({settings.segment_s:g})"
        yield ("part_s", "segment_s"), f"PART_S: '{settings.part_s:g}' is not accepted; it takes {limit}"
    if settings.segment_s > settings.target_duration_s:
        limit = f"at most TARGET_DURATION_S ({settings.target_duration_s})"
        yield (
            ("segment_s", "target_duration_s"),
            f"SEGMENT_S: '{settings.segment_s:g}' is not accepted; it takes {limit}",
        )
    if settings.port == settings.rtmp_port != 0 and _same_host(settings.host, settings.rtmp_host):
        yield ("port", "rtmp_port"), f"RTMP_PORT: '{settings.rtmp_port}' is not accepted; PORT has it already"


def remarks(settings: Settings) -> list[str]:
    """List what works, yet not as somebody may expect."""
    fields = type(settings).model_fields
    found = [
        f"{name.upper()} has no effect in this version"
        for name in WITHOUT_EFFECT
        if getattr(settings, name) != fields[name].default
    ]
    if 0 < len(settings.jwt_secret.get_secret_value().encode()) < SHORT_SECRET:
        found.append(f"JWT_SECRET is shorter than {SHORT_SECRET} bytes; who has seen a token may guess it")
    return found


def _is_set(settings: Settings, name: str) -> bool:
    value = getattr(settings, name)
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    is_default = (name == "storage_url" and text.startswith("file:")) or (
        name == "rtmps_port" and text in ("0", "off")
    )
    return bool(text) and not is_default


def _same_host(one: str, other: str) -> bool:
    return one == other or bool({one, other} & {"0.0.0.0", "::"})  # noqa: S104 compared, not bound
