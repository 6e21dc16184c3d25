"""What requests and answers about a stream's audience look like."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from control_api.model import Request, whole
from control_api.stream.playback import MAX_TOKEN
from control_api.viewer.viewer_id import MAX_VIEWER_ID

MAX_NUMBER = 1e9
"""Of a report. It is far from any that is possible, which are taken for the nearest that is."""


class ExperienceReport(Request):
    """What a player tells of the last ten seconds or so."""

    token: str | None = Field(
        None, max_length=MAX_TOKEN, description="The playback token of `join`, if there is one."
    )
    viewer_id: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_VIEWER_ID,
        description="Of `join`, of those without an access token.",
    )
    session: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_-]{8,40}$",
        description="Made by the player at random: tells apart viewers behind one address who have nothing else.",
    )
    startup_ms: float | None = Field(
        None, ge=0, le=MAX_NUMBER, description="From the wish to watch to the first picture; once."
    )
    latency_s: float | None = Field(
        None, ge=0, le=MAX_NUMBER, description="Behind the live edge; not after rewinding."
    )
    rung: str | None = Field(
        None, pattern=r"^[A-Za-z0-9-]{1,24}$", description="What is shown, such as `720p`."
    )
    stalls: Annotated[int, BeforeValidator(whole)] = Field(
        0, ge=0, le=1_000_000, description="How often playback ran dry since the last report."
    )
    stalled_s: float = Field(0, ge=0, le=MAX_NUMBER, description="For how long in sum.")


class SpreadAnswer(BaseModel):
    """Where what was reported lies; right to 5 %."""

    model_config = ConfigDict(from_attributes=True)

    median: float
    p95: float = Field(description="95 % are lower or the same.")


class ExperienceAnswer(BaseModel):
    """How viewers fared, as their players report it."""

    model_config = ConfigDict(from_attributes=True)

    reports: int = Field(description="That the rest is made of.")
    startup_ms: SpreadAnswer | None = Field(description="Null when nobody has begun to watch.")
    latency_s: SpreadAnswer | None = Field(description="Null when nobody told.")
    stalls: int = Field(description="How often playback ran dry, of all viewers together.")
    stalled_s: float = Field(description="For how long, likewise.")
    rungs: dict[str, float] = Field(
        description="The share of viewers who saw each rung, 0 to 1; the best first."
    )


class AnalyticsPoint(BaseModel):
    """A stream from the point before to this one's moment."""

    at: datetime
    viewer_count: int = Field(description="The most at one of the moments that are summed up.")
    average_viewers: float = Field(description="Over those moments.")
    unique_viewers: int = Field(description="So far.")
    comments_count: int = Field(description="So far; the difference to the point before makes the rate.")
    reactions_count: int = Field(description="So far; likewise.")
    bitrate_bps: int | None = Field(description="Of the encoder; null without one.")
    fps: float | None = Field(description="Of the encoder; null without one.")
    rungs: list[str] = Field(description="Qualities that were made, copied ones too.")
    experience: ExperienceAnswer | None = Field(description="Null when no player has reported.")


class Highlight(BaseModel):
    """Where the chat was far livelier than around it: perhaps worth a clip."""

    model_config = ConfigDict(from_attributes=True)

    at: datetime = Field(description="The liveliest moment.")
    from_s: float = Field(description="Seconds since the start of the stream; before the chat took notice.")
    to_s: float
    comments: int
    reactions: int
    score: float = Field(description="How many times as lively as usual around it.")


class RetentionPoint(BaseModel):
    """How many watched for so long."""

    model_config = ConfigDict(from_attributes=True)

    after_s: float = Field(description="Watch time of one viewer, all visits together.")
    share: float = Field(description="Of all viewers who watched at least so long, 0 to 1.")
    share_of_early: float | None = Field(
        description="Of those viewers who came so early that they could have; null when nobody did."
    )


class AnalyticsAnswer(BaseModel):
    """A stream's audience, up to now or to its end."""

    total_views: int = Field(description="Visits: coming back counts again.")
    peak_viewers: int = Field(description="At the same time.")
    unique_viewers: int
    average_viewers: float = Field(description="Over the whole time, each moment as much as any other.")
    average_watch_time_s: float = Field(description="Of a unique viewer.")
    total_watch_time_s: float
    comments_count: int
    reactions_count: int
    engagement_rate: float = Field(
        description="Users who commented or reacted, the owner apart, for each unique viewer: 0 to 1."
    )
    experience: ExperienceAnswer | None = Field(description="Of the whole stream; null without any report.")
    retention: list[RetentionPoint] = Field(
        description="Every minute, or every twentieth of a stream of more than 20 minutes."
    )
    highlights: list[Highlight] = Field(description="At most 20, in the order of time.")
    series: list[AnalyticsPoint] = Field(
        description="Every 10 s, the oldest first; of more than 500 so many, evenly. Ends now while live."
    )
