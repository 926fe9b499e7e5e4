"""Query parameters of the read API: types, bounds and defaults; what is wrong is a 400 that names the parameter."""

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Header, Path
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from schemas.event import refuse_unstorable_text
from services.runtime.problems import FieldProblem, Problem
from services.sink.windows import Window

DEFAULT_WINDOW = timedelta(hours=24)
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_IS_NUMBER = re.compile(r"\s*[-+]?[\d.]+\s*")
_SPACE_FOR_PLUS = re.compile(r"(:\d{2}(?:\.\d+)?) (\d{2}:?\d{2})$")


def _mend_plus(value: Any) -> Any:
    """In a query an unescaped + reads as a space: `…00:00 02:00` is what many clients send for +02:00."""
    if not isinstance(value, str):
        return value
    if _IS_NUMBER.fullmatch(value):  # seconds or milliseconds since 1970? Nobody can tell
        raise ValueError("must be an ISO 8601 time with a zone, such as 2026-01-31T12:00:00Z")
    return _SPACE_FOR_PLUS.sub(r"\1+\2", value)


def _in_range(moment: datetime) -> datetime:
    if not _EARLIEST <= moment <= _LATEST:
        raise ValueError("must be between the years 1970 and 2200")
    return moment.astimezone(UTC)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("is not the name of a time zone, such as Europe/Berlin") from error


def worded(pattern: str, sentence: str) -> BeforeValidator:
    """Says in words what the pattern, which the API's document shows, says in signs."""
    compiled = re.compile(pattern)

    def check(value: Any) -> Any:
        if isinstance(value, str) and not compiled.search(value):
            raise ValueError(sentence)
        return value

    return BeforeValidator(check)


_TOPIC = r"^[a-z0-9]+(_[a-z0-9]+)*$"
_NAME = r"^[A-Za-z0-9._:-]{1,64}$"
_NAME_SENTENCE = "must be 1 to 64 of the characters A-Z a-z 0-9 . _ : -"

Moment = Annotated[AwareDatetime, BeforeValidator(_mend_plus), AfterValidator(_in_range)]
Words = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(refuse_unstorable_text)]
Topic = Annotated[
    str, Field(pattern=_TOPIC, max_length=64), worded(_TOPIC, "must be a subject such as delivery or refund_status")
]
Channel = Annotated[str, Field(pattern=_NAME), worded(_NAME, _NAME_SENTENCE)]
Version = Annotated[str, Field(pattern=_NAME), worded(_NAME, _NAME_SENTENCE)]
CursorText = Annotated[str, Field(min_length=1, max_length=600)]
Zone = Annotated[str, Field(max_length=64), AfterValidator(lambda name: _zone(name).key)]


class SentimentName(StrEnum):
    POSITIVE = "positive"
    NEUTRAL = "neutral"
    NEGATIVE = "negative"


class OrderName(StrEnum):
    NEWEST = "newest"
    MOST_NEGATIVE = "most_negative"
    LEAST_CONFIDENT = "least_confident"


class StatusName(StrEnum):
    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    SKIPPED = "skipped"
    FAILED = "failed"


class BucketName(StrEnum):
    HOUR = "hour"
    DAY = "day"


class WindowParameters(BaseModel):
    """A window of occurred_at: it holds its start and not its end."""

    model_config = ConfigDict(extra="forbid")

    start_time: Moment | None = Field(
        default=None, description="ISO 8601 with a zone. Default: 24 hours before the end."
    )
    end_time: Moment | None = Field(default=None, description="ISO 8601 with a zone. Default: now.")

    def window(self, now: datetime, default_length: timedelta = DEFAULT_WINDOW) -> Window:
        """The window that is asked for. Raises a 400 Problem when it ends before it starts."""
        end = self.end_time or now
        start = self.start_time or end - default_length
        if start >= end:
            field = "end_time" if self.end_time else "start_time"
            raise refused(field, "must be after start_time" if self.end_time else "must be in the past")
        return Window(start, end)

    @property
    def has_window(self) -> bool:
        return self.start_time is not None or self.end_time is not None


class FilterParameters(WindowParameters):
    """Which insights are meant."""

    min_confidence: float | None = Field(default=None, ge=0, le=1, allow_inf_nan=False)
    sentiment: SentimentName | None = None
    topic: Topic | None = Field(default=None, description="A subject, such as `delivery`.")
    channel: Channel | None = None
    analysis_version: Version | None = Field(default=None, description="Default: the active one.")
    q: Words | None = Field(
        default=None,
        description="Words that all occur in the conversation; `deliver*` finds all that begin so.",
    )


class InsightParameters(FilterParameters):
    """A page of insights."""

    limit: int = Field(default=100, ge=1, le=1_000)
    order: OrderName = OrderName.NEWEST
    cursor: CursorText | None = Field(default=None, description="`next_cursor` of the page before.")


class ConversationParameters(WindowParameters):
    """A page of conversations."""

    status: StatusName | None = None
    channel: Channel | None = None
    limit: int = Field(default=100, ge=1, le=1_000)
    cursor: CursorText | None = Field(default=None, description="`next_cursor` of the page before.")


class TrendParameters(WindowParameters):
    """A window as days up to now, or by its ends."""

    days: int | None = Field(default=None, ge=1, le=3_650, description="Days up to now. Default: 7.")
    bucket: BucketName | None = Field(default=None, description="Default: hour up to two days, else day.")
    topic: Topic | None = None
    channel: Channel | None = None
    analysis_version: Version | None = Field(default=None, description="Default: the active one.")
    tz: Zone = Field(default="UTC", description="Whose days the buckets are, such as Europe/Berlin.")

    def trend_window(self, now: datetime) -> Window:
        """The window that is asked for. Raises a 400 Problem."""
        if self.days is not None and self.has_window:
            raise refused("days", "cannot be given together with start_time and end_time")
        return self.window(now, timedelta(days=self.days or 7))


def refused(field: str, problem: str) -> Problem:
    """A 400 that names the parameter."""
    return Problem(400, "invalid_parameter", f"{field}: {problem}", errors=[FieldProblem(field, problem)])


def refuse_unexpected(request: Request) -> None:
    """No parameter may be given that the route does not have, and none twice. Raises a 400 Problem.

    The former is a mistake of whoever sends it; the latter has no meaning that both sides would agree on.
    """
    if not request.query_params:
        return
    parameters = get_flat_params(request.scope["route"].dependant)
    known = {one.alias for one in parameters if not isinstance(one.field_info, Header | Path)}
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if name not in known:
            raise refused(name, "is not known here")
        if names.count(name) > 1:
            raise refused(name, "is given more than once")
