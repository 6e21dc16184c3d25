"""Looking at the machine."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from mediaserver.check import Report, examine, port_fault, render
from mediaserver.encoder_check import EncoderState, try_encoders
from mediaserver.environment import load_settings
from mediaserver.service_check import service_faults
from tests.certificate import make_certificate
from tests.database import PostgresServer
from tests.redis_server import RedisServer


def test_ports() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert port_fault("127.0.0.1", taken.getsockname()[1]) == "Address already in use"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert port_fault("127.0.0.1", port, socket.SOCK_DGRAM) == "Address already in use"
    assert port_fault("127.0.0.1", port, socket.SOCK_DGRAM) is None
    assert port_fault("127.0.0.1", 0) is None
    assert port_fault("192.0.2.1", 0) is not None


def test_tls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    files = make_certificate(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        variables = {
            "PORT": "0",
            "RTMP_PORT": "0",
            "WEBRTC_UDP_PORT": "0",
            "RTMPS_PORT": port,
            "RTMP_HOST": "127.0.0.1",
            "DATA_DIR": str(tmp_path),
            "TLS_CERT_FILE": str(files.certificate),
            "TLS_KEY_FILE": str(files.certificate),
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("mediaserver.check.try_encoders", list)
        report = examine()
    assert report.problems == [
        f"RTMPS_PORT: {port} on 127.0.0.1 cannot be used: Address already in use",
        f"TLS_KEY_FILE: {files.certificate} holds no private key in PEM form",
    ]


def test_services_are_tried(
    postgres_18: PostgresServer, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", postgres_18.dsn("postgres"))
    monkeypatch.setenv("REDIS_URL", redis_server.url)
    assert service_faults(load_settings()) == []
    redis_server.stop()
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody:secret@127.0.0.1:1/none")
    assert service_faults(load_settings()) == [
        "DATABASE_URL: the database cannot be reached: Connect call failed ('127.0.0.1', 1)",
        "REDIS_URL: Redis does not take events at the moment: ConnectionError.",
    ]


def test_encoders_are_tried_as_the_server_tries_them() -> None:
    found = {state.name: state for state in try_encoders()}
    assert [name for name, state in found.items() if not state.is_hardware] == ["libx264", "aac", "libopus"]
    assert not any(state.fault for state in found.values() if state.is_needed)
    for name in ("h264_nvenc", "h264_qsv", "h264_amf", "h264_v4l2m2m"):
        assert found[name].is_hardware
        assert found[name].fault in (None, "no such hardware"), "whatever this machine has"


def test_the_report_for_people() -> None:
    report = Report(
        problems=["PORT: wrong"],
        remarks=["careful"],
        encoders=[
            EncoderState("libx264", False, True, None),
            EncoderState("h264_qsv", True, False, "no such hardware"),
        ],
        ports={"PORT": "8098 free"},
        data_dir="/data",
        free_bytes=5_000_000_000,
        processors=2,
    )
    text = render(report)
    for words in (
        "software  works",
        "hardware  no such hardware",
        "8098 free",
        "5.0 GB free",
        "PORT: wrong",
        "careful",
    ):
        assert words in text
    assert render(Report()).endswith("No problems.")
