"""No client and no operator reads pydantic's own words."""

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal

import pytest
from pydantic import AnyHttpUrl, AwareDatetime, Field, TypeAdapter, ValidationError
from pydantic_core._pydantic_core import list_all_errors

from services.runtime.findings import in_words


@pytest.mark.parametrize("known", list_all_errors(), ids=lambda known: known["type"])
def test_no_finding_is_said_in_pydantics_words(known: dict[str, Any]) -> None:
    context, message = known.get("example_context") or {}, known["example_message_python"]
    said = in_words({"type": known["type"], "ctx": context, "msg": message})
    assert re.search(r"^Input|\bshould\b|^Value error|Field required|Extra inputs|[{}]", said) is None


@pytest.mark.parametrize(
    ("annotation", "value", "said"),
    [
        (int, "many", "must be a whole number"),
        (int, 1.5, "must be a whole number"),
        (float, "much", "must be a number"),
        (bool, "perhaps", "must be true or false"),
        (str, 7, "must be a string"),
        (list[int], "a", "must be an array"),
        (dict[str, int], "a", "must be an object"),
        (Annotated[int, Field(ge=1)], 0, "must be at least 1"),
        (Annotated[int, Field(le=1000)], 1001, "must be at most 1000"),
        (Annotated[str, Field(min_length=1)], "", "must not be empty"),
        (Annotated[str, Field(min_length=3)], "a", "must have at least 3 characters"),
        (Annotated[str, Field(max_length=1000)], "a" * 1001, "is longer than 1,000 characters"),
        (Annotated[list[int], Field(max_length=1)], [1, 2], "has more than 1 entries"),
        (Literal["hour", "day"], "week", "must be 'hour' or 'day'"),
        (AwareDatetime, "noon", "must be an ISO 8601 time with a zone, such as 2026-01-31T12:00:00Z"),
        (AwareDatetime, datetime(2026, 1, 1), "needs a zone, such as 2026-01-31T12:00:00Z"),  # noqa: DTZ001 - the point
        (date, "noon", "must be a date such as 2026-01-31"),
        (AnyHttpUrl, "ftp://a", "must begin with 'http' or 'https'"),
        (AnyHttpUrl, "nowhere", "must be an address such as http://127.0.0.1:8000"),
    ],
)
def test_a_finding_says_what_would_be_right(annotation: Any, value: Any, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(annotation).validate_python(value)
    assert [in_words(finding) for finding in refused.value.errors()] == [said]
