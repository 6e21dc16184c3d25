"""What the control plane tells of a broadcast: to everybody what arrives, to its owner how well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict

from transcode.port import TranscoderStats

from .broadcast import Broadcast
from .health import HealthReport
from .last_error import LastError
from .session import Session


def describe_media(session: Session | None, last_error: LastError | None) -> Mapping[str, object]:
    """Describe what arrives for a stream, as `control_api.port.Broadcasts.media` has it."""
    facts: dict[str, object] = {}
    if last_error is not None:
        facts["last_error"] = last_error.message
    if session is None or session.publication is None:
        return facts | {"connected": False}
    broadcast = session.broadcast
    facts |= {"connected": True, "encoder": session.publication.encoder}
    facts["warnings"] = _warnings(session.publication.health(), session)
    if broadcast is not None and broadcast.video is not None:
        video = broadcast.video
        facts |= {"codec": video.codec_string, "width": video.width, "height": video.height}
        facts |= {"renditions": broadcast.rungs.names, "top_rung_copied": broadcast.rungs.is_copying}
    return facts


def describe_health(session: Session | None, last_error: LastError | None) -> Mapping[str, object]:
    """Describe the ingest, as `control_api.port.Broadcasts.health` has it."""
    facts: dict[str, object] = {"connected": False}
    if last_error is not None:
        facts["last_error"] = asdict(last_error)
    if session is None:
        return facts
    publication, broadcast = session.publication, session.broadcast
    report = publication.health() if publication is not None else None
    if publication is not None and report is not None:
        facts |= {"connected": True, "encoder": publication.encoder or None, "peer": publication.peer}
        facts |= asdict(report) | {"since": publication.since}
    if broadcast is not None:
        facts |= _renditions(broadcast)
    return facts | {"warnings": _warnings(report, session)}


def _renditions(broadcast: Broadcast) -> Mapping[str, object]:
    stats = broadcast.rungs.stats
    transcode: dict[str, object] = {
        "speed": stats.speed,
        "lag_s": stats.lag_s if broadcast.rungs.is_encoding else None,
    }
    transcode |= {"restarts": stats.restarts, "skipped_gops": stats.skipped_gops}
    transcode |= {"cost": _cost(stats)}
    return {
        "transcode": transcode | {"encoders_failed": list(stats.encoders_failed)},
        "rungs": [state._asdict() for state in broadcast.rungs.states],
        "on_slate": broadcast.is_on_slate,
        "rewind": {
            "available_s": round(broadcast.output.rewind_s, 3),
            "disk_bytes": broadcast.output.archived_bytes,
        },
    }


def _cost(stats: TranscoderStats) -> float | None:
    """Add up the cores that a broadcast's encoders take, None while unknown."""
    return None if stats.base_cost is None else round(stats.base_cost + sum(stats.costs.values()), 3)


def _warnings(report: HealthReport | None, session: Session) -> list[str]:
    """Join what the signal and the broadcast say; the same thing is said once, with the remedy."""
    said: dict[str, str] = {}
    _say(said, report.warnings if report is not None else ())
    _say(said, (session.preview if session.broadcast is None else session.broadcast).warnings)
    return list(said.values())


def _say(said: dict[str, str], warnings: Iterable[str]) -> None:
    for warning in warnings:
        said.setdefault(warning.partition(":")[0], warning)
