"""`undertone insights`, `trends` and `show`: the read API for people who do not speak curl."""

import re
import shlex
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import quote

import typer

from schemas.event import ID_PATTERN
from services.runtime.settings import load_settings
from undertone import settings as addresses
from undertone.console import output, print_json
from undertone.errors import CommandError, UsageProblem
from undertone.read_api import NotFoundError, ReadApi
from undertone.settings import CommandLineSettings
from undertone.subject_names import subject_named
from undertone.times import parse_moment
from undertone.views.conversation import conversation_view
from undertone.views.insights import footer, insights_table, nothing_found
from undertone.views.trends import trends_view

_URL = Annotated[
    str | None,
    typer.Option("--read-api-url", help="The read API. Default: the stack that runs here.", show_default=False),
]
_KEY = Annotated[
    str | None,
    typer.Option("--api-key", help="Better: UNDERTONE_API_KEY in the environment.", show_default=False),
]
_JSON = Annotated[bool, typer.Option("--json", help="The API's answer, for programs.")]
_SINCE = Annotated[str | None, typer.Option(help="24h, 7d, a date or a time.", show_default=False)]
_UNTIL = Annotated[str | None, typer.Option(help="As --since; default: now.", show_default=False)]


_VERSION = Annotated[
    str | None,
    typer.Option("--analysis-version", help="Such as offline-2. Default: the active one.", show_default=False),
]


class Sentiment(StrEnum):
    """How a customer felt."""

    POSITIVE = "positive"
    NEUTRAL = "neutral"
    NEGATIVE = "negative"


class Order(StrEnum):
    """What comes first."""

    NEWEST = "newest"
    MOST_NEGATIVE = "most_negative"
    LEAST_CONFIDENT = "least_confident"


def register(app: typer.Typer) -> None:
    """Mount the three commands."""
    app.command("insights")(insights)
    app.command("trends")(trends)
    app.command("show", no_args_is_help=True)(show)


def insights(  # noqa: PLR0917 - typer reads options from parameters
    sentiment: Annotated[Sentiment | None, typer.Option(help="Only those that felt so.")] = None,
    subject: Annotated[
        str | None, typer.Option(help="Only those about this subject, by title or slug.", show_default=False)
    ] = None,
    channel: Annotated[str | None, typer.Option(help="Only those of this channel.", show_default=False)] = None,
    since: _SINCE = None,
    until: _UNTIL = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many to list.")] = 10,
    order: Annotated[Order, typer.Option(help="What comes first.")] = Order.NEWEST,
    search: Annotated[str | None, typer.Option("--search", "-q", help="Words to look for.", show_default=False)] = None,
    version: _VERSION = None,
    url: _URL = None,
    key: _KEY = None,
    as_json: _JSON = False,
) -> None:
    """List what was found in the last 24 hours or since --since, newest first, with quotes."""
    now = datetime.now(UTC)
    subject = _slug(subject)
    parameters: dict[str, object] = {
        **_window(since, until, now),
        "sentiment": sentiment.value if sentiment else None,
        "topic": subject,
        "channel": channel,
        "limit": limit,
        "order": order.value if order is not Order.NEWEST else None,
        "q": search,
        "analysis_version": version,
    }
    answer = _get("/api/v1/insights", parameters, url, key)
    if as_json:
        print_json(answer)
        return
    while not answer.get("insights") and (cursor := (answer.get("metadata") or {}).get("next_cursor")):
        answer = _get("/api/v1/insights", {**parameters, "cursor": cursor}, url, key)  # a search that takes its time
    found = answer.get("insights") or []
    metadata = answer.get("metadata") or {}
    if not found:
        output().print(nothing_found(metadata, "insights", _filters(sentiment, subject, channel, search), now))
        return
    output().print(insights_table(found))
    output().print(footer(metadata, len(found)))


def trends(  # noqa: PLR0917 - typer reads options from parameters
    days: Annotated[int | None, typer.Option(min=1, max=3650, help="The last so many days.")] = None,
    since: _SINCE = None,
    until: _UNTIL = None,
    subject: Annotated[
        str | None, typer.Option(help="Only this subject, by title or slug.", show_default=False)
    ] = None,
    channel: Annotated[str | None, typer.Option(help="Only this channel.", show_default=False)] = None,
    version: _VERSION = None,
    url: _URL = None,
    key: _KEY = None,
    as_json: _JSON = False,
) -> None:
    """Show how sentiment and subjects developed in the last 7 days, or in the time named."""
    if days is not None and (since or until):
        raise typer.BadParameter("use either --days or --since and --until.")
    now = datetime.now(UTC)
    subject = _slug(subject)
    window = _window(since, until, now) if since or until else {"days": days or 7}
    parameters = {**window, "topic": subject, "channel": channel, "analysis_version": version}
    answer = _get("/api/v1/trends", parameters, url, key)
    if as_json:
        print_json(answer)
    elif answer.get("total_insights"):
        output().print(trends_view(answer))
    else:
        output().print(nothing_found(answer, "trends", _filters(None, subject, channel, None), now))


def show(
    conversation_id: Annotated[str, typer.Argument(metavar="ID", help="A conversation's or an insight's id.")],
    url: _URL = None,
    key: _KEY = None,
    as_json: _JSON = False,
) -> None:
    """Show one conversation: its words, with those marked that speak for the result, and its insight."""
    if not re.fullmatch(ID_PATTERN, conversation_id):
        raise UsageProblem(
            f"{conversation_id[:80]!r} is no id: 1 to 128 of the characters A-Z a-z 0-9 . _ : - are; "
            f"`undertone insights` lists ids."
        )
    try:
        answer = _conversation(conversation_id, url, key)
    except NotFoundError:
        answer = _conversation_of_insight(conversation_id, url, key)
    if as_json:
        print_json(answer)
    else:
        output().print(conversation_view(answer))


def _conversation(conversation_id: str, url: str | None, key: str | None) -> dict[str, Any]:
    quoted = quote(conversation_id, safe="")
    if not quoted.strip("."):
        quoted = quoted.replace(".", "%2E")  # or the client takes the id for a step upwards
    return _get(f"/api/v1/conversations/{quoted}", {}, url, key)


def _conversation_of_insight(insight_id: str, url: str | None, key: str | None) -> dict[str, Any]:
    """The conversation that an insight is about. Raises CommandError when the id is no insight's either."""
    try:
        insight = _get(f"/api/v1/insights/{uuid.UUID(insight_id)}", {}, url, key)
        return _conversation(str(insight["conversation_id"]), url, key)
    except (NotFoundError, ValueError):
        shown = insight_id[:80]
        raise CommandError(f"There is no conversation {shown!r}; `undertone insights` lists ids.") from None


def _window(since: str | None, until: str | None, now: datetime) -> dict[str, object]:
    """The window as the API wants it: both ends or, by default, its own last 24 hours."""
    if since is None and until is None:
        return {}
    end = parse_moment(until, "--until", now) if until is not None else now
    start = parse_moment(since, "--since", now) if since is not None else end - timedelta(days=1)
    if start >= end:
        raise typer.BadParameter(f"the time to show would end ({end:%Y-%m-%d %H:%M}) before it begins.")
    return {"start_time": start.isoformat(), "end_time": end.isoformat()}


def _slug(subject: str | None) -> str | None:
    return None if subject is None else subject_named(subject, "--subject")


def _filters(sentiment: Sentiment | None, subject: str | None, channel: str | None, search: str | None) -> str:
    """The filters as they would stand on a command line."""
    given = {"--sentiment": sentiment, "--subject": subject, "--channel": channel, "--search": search}
    return " ".join(f"{name} {shlex.quote(value)}" for name, value in given.items() if value)


def _get(path: str, parameters: Mapping[str, object], url: str | None, key: str | None) -> dict[str, Any]:
    settings = load_settings(CommandLineSettings)
    with ReadApi(addresses.read_api_url(url, settings), addresses.api_key(key, settings)) as api:
        return api.get(path, parameters)
