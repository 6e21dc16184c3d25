"""Rules that join several settings, and settings that this version does not honour yet."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import SecretStr

from mediaserver.config import Settings

UNSUPPORTED: dict[str, str] = {
    "media_service_grpc_url": "recordings are not made",
    "storage_url": "recordings are not made",
}
"""What would change where data goes or who is let in: to ignore it would be dangerous."""

WITHOUT_EFFECT = ("enable_recording", "vod_ladder", "edge_workers")
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
    yield from _port_contradictions(settings)
    yield from _tls_contradictions(settings)
    yield from _webrtc_contradictions(settings)


def _port_contradictions(settings: Settings) -> Iterator[tuple[tuple[str, ...], str]]:
    http = settings.port if _same_host(settings.host, settings.rtmp_host) else 0
    taken = {http: "port"}
    for name, port in (("rtmp_port", settings.rtmp_port), ("rtmps_port", settings.rtmps_port)):
        other = taken.get(port) if port else None
        if other is not None:
            yield (other, name), f"{name.upper()}: '{port}' is not accepted; {other.upper()} has it already"
        elif port:
            taken[port] = name


def _tls_contradictions(settings: Settings) -> Iterator[tuple[tuple[str, ...], str]]:
    names = ("tls_cert_file", "tls_key_file")
    given = [name for name in names if getattr(settings, name) is not None]
    if len(given) == 1:
        (missing,) = set(names) - set(given)
        yield names, f"{given[0].upper()} is of no use without {missing.upper()}"
    if settings.rtmps_port and not given:
        needs = "it takes a certificate: TLS_CERT_FILE and TLS_KEY_FILE"
        yield ("rtmps_port", *names), f"RTMPS_PORT: '{settings.rtmps_port}' is not accepted; {needs}"


def _webrtc_contradictions(settings: Settings) -> Iterator[tuple[tuple[str, ...], str]]:
    last = settings.webrtc_udp_port + settings.webrtc_workers - 1
    if settings.webrtc_udp_port and last > 65_535:
        needs = f"{settings.webrtc_workers} processes need ports up to {last}"
        yield (
            ("webrtc_udp_port", "webrtc_workers"),
            f"WEBRTC_UDP_PORT: '{settings.webrtc_udp_port}' is not accepted; {needs}",
        )
    has_turn = any(url.startswith("turn") for url in settings.webrtc_ice_servers)
    if has_turn != bool(settings.webrtc_turn_secret.get_secret_value()):
        names = ("webrtc_ice_servers", "webrtc_turn_secret")
        yield names, "WEBRTC_TURN_SECRET belongs to TURN servers in WEBRTC_ICE_SERVERS, and they need it"


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
    if settings.jwt_jwks_url and not (settings.jwt_issuer and settings.jwt_audience):
        found.append(
            "JWT_JWKS_URL without JWT_ISSUER and JWT_AUDIENCE takes any token of that issuer, for whomever it is"
        )
    return found


def _is_set(settings: Settings, name: str) -> bool:
    value = getattr(settings, name)
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    return bool(text) and not (name == "storage_url" and text.startswith("file:"))


def _same_host(one: str, other: str) -> bool:
    return one == other or bool({one, other} & {"0.0.0.0", "::"})  # noqa: S104 compared, not bound
