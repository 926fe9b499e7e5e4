"""Options that the commands on dead letters share, and the API that they speak to."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated

import typer

from services.runtime.settings import load_settings
from undertone import settings as addresses
from undertone.dead_letters.api import DeadLetterApi
from undertone.settings import CommandLineSettings


class State(StrEnum):
    """Where a dead letter stands."""

    WAITING = "waiting"
    SENDING = "sending"
    REDRIVEN = "redriven"
    DROPPED = "dropped"


Names = Annotated[list[str] | None, typer.Argument(metavar="ID…|FINGERPRINT", show_default=False)]
StateOption = Annotated[State | None, typer.Option(help="Only those that are so.", show_default=False)]
Topic = Annotated[str | None, typer.Option(help="Only those from this topic.", show_default=False)]
Reason = Annotated[str | None, typer.Option(help="Such as llm_error or undecodable.", show_default=False)]
Service = Annotated[str | None, typer.Option(help="Only those that this service buried.", show_default=False)]
Conversation = Annotated[str | None, typer.Option("--conversation", help="Only this one's.", show_default=False)]
Since = Annotated[str | None, typer.Option(help="Failed since: 24h, 7d, a date or a time.", show_default=False)]
Until = Annotated[str | None, typer.Option(help="Failed before; as --since.", show_default=False)]
Url = Annotated[
    str | None,
    typer.Option("--read-api-url", help="The read API. Default: the stack that runs here.", show_default=False),
]
Key = Annotated[
    str | None,
    typer.Option("--api-key", help="Better: UNDERTONE_API_KEY in the environment.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="The API's answer, for programs.")]
Everything = Annotated[bool, typer.Option("--all", help="Every one that waits.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Note = Annotated[str, typer.Option(help="Why; kept in the history.")]


@contextmanager
def open_api(url: str | None, key: str | None) -> Iterator[DeadLetterApi]:
    settings = load_settings(CommandLineSettings)
    with DeadLetterApi(addresses.read_api_url(url, settings), addresses.api_key(key, settings)) as api:
        yield api
