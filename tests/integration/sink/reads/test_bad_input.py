"""Bad input, by endpoint and parameter: 400 with the field's name and our own words, never a 500."""

import re
from datetime import UTC

import httpx
import pytest

from services.sink.cursors import Cursor, write_cursor
from services.sink.windows import Window
from tests.integration.sink.harness import NOW
from tests.integration.sink.reads.reading import FIRST, WHOLE, get

SQL = ("'", "' OR 1=1 --", "1; DROP TABLE insights", "$1", "{conditions}")
TEXTS = ("", "\x00", "\ud800", "é" * 700, *SQL)
NUMBERS = ("", "ten", "1e3", "0x10", "\uff11", "99999999999999999999", "\x00", "nan", *SQL)
TIMES: tuple[str, ...] = (
    "",
    "yesterday",
    "2026-01-01",
    "2026-01-01T00:00:00",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59Z",
)
TIMES += ("1e999", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00+99:99", "1767225600", "\x00", *SQL)
INSIGHTS, EXPORT, STREAM = "/api/v1/insights", "/api/v1/insights/export", "/api/v1/insights/stream"
TRENDS, CONVERSATIONS = "/api/v1/trends", "/api/v1/conversations"
WRONG: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "start_time": ((INSIGHTS, EXPORT, TRENDS, CONVERSATIONS), TIMES),
    "end_time": ((INSIGHTS, EXPORT, TRENDS, CONVERSATIONS), TIMES),
    "limit": ((INSIGHTS, CONVERSATIONS), ("0", "-1", "1001", "1.5", *NUMBERS)),
    "cursor": ((INSIGHTS, CONVERSATIONS), ("x", "AAAA", "é", "x" * 601, *TEXTS)),
    "channel": ((INSIGHTS, EXPORT, STREAM, TRENDS, CONVERSATIONS), ("a b", "x" * 65, *TEXTS)),
    "topic": ((INSIGHTS, EXPORT, STREAM, TRENDS), ("Delivery", "x" * 65, "a--b", "_", *TEXTS)),
    "analysis_version": ((INSIGHTS, EXPORT, TRENDS), ("a b", "x" * 65, *TEXTS)),
    "sentiment": ((INSIGHTS, EXPORT, STREAM), ("angry", "POSITIVE", *TEXTS)),
    "min_confidence": ((INSIGHTS, EXPORT, STREAM), ("inf", "-0.1", "1.1", "high", "", "nan", *SQL)),
    "q": ((INSIGHTS, EXPORT), ("", "\x00", "x" * 10_000)),
    "order": ((INSIGHTS,), ("oldest", "1", "occurred_at DESC", *TEXTS)),
    "format": ((EXPORT,), ("xlsx", "CSV", *TEXTS)),
    "status": ((CONVERSATIONS,), ("done", "Failed", *TEXTS)),
    "days": ((TRENDS,), ("0", "-7", "3651", "week", "1.5", *NUMBERS)),
    "bucket": ((TRENDS,), ("minute", "HOUR", *TEXTS)),
    "tz": ((TRENDS,), ("Mars", "../passwd", "Europe", "/etc/localtime", "x" * 65, *TEXTS)),
    "last_event_id": ((STREAM,), ("x", "1", "1:2:3", "1:-2", "9" * 40 + ":1", "0:" + "9" * 19, *SQL)),
    "page": ((INSIGHTS, EXPORT, STREAM, TRENDS, CONVERSATIONS), ("2",)),
}
PYDANTIC = re.compile(r"Input should|Value error|String should|valid (string|integer|number)|pydantic|\^\[")


def refuses(answer: httpx.Response, field: str) -> None:
    assert answer.status_code == 400, answer.text[:300]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["error"] == "invalid_parameter"
    assert field in [one["field"] for one in answer.json()["errors"]]
    assert not PYDANTIC.search(answer.text), answer.text


@pytest.mark.parametrize("name", WRONG)
async def test_a_wrong_parameter_is_400_and_is_named_in_our_words(client: httpx.AsyncClient, name: str) -> None:
    paths, values = WRONG[name]
    for path in paths:
        for value in values:
            query = f"{name}={quoted(value)}"
            refuses(await client.get(f"{path}?{query}"), name)


def quoted(value: str) -> str:
    """As a client without manners sends it: lone surrogates too."""
    return "".join(f"%{byte:02X}" for byte in value.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("path", [INSIGHTS, EXPORT, STREAM, TRENDS, CONVERSATIONS])
async def test_a_parameter_that_is_given_twice_is_400(client: httpx.AsyncClient, path: str) -> None:
    refuses(await client.get(f"{path}?channel=chat&channel=chat"), "channel")
    refuses(await client.get(f"{path}?channel=chat&channel="), "channel")


async def test_no_route_takes_a_parameter_that_it_does_not_have_or_one_twice(client: httpx.AsyncClient) -> None:
    routes = await routes_of(client)
    assert len(routes) >= 14
    for method, path, parameters in routes:
        for name in {"conversation_id", "nonsense", "last-event-id"} - parameters:
            refuses(await client.request(method, f"{path}?{name}=c1", json={}), name)
        for name in parameters:
            refuses(await client.request(method, f"{path}?{name}=1&{name}=1"), name)


async def routes_of(client: httpx.AsyncClient) -> list[tuple[str, str, set[str]]]:
    """Each documented route of the API as (method, path with ids in it, names of query parameters)."""
    document = (await client.get("/openapi.json")).json()
    return [
        (
            method.upper(),
            re.sub(r"\{\w+\}", "00000000-0000-0000-0000-000000000001", path),
            {one["name"] for one in route.get("parameters", ()) if one["in"] == "query"},
        )
        for path, methods in document["paths"].items()
        for method, route in methods.items()
        if path.startswith(("/api/", "/internal/"))
    ]


@pytest.mark.parametrize(
    "q", ["%", "_", "'", "!", "&|!():*", "*", "**", "a*b", "<->", "\\", "-- ", "🦄", "ﷺ" * 60, "\u0430\u0301"]
)
async def test_any_words_may_be_searched_for(client: httpx.AsyncClient, q: str) -> None:
    for word in (q, f"{q}*", f"words {q}"):
        assert (await get(client, INSIGHTS, **WHOLE, q=word))["metadata"]["count_is_exact"]


@pytest.mark.parametrize("identifier", ["%2e%2e%2e", "a%20b", "a%00", "%27%20OR%201=1", "x" * 129, "a%2Fb", "é", "a,b"])
@pytest.mark.parametrize(
    "path", ["/api/v1/insights/{}", "/api/v1/insights/{}/completion", "/api/v1/conversations/{}/trail"]
)
async def test_an_id_that_cannot_be_is_400_or_404(client: httpx.AsyncClient, path: str, identifier: str) -> None:
    answer = await client.get(path.format(identifier))
    assert answer.status_code in {400, 404}, answer.text
    assert answer.json()["details"]
    assert not PYDANTIC.search(answer.text), answer.text


@pytest.mark.parametrize("path", [INSIGHTS, TRENDS, CONVERSATIONS, "/api/v1/status"])
async def test_a_slash_at_the_end_changes_nothing(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(f"{path}/", follow_redirects=True)).status_code == 200


@pytest.mark.parametrize(
    "path", ["//", "/api/v1/insights//", "/api/v1/insights//completion", "/api/v1/conversations//trail"]
)
async def test_an_empty_id_is_no_500(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(f"http://read-api{path}", follow_redirects=True)).status_code in {200, 400, 404}


async def test_a_forged_cursor_is_400_however_well_it_is_made(client: httpx.AsyncClient) -> None:
    window = Window(FIRST.astimezone(UTC), NOW)
    forged = write_cursor(Cursor(window, 0, "'; DROP TABLE insights"), "0" * 16, "another key")
    for path in (INSIGHTS, CONVERSATIONS):
        refuses(await client.get(path, params={"cursor": forged}), "cursor")
    real = (await get(client, INSIGHTS, **WHOLE, limit=1))["metadata"]["next_cursor"]
    for place in range(0, len(real), 7):
        other = "A" if real[place] != "A" else "B"
        refuses(await client.get(INSIGHTS, params={"cursor": real[:place] + other + real[place + 1 :]}), "cursor")


async def test_extreme_windows_have_answers(client: httpx.AsyncClient) -> None:
    ages = {"start_time": "1970-01-01T00:00:00Z", "end_time": "2200-01-01T00:00:00Z"}
    for order in ("newest", "most_negative", "least_confident"):
        assert (await get(client, INSIGHTS, **ages, order=order, limit=1000, q="words"))["metadata"][
            "total_count"
        ] == 400
    assert len((await get(client, CONVERSATIONS, **ages, limit=1000))["conversations"]) == 403
    refuses(await client.get(TRENDS, params=ages), "bucket")
    instant = {"start_time": "2200-01-01T00:00:00Z", "end_time": "2200-01-01T00:00:00Z"}
    for path in (INSIGHTS, TRENDS, CONVERSATIONS, EXPORT):
        refuses(await client.get(path, params=instant), "end_time")
    beginning = await get(client, INSIGHTS, end_time="1970-01-01T00:00:00Z")
    assert beginning["metadata"]["start_time"] == "1969-12-31T00:00:00Z"


@pytest.mark.parametrize("path", ["/api/v1/insights", "/api/v1/trends", "/api/v1/conversations"])
async def test_a_window_that_ends_before_it_starts_is_400(client: httpx.AsyncClient, path: str) -> None:
    inverted = {"start_time": NOW.isoformat(), "end_time": FIRST.isoformat()}
    answer = await client.get(path, params=inverted)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "end_time")


async def test_a_cursor_of_other_filters_or_another_window_is_400(client: httpx.AsyncClient) -> None:
    first = await get(client, "/api/v1/insights", **WHOLE, limit=1)
    cursor = first["metadata"]["next_cursor"]
    other_filters = await client.get("/api/v1/insights", params={"cursor": cursor, "sentiment": "negative"})
    other_window = await client.get("/api/v1/insights", params={"cursor": cursor, "end_time": FIRST.isoformat()})
    assert [other_filters.status_code, other_window.status_code] == [400, 400]
    assert other_filters.json()["errors"][0]["field"] == "cursor"


async def test_a_time_whose_plus_was_not_escaped_is_understood(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/insights?start_time=2026-03-01T00:00:00+02:00&end_time=2026-03-02T00:00:00Z")
    assert answer.json()["metadata"]["start_time"] == "2026-02-28T22:00:00Z"
