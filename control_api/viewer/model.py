"""What requests and answers about viewers look like."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from control_api.model import Request
from control_api.viewer.viewer_id import MAX_VIEWER_ID


class ViewerRequest(Request):
    """Who joins or leaves, of those without an access token."""

    viewer_id: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_VIEWER_ID,
        description="From an earlier `join`. Who sends an access token is known by that.",
    )


class Playback(BaseModel):
    """Where a viewer watches."""

    hls_url: str = Field(description="With the token: requests for media keep the viewer present.")
    webrtc_url: str
    token: str = Field(description="Good for 12 hours; `join` gives a new one.")


class JoinAnswer(BaseModel):
    """Somebody who watches."""

    viewer_id: str = Field(description="The user id, or one that is made for whoever has no access token.")
    viewer_count: int
    playback: Playback


class LeaveAnswer(BaseModel):
    """How many are left."""

    viewer_count: int


class ViewersAnswer(BaseModel):
    """How many watch, and have watched."""

    model_config = ConfigDict(from_attributes=True)

    viewer_count: int
    peak_viewers: int = Field(description="At the same time.")
    unique_viewers: int = Field(description="Everybody who ever watched, once.")


class AnalyticsPoint(BaseModel):
    """A stream at a moment."""

    at: datetime
    viewer_count: int
    unique_viewers: int
    comments_count: int
    reactions_count: int
    bitrate_bps: int | None = Field(description="Of the encoder; null without one.")
    fps: float | None = Field(description="Of the encoder; null without one.")


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
    series: list[AnalyticsPoint] = Field(
        description="Every 10 s, the oldest first; of more than 500 so many, evenly. Ends now while live."
    )
