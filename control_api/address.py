"""The addresses that answers tell: from the configuration, else from the host that the client asked."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253})(?::([0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Makes addresses of streams.

    Args:
        rtmp_port: tells the port of the RTMP listener (known late when it is any free one).
        rtmp_server_url: what encoders are told, without the key; empty = from the request.
        hls_base_url: prefix of HLS addresses; empty = from the request.
        webrtc_base_url: prefix of WHEP addresses, `ws(s)` is read as `http(s)`; empty = from the request.
    """

    rtmp_port: Callable[[], int]
    rtmp_server_url: str = ""
    hls_base_url: str = ""
    webrtc_base_url: str = ""

    def rtmp(self, request: web.Request, stream_key: str) -> str:
        """Make the address that an encoder publishes to."""
        base = self.rtmp_server_url or f"rtmp://{host_name(request)}:{self.rtmp_port()}/live"
        return f"{base.rstrip('/')}/{stream_key}"

    def hls(self, request: web.Request, stream_id: str, token: str | None = None) -> str:
        """Make the address of the multivariant playlist, with a playback token for private streams."""
        return f"{self._hls_folder(request, stream_id, token)}/master.m3u8"

    def preview(self, request: web.Request, stream_id: str, token: str) -> str:
        """Make the address of the multivariant playlist that shows what arrives before the start."""
        return f"{self._hls_folder(request, stream_id, token)}/preview/master.m3u8"

    def webrtc(self, request: web.Request, stream_id: str, token: str | None = None) -> str:
        """Make the WHEP address, with a playback token for private streams."""
        base = self.webrtc_base_url or f"{_origin(request)}/webrtc"
        address = f"{re.sub('^ws', 'http', base).rstrip('/')}/{stream_id}"
        return f"{address}/~{token}" if token else address

    def _hls_folder(self, request: web.Request, stream_id: str, token: str | None) -> str:
        base = (self.hls_base_url or f"{_origin(request)}/hls").rstrip("/")
        return f"{base}/{stream_id}/~{token}" if token else f"{base}/{stream_id}"


def host_name(request: web.Request) -> str:
    """Give the host that the client asked, without its port; an IPv6 address keeps its brackets."""
    return _split(request)[0]


def name_in(host: str) -> str | None:
    """Give the name in a Host header, None when it names no host."""
    match = _HOST.fullmatch(host)
    return match[1] if match else None


def has_good_host(request: web.Request) -> bool:
    """Tell whether the Host header names a host (RFC 9110, 7.2); none at all is HTTP/1.0 and good."""
    host = request.headers.get("Host")
    return host is None or _HOST.fullmatch(host) is not None


def _origin(request: web.Request) -> str:
    name, port = _split(request)
    return f"{request.scheme}://{name}{port}"


def _split(request: web.Request) -> tuple[str, str]:
    match = _HOST.fullmatch(request.headers.get("Host", ""))
    if match:
        return match[1], f":{match[2]}" if match[2] else ""
    local = request.transport.get_extra_info("sockname") if request.transport else None
    address, port = local[:2] if isinstance(local, tuple) else ("localhost", 0)
    return f"[{address}]" if ":" in address else address, f":{port}" if port else ""
