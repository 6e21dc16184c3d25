"""MPEG-DASH manifests as text, over the segments that HLS serves (ISO/IEC 23009-1, profile `isoff-live`): pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from xml.sax.saxutils import quoteattr

from media.packet import CLOCK_HZ

from .config import HlsConfig
from .dash import Listing
from .dash_listing import Row
from .dash_period import Period
from .view import AudioView, MultivariantView, VariantView

NAMESPACE = "urn:mpeg:dash:schema:mpd:2011"
PROFILE = "urn:mpeg:dash:profile:isoff-live:2011"

EPOCH = "1970-01-01T00:00:00Z"
"""`availabilityStartTime`: so period starts are dates, and stay what they are when the server is restarted."""

TIME_ADDRESS = "/dash/time"
"""Where players learn what time it is here (`UTCTiming`)."""

_FAMILIES = ("avc1", "hvc1", "av01")

LATENCY_PARTS = 5
"""How far behind live low-latency players are to be: an encoder's lag, a part, the way, and something in the buffer."""


def render_head(listing: Listing, config: HlsConfig, base_url: str, now: float) -> str:
    """Render the begin of a manifest, up to where media is; `now` is in seconds since the epoch."""
    begin, end = listing.periods[0], listing.periods[-1]
    begin_s, end_s = begin.date_of(begin.rows[0].start), end.date_of(end.rows[-1].end)
    longest_s = max(row.duration for period in listing.periods for row in period.rows) / CLOCK_HZ
    latency_s = LATENCY_PARTS * config.part_s
    attributes = {
        "xmlns": NAMESPACE,
        "profiles": PROFILE,
        "publishTime": f"{datetime.fromtimestamp(int(now), tz=UTC):%Y-%m-%dT%H:%M:%SZ}",
        "maxSegmentDuration": _duration(longest_s),
        "minBufferTime": _duration(config.part_s if listing.open_s else longest_s),
    }
    if listing.is_ended:
        attributes |= {"type": "static", "mediaPresentationDuration": _duration(end_s)}
    else:
        attributes |= {
            "type": "dynamic",
            "availabilityStartTime": EPOCH,
            "minimumUpdatePeriod": _duration(config.part_s),
            "timeShiftBufferDepth": _duration(end_s - begin_s),
            "suggestedPresentationDelay": _duration(latency_s if listing.open_s else 3 * longest_s),
        }
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f"<MPD{_attributes(attributes)}>",
        f"<BaseURL>{base_url}</BaseURL>",
    ]
    if listing.open_s and not listing.is_ended:
        lines += [
            '<ServiceDescription id="0">',
            f'<Latency target="{round(latency_s * 1000)}"/>',
            '<PlaybackRate min="0.95" max="1.1"/>',
            "</ServiceDescription>",
        ]
    return "\n".join(lines) + "\n"


def render_rest(listing: Listing, config: HlsConfig) -> str:
    """Render the periods, and what comes behind them."""
    lines: list[str] = []
    for period, following in zip(listing.periods, [*listing.periods[1:], None], strict=True):
        lines += _period(period, following, listing, config)
    if not listing.is_ended:
        lines.append(f'<UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="{TIME_ADDRESS}"/>')
    return "\n".join([*lines, "</MPD>", ""])


def _period(period: Period, following: Period | None, listing: Listing, config: HlsConfig) -> Iterator[str]:
    attributes: dict[str, object] = {"id": period.id, "start": _duration(period.start_s)}
    end_s = period.date_of(period.rows[-1].end)
    if following is not None or listing.is_ended:
        end_s = end_s if following is None else min(end_s, following.start_s)
        attributes["duration"] = _duration(end_s - period.start_s)
    yield f"<Period{_attributes(attributes)}>"
    template: dict[str, object] = {
        "timescale": CLOCK_HZ,
        "presentationTimeOffset": period.offset,
        "startNumber": period.rows[0].msn,
    }
    if listing.open_s and following is None:
        template["availabilityTimeOffset"] = f"{listing.open_s - config.part_s:.3f}"
        template["availabilityTimeComplete"] = "false"
    timeline = [
        f"<SegmentTemplate{_attributes(template)}>",
        "<SegmentTimeline>",
        *_timeline(period.rows),
        "</SegmentTimeline>",
        "</SegmentTemplate>",
    ]
    yield from timeline
    yield from _sets(period, listing.view)
    yield "</Period>"


def _timeline(rows: Sequence[Row]) -> Iterator[str]:
    end = -1
    for row in rows:
        time = f' t="{row.start}"' if row.start != end else ""
        repeat = f' r="{row.count - 1}"' if row.count > 1 else ""
        yield f'<S{time} d="{row.duration}"{repeat}/>'
        end = row.end


def _sets(period: Period, view: MultivariantView) -> Iterator[str]:
    families: dict[str, list[VariantView]] = {}
    for variant in view.variants:
        if variant.name in period.generations:
            families.setdefault(variant.codecs.partition(".")[0], []).append(variant)
    for family, variants in families.items():
        attributes = {
            # Ids of sets are numbers.
            "id": _FAMILIES.index(family) + 1 if family in _FAMILIES else len(_FAMILIES) + 1,
            "contentType": "video",
            "mimeType": "video/mp4",
            "segmentAlignment": "true",
            "startWithSAP": "1",
        }
        yield f"<AdaptationSet{_attributes(attributes)}>"
        for variant in variants:
            yield from _video(variant, period.generations[variant.name])
        yield "</AdaptationSet>"
    if view.audio is not None and view.audio.name in period.generations:
        yield from _audio(view.audio, period.generations[view.audio.name])


def _video(variant: VariantView, generation: int) -> Iterator[str]:
    rate = variant.frame_rate
    attributes = {
        "id": variant.name,
        "codecs": variant.codecs,
        "width": variant.width,
        "height": variant.height,
        "frameRate": f"{rate.numerator}/{rate.denominator}" if rate.denominator > 1 else rate.numerator,
        "bandwidth": variant.bandwidth_bps,
    }
    yield f"<Representation{_attributes(attributes)}>{_template(generation)}</Representation>"


def _audio(audio: AudioView, generation: int) -> Iterator[str]:
    attributes = {
        "id": 10,
        "contentType": "audio",
        "mimeType": "audio/mp4",
        "lang": "und",
        "segmentAlignment": "true",
        "startWithSAP": "1",
    }
    channels = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"
    yield f"<AdaptationSet{_attributes(attributes)}>"
    yield f"<Representation{_attributes({'id': audio.name, 'codecs': audio.codecs, 'bandwidth': audio.bandwidth_bps})}>"
    yield f'<AudioChannelConfiguration schemeIdUri="{channels}" value="{audio.channels}"/>'
    yield f"{_template(generation)}</Representation>"
    yield "</AdaptationSet>"


def _template(generation: int) -> str:
    names = {
        "media": f"$RepresentationID$/{generation}-$Number$.m4s",
        "initialization": f"$RepresentationID$/init-{generation}.mp4",
    }
    return f"<SegmentTemplate{_attributes(names)}/>"


def _attributes(values: Mapping[str, object]) -> str:
    return "".join(f" {name}={quoteattr(str(value))}" for name, value in values.items())


def _duration(seconds: float) -> str:
    return f"PT{seconds:.6f}".rstrip("0").rstrip(".") + "S"
