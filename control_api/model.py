"""What requests and answers look like: the one source of validation and of `openapi.json`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from control_api.page import MAX_CURSOR
from control_api.stream.record import Status

Quality = Literal["144p", "240p", "360p", "480p", "720p", "1080p", "1440p", "2160p"]


def whole(number: object) -> object:
    """Take 5.0 for 5: JSON has one kind of number."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _one_line(text: str) -> str:
    if any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in text):
        raise ValueError("must not hold control characters")
    return text


def _plain_text(text: str) -> str:
    _one_line(text.replace("\n", "").replace("\r", "").replace("\t", ""))
    return text


def _in_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError("is too far away") from None


def _line(longest: int) -> StringConstraints:
    return StringConstraints(strip_whitespace=True, min_length=1, max_length=longest)


def _described(pattern: str) -> Any:
    """Describe in the schema what a validator checks, with words of its own when it refuses."""
    return Field(json_schema_extra={"pattern": pattern})


_PRINTABLE = r"[^\u0000-\u001f\u007f-\u009f]"
_LINE = _described(rf"^{_PRINTABLE}*[^\s\u0000-\u001f\u007f-\u009f]{_PRINTABLE}*$")
"""One line that is not blank."""
_LINES = _described(r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$")

Title = Annotated[str, _line(200), AfterValidator(_one_line), _LINE]
Category = Annotated[str, _line(50), AfterValidator(_one_line), _LINE]
Tag = Annotated[str, _line(50), AfterValidator(_one_line), _LINE]
Description = Annotated[str, StringConstraints(max_length=5000), AfterValidator(_plain_text), _LINES]
Words = Annotated[
    str, StringConstraints(max_length=200), AfterValidator(_one_line), _described(f"^{_PRINTABLE}*$")
]
"""What is looked for: anything that can stand in a stream."""
Cursor = Annotated[str, Field(json_schema_extra={"pattern": "^[A-Za-z0-9_-]*$", "maxLength": MAX_CURSOR})]
Time = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class Request(BaseModel):
    """A body: unknown fields are refused by name, types are taken as they are."""

    model_config = ConfigDict(extra="forbid", strict=True)


class StreamCreation(Request):
    """A new stream."""

    title: Title
    description: Description = ""
    quality: Quality = Field("1080p", description="The top rung; a smaller source is not enlarged.")
    category: Category | None = None
    tags: list[Tag] = Field(default_factory=list, max_length=10)
    is_private: bool = Field(False, description="For the owner, followers and admins only.")
    record_stream: bool = True
    auto_start: bool = Field(False, description="Go live with the first packet of the encoder.")
    scheduled_at: Time | None = None

    def fields(self) -> dict[str, Any]:
        """Give the fields of `control_api.stream.record.Stream`."""
        return _fields(self, exclude_unset=False)


def without_defaults(schema: dict[str, Any]) -> None:
    """Leave the defaults out of the schema of a body whose fields stay as they are when they are not sent."""
    for field in schema["properties"].values():
        field.pop("default", None)


class StreamChange(Request):
    """Any subset of a stream's fields; the others stay as they are."""

    model_config = ConfigDict(json_schema_extra=without_defaults)

    title: Title = ""
    description: Description = ""
    quality: Quality = "1080p"
    category: Category | None = None
    tags: list[Tag] = Field(default_factory=list, max_length=10)
    is_private: bool = False
    record_stream: bool = True
    auto_start: bool = False
    scheduled_at: Time | None = None

    def fields(self) -> dict[str, Any]:
        """Give the fields of `control_api.stream.record.Stream` that were sent."""
        return _fields(self, exclude_unset=True)


def _fields(body: Request, *, exclude_unset: bool) -> dict[str, Any]:
    fields = body.model_dump(exclude_unset=exclude_unset)
    if "tags" in fields:
        fields["tags"] = tuple(fields["tags"])
    return fields


class Nothing(Request):
    """No fields; an empty body will do."""


class StreamFilter(BaseModel):
    """Query of a list of streams."""

    model_config = ConfigDict(extra="forbid")

    category: Words | None = None
    tag: Words | None = None
    user_id: Words | None = None
    q: Words | None = Field(None, description="Part of the title or the description.")
    limit: int = Field(20, ge=1, le=100)
    cursor: Cursor | None = Field(None, description="`next_cursor` of the page before.")


class AnyStreamFilter(StreamFilter):
    """Query of a list of streams of any status."""

    status: Status | None = None


class Media(BaseModel):
    """What arrives from the encoder."""

    model_config = ConfigDict(extra="allow")

    connected: bool = False


class StreamAnswer(BaseModel):
    """A stream as everybody sees it."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    user_id: str
    title: str
    description: str
    quality: str
    category: str | None
    tags: list[str]
    is_private: bool
    record_stream: bool
    auto_start: bool
    scheduled_at: datetime | None
    status: Status
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    end_reason: str | None
    viewer_count: int
    peak_viewers: int
    unique_viewers: int
    comments_count: int
    reactions_count: int
    media: Media
    hls_url: str
    webrtc_url: str


class AdminStreamAnswer(StreamAnswer):
    """A stream as admins see it."""

    preview_url: str | None = Field(
        None,
        description="What arrives before the start, with a playback token; null from the start on. "
        "For the owner and admins only.",
    )


class OwnStreamAnswer(AdminStreamAnswer):
    """A stream as its owner sees it."""

    last_error: str | None = Field(
        None, description="Why the last encoder was turned away or lost. For the owner only."
    )


class NewStreamAnswer(OwnStreamAnswer):
    """A stream that was just made; its key is shown again by `…/key`."""

    stream_key: str
    rtmp_url: str = Field(description="Where to publish, key included.")


class StreamList(BaseModel):
    """A page of streams."""

    streams: list[StreamAnswer]
    next_cursor: str | None = Field(description="Null on the last page.")


class KeyAnswer(BaseModel):
    """A key and where it is used."""

    stream_key: str
    rtmp_url: str


EventName = Literal["stream.live", "stream.ended", "publisher.lost", "stream.reminder"]


class WebhookCreation(Request):
    """A new webhook."""

    url: str = Field(
        min_length=1,
        max_length=2000,
        description="http or https, reachable from this server.",
        json_schema_extra={"pattern": "^[Hh][Tt][Tt][Pp][Ss]?://"},
    )
    events: list[EventName] = Field(min_length=1, max_length=10)


class WebhookAnswer(BaseModel):
    """A webhook."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    url: str
    events: list[str]
    is_global: bool = Field(description="Told of everybody's streams.")
    created_at: datetime
    disabled_at: datetime | None = Field(
        description="When its address said that it wants nothing any more (410)."
    )
    disabled_reason: str | None


class NewWebhookAnswer(WebhookAnswer):
    """A webhook that was just made."""

    secret: str = Field(description="Signs what is sent; shown here only.")


class WebhookList(BaseModel):
    """All webhooks of a user."""

    webhooks: list[WebhookAnswer]


class EligibilityAnswer(BaseModel):
    """Whether a user may go live."""

    model_config = ConfigDict(from_attributes=True)

    eligible: bool
    reason: str | None = Field(None, description="Only when not eligible.")
    follower_count: int
    required: int


class HealthAnswer(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class ReadyAnswer(BaseModel):
    """What serves and what does not."""

    ready: bool
    checks: dict[str, str] = Field(description="`ok`, or why not.")


class FieldError(BaseModel):
    """What is wrong with one field."""

    field: str
    message: str


class Problem(BaseModel):
    """An error, RFC 9457."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str
    status: int
    code: str = Field(description="Stable; for programs.")
    detail: str = Field(description="For people.")
    errors: list[FieldError] | None = None
