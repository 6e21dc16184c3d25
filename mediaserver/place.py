"""Where this server is to be found, for the person at the terminal."""

from __future__ import annotations

from mediaserver.config import Settings

ANY_ADDRESS = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


class Places:
    """The server's addresses as seen from its own machine."""

    def __init__(
        self, settings: Settings, http_port: int, rtmp_port: int, rtmps_port: int | None = None
    ) -> None:
        scheme = "http" if settings.tls_cert_file is None else "https"
        host = _host(settings.rtmp_host)
        self.http = f"{scheme}://{_host(settings.host)}:{http_port}"
        self.rtmp = f"rtmp://{host}:{rtmp_port}/live"
        self.rtmps = None if rtmps_port is None else f"rtmps://{host}:{rtmps_port}/live"

    def tell(self, *, watch: str | None = None, stream_key: str | None = None) -> None:
        """Print what to do next.

        Args:
            watch: id of a stream to look at.
            stream_key: one that is ready for an encoder.
        """
        lines = [f"  Pages       {self.http}/"]
        if watch is not None:
            lines.append(f"  Watch       {self.http}/watch/{watch}")
        lines.append(f"  Publish to  {self.rtmp}")
        if self.rtmps is not None:
            lines.append(f"  or, by TLS  {self.rtmps}")
        if stream_key is not None:
            lines.append(f"  Stream key  {stream_key}")
        print("\n".join(["", "mediaserver is ready.", *lines, ""]), flush=True)  # noqa: T201


def _host(host: str) -> str:
    if host in ANY_ADDRESS:
        return "localhost"
    return f"[{host}]" if ":" in host else host
