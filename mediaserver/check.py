"""Whether the server can run here as it is configured: `mediaserver check`."""

from __future__ import annotations

import json
import os
import shutil
import socket
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

from media.error import ConfigError
from mediaserver.certificate import open_certificate
from mediaserver.config import Settings
from mediaserver.config_rule import remarks
from mediaserver.encoder_check import EncoderState, try_encoders
from mediaserver.environment import load_settings
from mediaserver.service_check import service_faults

LEAST_FREE_BYTES = 200 * 1024**2
"""Below this much free space under DATA_DIR the server cannot be trusted to keep what it is told."""


@dataclass(slots=True)
class Report:
    """What was found."""

    problems: list[str] = field(default_factory=list)
    """Each keeps the server from running as configured."""
    remarks: list[str] = field(default_factory=list)
    encoders: list[EncoderState] = field(default_factory=list)
    ports: dict[str, str] = field(default_factory=dict)
    """By the name of the setting: `free` or why not."""
    data_dir: str = ""
    free_bytes: int | None = None
    processors: int = 0

    def to_json(self) -> str:
        """Write the report as JSON."""
        return json.dumps(asdict(self), indent=2)


def examine() -> Report:
    """Look at the configuration and, with defaults where it is wrong, at the machine."""
    report = Report(processors=os.cpu_count() or 1)
    try:
        settings = load_settings()
    except ConfigError as error:
        report.problems += error.problems
    else:
        report.remarks += remarks(settings)
        _examine_ports(settings, report)
        _examine_certificate(settings, report)
        _examine_folder(settings.data_dir, report)
        report.problems += service_faults(settings)
    report.encoders = try_encoders()
    missing = [encoder for encoder in report.encoders if encoder.is_needed and encoder.fault]
    report.problems += [f"encoder {encoder.name} does not work: {encoder.fault}" for encoder in missing]
    return report


def render(report: Report) -> str:
    """Write the report for people."""
    lines = ["Encoders"]
    for encoder in report.encoders:
        kind = "hardware" if encoder.is_hardware else "software"
        lines.append(f"  {encoder.name:<14}{kind:<10}{encoder.fault or 'works'}")
    if report.ports:
        lines += ["Ports", *(f"  {name:<14}{state}" for name, state in report.ports.items())]
    if report.data_dir:
        free = "unknown" if report.free_bytes is None else f"{report.free_bytes / 1e9:.1f} GB free"
        lines += ["Data", f"  {report.data_dir} ({free})"]
    lines += ["Processors", f"  {report.processors}"]
    if report.remarks:
        lines += ["Remarks", *(f"  {remark}" for remark in report.remarks)]
    if report.problems:
        lines += ["Problems", *(f"  {problem}" for problem in report.problems)]
    else:
        lines.append("No problems.")
    return "\n".join(lines)


def _examine_ports(settings: Settings, report: Report) -> None:
    tcp, udp = socket.SOCK_STREAM, socket.SOCK_DGRAM
    wanted = [
        ("PORT", settings.host, settings.port, tcp),
        ("RTMP_PORT", settings.rtmp_host, settings.rtmp_port, tcp),
    ]
    if settings.rtmps_port:
        wanted.append(("RTMPS_PORT", settings.rtmp_host, settings.rtmps_port, tcp))
    if settings.webrtc_workers:
        wanted.append(("WEBRTC_UDP_PORT", settings.host, settings.webrtc_udp_port, udp))
    for name, host, port, kind in wanted:
        fault = port_fault(host, port, kind)
        report.ports[name] = f"{port or 'any'} {fault or 'free'}"
        if fault:
            report.problems.append(f"{name}: {port} on {host} cannot be used: {fault}")


def _examine_certificate(settings: Settings, report: Report) -> None:
    try:
        open_certificate(settings)
    except ConfigError as error:
        report.problems += error.problems


def port_fault(host: str, port: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> str | None:
    """Try to listen; say why that does not work, None when it does."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=kind)[0]
        with socket.socket(family, kind, protocol) as listener:
            if kind == socket.SOCK_DGRAM:
                listener.bind(address)
                return None
            # As servers do: a port in TIME_WAIT counts as free.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(1)
    except OSError as error:
        return error.strerror or str(error)
    return None


def _examine_folder(path: Path, report: Report) -> None:
    report.data_dir = str(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path) as file:
            file.write(b"check")
        report.free_bytes = shutil.disk_usage(path).free
    except OSError as error:
        report.problems.append(f"DATA_DIR: {path} cannot be written: {error.strerror}")
        return
    if report.free_bytes < LEAST_FREE_BYTES:
        free, least = report.free_bytes >> 20, LEAST_FREE_BYTES >> 20
        report.problems.append(f"DATA_DIR: {path} has {free} MiB free; {least} MiB are needed")
