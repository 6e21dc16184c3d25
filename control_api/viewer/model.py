"""What requests and answers about viewers look like."""

from __future__ import annotations

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
