"""Settings: what is read, what is refused, and in which words."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from media.error import ConfigError
from mediaserver.config import Settings
from mediaserver.config_rule import remarks
from mediaserver.environment import load_settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.lower() in Settings.model_fields:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def set_all(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)


def test_defaults(tmp_path: Path) -> None:
    settings = load_settings()
    assert (settings.port, settings.rtmp_port, settings.min_followers_to_stream) == (8098, 1935, 50)
    assert (settings.segment_s, settings.part_s, settings.target_duration_s) == (2, 0.5, 5)
    assert (settings.reconnect_grace_s, settings.stop_grace_s, settings.start_grace_s) == (60, 10, 900)
    assert settings.data_dir == tmp_path / "data"
    assert remarks(settings) == []


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("PORT", "0", 0),
        ("PORT", "", 8098),
        ("RTMP_PORT", "65535", 65535),
        ("RTMPS_PORT", "0", 0),
        ("RTMPS_PORT", "https", None),
        ("RTMPS_PORT", "70000", None),
        ("HOST", "::1", "::1"),
        ("HOST", "stream.example.org", "stream.example.org"),
        ("RTMP_SERVER_URL", "rtmp://stream.socialink.com/live", "rtmp://stream.socialink.com/live"),
        ("CDN_HLS_BASE_URL", "https://stream.socialink.com/hls", "https://stream.socialink.com/hls"),
        ("CDN_WEBRTC_BASE_URL", "wss://stream.socialink.com/webrtc", "wss://stream.socialink.com/webrtc"),
        ("ALLOWED_HOSTS", "a.example, *.b.example,[", None),
        ("ALLOWED_HOSTS", "a.example, *.b.example,::1", ("a.example", "*.b.example", "::1")),
        ("ALLOWED_HOSTS", "*", ("*",)),
        ("ALLOWED_HOSTS", "a.example:80", None),
        ("MIN_FOLLOWERS_TO_STREAM", "0", 0),
        ("LADDER", "ALWAYS", "always"),
        ("LADDER", "480p, 1080p", ("1080p", "480p")),
        ("LADDER", "480", None),
        ("LADDER", ",", None),
        ("ENCODERS", "Auto", ("h264_nvenc", "h264_qsv", "h264_amf", "h264_v4l2m2m")),
        ("ENCODERS", "h264_amf, h264_qsv", ("h264_amf", "h264_qsv")),
        ("ENCODERS", "h264_qsv,libx264,h264_nvenc", ("h264_qsv",)),
        ("ENCODERS", "libx264", ()),
        ("ENCODERS", "hevc_nvenc", None),
        ("ENCODERS", ",", None),
        ("PART_S", "1.0", 1.0),
        ("PART_S", "nan", None),
        ("RECONNECT_GRACE_S", "inf", None),
        ("LOG_LEVEL", "WARNING", "warning"),
        ("LOG_FORMAT", "xml", None),
        ("ENABLE_RECORDING", "maybe", None),
        ("WEBRTC_PUBLIC_IPS", "203.0.113.7,2001:db8::1", ("203.0.113.7", "2001:db8::1")),
        ("WEBRTC_PUBLIC_IPS", "example.org", None),
        ("WEBRTC_UDP_PORT", "0", 0),
        ("WEBRTC_UDP_PORT", "-1", None),
        ("WEBRTC_ICE_SERVERS", "stun:s.example:3478, stun:[::1]", ("stun:s.example:3478", "stun:[::1]")),
        ("WEBRTC_ICE_SERVERS", "https://turn.example", None),
        ("WEBRTC_ICE_SERVERS", "turn:t.example?transport=sctp", None),
    ],
)
def test_values(monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object) -> None:
    monkeypatch.setenv(name, text)
    if value is not None:
        assert getattr(load_settings(), name.lower()) == value
        return
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert len(caught.value.problems) == 1
    assert re.fullmatch(rf"{name}: '.+' is not accepted; it takes .+", caught.value.problems[0])


def test_a_grace_may_last_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONNECT_GRACE_S", "Keep")
    assert load_settings().reconnect_grace_s is None


TLS = {"TLS_CERT_FILE": "/x.pem", "TLS_KEY_FILE": "/y.pem"}

PROBLEMS = [
    (
        {"WEBRTC_UDP_PORT": "65530", "WEBRTC_WORKERS": "8"},
        "WEBRTC_UDP_PORT: '65530' is not accepted; 8 processes need ports up to 65537",
    ),
    (
        {"WEBRTC_ICE_SERVERS": "turn:t.example"},
        "WEBRTC_TURN_SECRET belongs to TURN servers in WEBRTC_ICE_SERVERS, and they need it",
    ),
    (
        {"WEBRTC_TURN_SECRET": "secret enough", "WEBRTC_ICE_SERVERS": "stun:t.example"},
        "WEBRTC_TURN_SECRET belongs to TURN servers in WEBRTC_ICE_SERVERS, and they need it",
    ),
    ({"PORT": "http"}, "PORT: 'http' is not accepted; it takes a port from 0 to 65535; 0 is any free one"),
    ({"PORT": "65536"}, "PORT: '65536' is not accepted"),
    ({"RTMP_SERVER_URL": "stream.example.org"}, "RTMP_SERVER_URL: 'stream.example.org' is not accepted"),
    ({"CDN_HLS_BASE_URL": "ftp://x/hls"}, "CDN_HLS_BASE_URL: 'ftp://x/hls' is not accepted"),
    ({"MIN_FOLLOWERS_TO_STREAM": "-1"}, "MIN_FOLLOWERS_TO_STREAM: '-1' is not accepted"),
    ({"PART_S": "2"}, "PART_S: '2' is not accepted; it takes less than SEGMENT_S (2)"),
    ({"SEGMENT_S": "6"}, "SEGMENT_S: '6' is not accepted; it takes at most TARGET_DURATION_S (5)"),
    ({"RTMP_PORT": "8098"}, "RTMP_PORT: '8098' is not accepted; PORT has it already"),
    (
        {"DATABASE_URL": "mysql://u:hunter2@db/x"},
        "DATABASE_URL: its value (not shown) is not accepted; it takes an address such as postgresql://",
    ),
    (
        {"REDIS_URL": "localhost:6379"},
        "REDIS_URL: its value (not shown) is not accepted; it takes an address such as redis://",
    ),
    ({"MEDIA_SERVICE_GRPC_URL": "localhost:50051"}, "MEDIA_SERVICE_GRPC_URL is not supported"),
    (
        {"JWT_JWKS_URL": "http://x/keys"},
        "JWT_JWKS_URL: 'http://x/keys' is not accepted; it takes an address such as https",
    ),
    (
        {"SOCIAL_GRAPH_GRPC_URL": "http://x"},
        "SOCIAL_GRAPH_GRPC_URL: 'http://x' is not accepted; it takes host:port",
    ),
    ({"STORAGE_URL": "s3://bucket"}, "STORAGE_URL is not supported by this version"),
    (
        {"RTMPS_PORT": "443"},
        "RTMPS_PORT: '443' is not accepted; it takes a certificate: TLS_CERT_FILE and TLS_KEY_FILE",
    ),
    ({"TLS_CERT_FILE": "/x.pem"}, "TLS_CERT_FILE is of no use without TLS_KEY_FILE"),
    ({"TLS_KEY_FILE": "/x.pem"}, "TLS_KEY_FILE is of no use without TLS_CERT_FILE"),
    (TLS | {"RTMPS_PORT": "1935"}, "RTMPS_PORT: '1935' is not accepted; RTMP_PORT has it already"),
    (TLS | {"RTMPS_PORT": "8098"}, "RTMPS_PORT: '8098' is not accepted; PORT has it already"),
    (
        {"JWT_SECRET": "hunter2"},
        "JWT_SECRET: its value (not shown) is not accepted; it takes 8 characters or more",
    ),
]


@pytest.mark.parametrize(("settings", "problem"), PROBLEMS)
def test_problems(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], problem: str) -> None:
    set_all(monkeypatch, settings)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith(problem)
    assert "hunter2" not in str(caught.value)


def test_all_problems_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {"PORT": "x", "LADDER": "y", "REDIS_URL": "z", "SEGMENT_S": "9", "PART_S": "no"})
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert sorted(problem.split()[0].rstrip(":") for problem in caught.value.problems) == [
        "LADDER",
        "PART_S",
        "PORT",
        "REDIS_URL",
        "SEGMENT_S",
    ]


def test_tls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    set_all(monkeypatch, {"TLS_CERT_FILE": "cert.pem", "TLS_KEY_FILE": "key.pem", "RTMPS_PORT": "443"})
    settings = load_settings()
    assert (settings.tls_cert_file, settings.tls_key_file) == (tmp_path / "cert.pem", tmp_path / "key.pem")
    assert settings.rtmps_port == 443


@pytest.mark.parametrize("text", ["", "off", "OFF", "0"])
def test_rtmps_may_be_off(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("RTMPS_PORT", text)
    assert not load_settings().rtmps_port


def test_two_free_ports_are_two_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {"PORT": "0", "RTMP_PORT": "0"})
    assert load_settings().port == 0


def test_the_file_stands_below_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=7000\nRTMP_PORT=7001\nSOMETHING_ELSE=1\n")
    monkeypatch.setenv("PORT", "7100")
    settings = load_settings()
    assert (settings.port, settings.rtmp_port) == (7100, 7001)
    (tmp_path / ".env").write_bytes(b"PORT=\xff\n")
    with pytest.raises(ConfigError, match=r"\.env cannot be read"):
        load_settings()


def test_remarks(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(
        monkeypatch,
        {
            "ENABLE_RECORDING": "false",
            "EDGE_WORKERS": "2",
            "JWT_SECRET": "only 13 chars",
            "VOD_LADDER": "on_demand",
        },
    )
    found = remarks(load_settings())
    assert found[:2] == [
        f"{name} has no effect in this version" for name in ("ENABLE_RECORDING", "EDGE_WORKERS")
    ]
    assert len(found) == 3
    assert "only 13" not in found[2]


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET", "hunter2hunter2")
    assert "hunter2" not in repr(load_settings())


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs/configuration.md").read_text()
    for name in Settings.model_fields:
        assert f"`{name.upper()}`" in text, name
