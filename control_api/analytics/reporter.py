"""Who sends a report of a player, and whether it may be known what it is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from control_api.analytics.experience import Counts, Report
from control_api.analytics.intake import Intake
from control_api.analytics.model import ExperienceReport
from control_api.stream.playback import PlaybackSigner
from control_api.stream.record import Identity, Status, Stream
from control_api.stream.service import StreamService
from control_api.viewer.viewer_id import ViewerIds, user_key
from media.error import StreamError

LAST_WORD_S = 10.0
"""So long after the end of a stream reports still count."""


class Reporters:
    """Takes reports of players.

    Args:
        service: knows the streams.
        ids: reads ids of viewers.
        playback: reads playback tokens.
        clock: Unix time.
    """

    def __init__(
        self, service: StreamService, ids: ViewerIds, playback: PlaybackSigner, clock: Callable[[], float]
    ) -> None:
        self._service = service
        self._ids = ids
        self._playback = playback
        self._clock = clock
        self._intake = Intake()
        self._now = 0.0

    async def take_report(
        self, stream_id: str, identity: Identity | None, address: str | None, report: ExperienceReport
    ) -> bool:
        """Count a report.

        Args:
            stream_id: of the stream.
            identity: who sends it; None for somebody without an access token.
            address: where it comes from.
            report: what a player tells.

        Returns:
            Whether it counts: not when the stream is not live and was not ten seconds ago, nor when one of this viewer
            has a moment ago.

        Raises:
            StreamError: `not_found`.
            CapacityError: the database is away.
        """
        stream, viewer = await self._viewer(stream_id, identity, report)
        self._now = max(self._now, self._clock())
        if not self._takes_reports(stream) or viewer == user_key(stream.user_id):
            return False
        told = Report(
            startup_ms=report.startup_ms,
            latency_s=report.latency_s,
            rung=report.rung,
            stalls=report.stalls,
            stalled_s=report.stalled_s,
        )
        if viewer is not None:
            return self._intake.add(stream.id, told, viewer, self._now)
        somebody = (address, report.session)
        return self._intake.add(stream.id, told, somebody, self._now, unproven_from=address or "")

    def take(self) -> Mapping[str, Counts]:
        """Take what has been counted, by stream; who cannot store it gives it back."""
        return self._intake.take()

    def give_back(self, taken: Mapping[str, Counts]) -> None:
        """Take note that counts could not be stored."""
        self._intake.give_back(taken)

    def _takes_reports(self, stream: Stream) -> bool:
        """Tell whether a stream is live, or has just ended: pages that are left then have their last word."""
        if stream.ended_at is not None:
            return self._now - stream.ended_at.timestamp() < LAST_WORD_S
        return stream.status is Status.LIVE

    async def _viewer(
        self, stream_id: str, identity: Identity | None, report: ExperienceReport
    ) -> tuple[Stream, str | None]:
        """Find the stream and the key of who sends a report, None of somebody who proves nothing."""
        if identity is None and report.token is not None:
            stream = await self._service.find(stream_id)
            if stream is not None:
                with suppress(StreamError):  # a token that has expired is as good as none
                    named = self._playback.verify(
                        stream.id, stream.playback_salt, report.token, self._clock()
                    )
                    return stream, self._ids.key_of(named)
        stream = await self._service.visible(stream_id, identity)
        if identity is not None:
            return stream, user_key(identity.user_id)
        is_known = report.viewer_id is not None and self._ids.is_signed(report.viewer_id)
        return stream, report.viewer_id if is_known else None
