"""Every setting: its name, its type and what it is when nobody says."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from mediaserver import setting
from transcode.preference import HARDWARE_NAMES


class Settings(BaseSettings):
    """Every setting, by the lower-case form of its name. `docs/configuration.md` says what each means."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", frozen=True, validate_default=True
    )

    port: setting.Port = 8098
    host: setting.Host = "0.0.0.0"  # noqa: S104 a server for others by default
    rtmp_host: setting.Host = "0.0.0.0"  # noqa: S104 likewise
    rtmp_port: setting.Port = 1935
    rtmps_port: setting.PortOrOff = None
    """None: off; likewise 0 without a certificate."""
    tls_cert_file: setting.File = None
    tls_key_file: setting.File = None
    rtmp_server_url: setting.RtmpAddress = ""
    cdn_hls_base_url: setting.HttpAddress = ""
    cdn_webrtc_base_url: setting.WebRtcAddress = ""
    min_followers_to_stream: setting.Count = 50
    allowed_hosts: setting.HostNames = ()
    """Empty: any where the connection came to a loopback or private address."""
    data_dir: setting.Folder = Path("data")
    jwt_secret: setting.Secret = SecretStr("")
    """Empty: made in `data_dir`."""
    key_secret: setting.Secret = SecretStr("")
    """Stored stream keys are sealed with it; empty: made in `data_dir`."""
    database_url: setting.DatabaseAddress = SecretStr("")
    """Empty: a PostgreSQL of this server's own under `data_dir`."""
    redis_url: setting.RedisAddress = SecretStr("")
    """Empty: what happens is told to pages and webhooks only."""
    social_graph_grpc_url: setting.GrpcAddress = ""
    """Empty: followers are kept in the database."""
    jwt_jwks_url: setting.JwksAddress = ""
    """Empty: access tokens are signed with `jwt_secret`."""
    webhook_allow_private: setting.Switch = False
    """Whether webhooks may have addresses of this machine and its network."""
    jwt_issuer: setting.Text = ""
    jwt_audience: setting.Text = ""
    reconnect_grace_s: setting.Grace = 60
    stop_grace_s: setting.Grace = 10
    start_grace_s: setting.Grace = 900
    """The three: how long a live stream waits for its encoder; None: until its owner ends it."""
    slate_after_s: setting.Delay = 3
    """How long players wait for a lost encoder before they see a slate."""
    ladder: setting.Ladder = "on_demand"
    """`on_demand`, `always`, or a tuple of rungs, best first."""
    encoders: setting.Encoders = HARDWARE_NAMES
    """Hardware to use where it works, the preferred first; x264 is always there."""
    segment_s: setting.SegmentLength = 2
    part_s: setting.PartLength = 0.5
    target_duration_s: setting.TargetDuration = 5
    dvr_window_s: setting.Window = 7200
    """How far live viewers can rewind; 0: as far as memory reaches."""
    dvr_disk_gb: setting.Gigabytes = 50
    """What that may take on disk, of all broadcasts together."""
    personal_data_days: setting.Days = 0
    """For how long after a stream it is known who watched and wrote; 0: for ever."""
    webrtc_udp_port: setting.Port = 8189
    """Of the first WebRTC process; the others have the next ones."""
    webrtc_workers: setting.SmallCount = 1
    """0: no WebRTC."""
    webrtc_public_ips: setting.IpAddresses = ()
    """Empty: the addresses of this machine."""
    webrtc_ice_servers: setting.IceServers = ()
    """STUN and TURN servers that clients are told of."""
    webrtc_turn_secret: setting.Secret = SecretStr("")
    """Shared with the TURN servers; users and passwords are made of it."""
    metrics_token: setting.Secret = SecretStr("")
    """Empty: anybody may read `/metrics`."""
    log_format: setting.LogFormat = ""
    log_level: setting.LogLevel = "info"

    # Accepted, without effect yet: `config_rule.WITHOUT_EFFECT`.
    enable_recording: setting.Switch = True
    vod_ladder: setting.VodLadder = "on_demand"
    edge_workers: setting.SmallCount = 0

    # Not supported yet, and refused because going on without would surprise: `config_rule.UNSUPPORTED`.
    media_service_grpc_url: str = ""
    storage_url: SecretStr = SecretStr("")
