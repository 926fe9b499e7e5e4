"""`undertone replay` and `replays`: analyse again what was accepted, behind live traffic."""

import asyncio
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from schemas.event import ID_PATTERN
from undertone.commands.replay_control import AsJson, cancel, finish, open_setup, pause, replays, resume
from undertone.console import confirm, print_json, say, tell_facts
from undertone.dead_letters.options import DryRun, Key, Url, Yes
from undertone.errors import UsageProblem
from undertone.replay.job import Setup, look_for, refuse_taken_name, send, write_down
from undertone.replay.planning import Asked, Chosen, Terms, not_found_line
from undertone.replay.plans import check_name
from undertone.replay.quotes import QUOTE_INDENT, quote_lines, quote_members
from undertone.replay.quoting import quote
from undertone.subject_names import subject_named
from undertone.times import parse_moment

_VERSION = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_CHANNEL = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_EPILOG = """[bold]Examples[/bold]

  undertone replay --since 30d --analysis-version grok-4.3-p2 --dry-run
  undertone replay --since 7d --sentiment negative --analysis-version grok-4.3-p2 --name angry
  undertone replay --status failed --yes
  undertone replay pause angry          [dim]or Ctrl-C where it runs[/dim]
  undertone replay resume angry

[dim]Nothing is sent twice, however it was stopped. Erased conversations are never sent.[/dim]"""


class Sentiment(StrEnum):
    """How the customer feels."""

    POSITIVE = "positive"
    NEUTRAL = "neutral"
    NEGATIVE = "negative"


class Status(StrEnum):
    """How a conversation stands."""

    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class _How:
    """What is to be done with what was chosen."""

    name: str
    version: str | None
    rate: float
    is_dry_run: bool
    is_json: bool
    is_agreed: bool


def register(app: typer.Typer) -> None:
    """Mount both commands."""
    group = typer.Typer(invoke_without_command=True, epilog=_EPILOG)
    group.callback(epilog=_EPILOG)(replay)
    group.command("pause", no_args_is_help=True)(pause)
    group.command("resume", no_args_is_help=True)(resume)
    group.command("cancel", no_args_is_help=True)(cancel)
    app.add_typer(group, name="replay")
    app.command("replays")(replays)


def replay(  # noqa: PLR0917 - typer reads options from parameters
    context: typer.Context,
    since: Annotated[
        str | None, typer.Option(help="Received by Kafka since: 24h, 7d, a date or a time.", show_default=False)
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Received before; as --since. Default: now.", show_default=False)
    ] = None,
    conversation: Annotated[
        list[str] | None,
        typer.Option("--conversation", metavar="ID", help="Only these; repeat it.", show_default=False),
    ] = None,
    channel: Annotated[str | None, typer.Option(help="Only those of a channel.", show_default=False)] = None,
    subject: Annotated[
        str | None, typer.Option("--subject", "--topic", help="Only those found to be about it.", show_default=False)
    ] = None,
    sentiment: Annotated[Sentiment | None, typer.Option(help="Only those found to be so.", show_default=False)] = None,
    status: Annotated[Status | None, typer.Option(help="Only those that stand so.", show_default=False)] = None,
    analysis_version: Annotated[
        str | None, typer.Option(help="Analyse under it. Default: the active one.", show_default=False)
    ] = None,
    new_version: Annotated[
        bool, typer.Option("--new-version", help="Nothing is known under the version yet; that is no mistake.")
    ] = False,
    rate: Annotated[float, typer.Option(min=0, max=1e6, help="Most conversations a second sent; 0: no limit.")] = 2000,
    name: Annotated[str | None, typer.Option(help="What to call it. Default: its time.", show_default=False)] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Send conversations to the replay lane: the newest revision of each, to be analysed behind live traffic.

    With --analysis-version the results stand beside those of the active version. What is known under a version
    already costs nothing. `--dry-run` says what it would take; Ctrl-C pauses.
    """
    if context.invoked_subcommand is not None:
        return
    now = datetime.now(UTC)
    asked = Asked(
        since=parse_moment(since, "--since", now) if since else None,
        until=min(parse_moment(until, "--until", now), now) if until else now,
        is_open=until is None,
        conversation_ids=_ids(conversation),
        channel=_matching(channel, _CHANNEL, "--channel"),
        subject=subject_named(subject, "--subject") if subject else None,
        sentiment=sentiment.value if sentiment else None,
        status=status.value if status else None,
        text=_as_written(since, until, conversation, channel, subject, sentiment, status),
    )
    if not asked.text:
        raise UsageProblem("What to replay? Give --since (such as 24h or 30d), or a selection; see --help.")
    how = _How(
        name=check_name(name or f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"),
        version=_matching(analysis_version, _VERSION, "--analysis-version"),
        rate=rate,
        is_dry_run=dry_run,
        is_json=as_json,
        is_agreed=yes,
    )
    with open_setup(url, key) as setup:
        refuse_taken_name(setup.plans, how.name)
        active, known = setup.api.versions()
        setup.api.refuse_retired(how.version)
        if not new_version:
            _refuse_unknown(how.version, known)
        asyncio.run(_replay(setup, asked, how, active, now))


def _refuse_unknown(version: str | None, known: Sequence[str]) -> None:
    if version is not None and version not in known:
        raise UsageProblem(
            f"Nothing is known under the analysis version {version}; there are: {', '.join(known) or 'none'}. "
            f"If analyzers that have it run or will run, add --new-version: until then the replay lane waits."
        )


async def _replay(setup: Setup, asked: Asked, how: _How, active: str | None, now: datetime) -> None:
    chosen = await look_for(setup, asked)
    if chosen.not_found:
        say(not_found_line(asked, chosen))
    if how.is_dry_run or not how.is_agreed:
        await _show_price(setup, chosen, how, how.version or active)
    lack = await asyncio.to_thread(setup.api.lack_of, how.version or active)
    if lack is not None and (how.is_dry_run or how.is_agreed):
        say(lack)
    if how.is_dry_run:
        return
    if not how.is_agreed:
        confirm("Send them?" if lack is None else f"{lack} Send them all the same?", "Nothing was sent.")
    await write_down(setup, asked, chosen, Terms(how.name, how.version, how.rate, now))
    finish(await send(setup, how.name), is_json=how.is_json)


async def _show_price(setup: Setup, chosen: Chosen, how: _How, version: str | None) -> None:
    found = await quote(setup, chosen, version, rate=how.rate)
    if how.is_json:
        if how.is_dry_run:
            print_json(quote_members(found))
        return
    tell_facts(quote_lines(found), QUOTE_INDENT)


def _ids(given: list[str] | None) -> frozenset[str] | None:
    for one in given or ():
        if not re.fullmatch(ID_PATTERN, one):
            raise UsageProblem(f"--conversation is {one[:40]!r}, which is no conversation id (A-Z a-z 0-9 . _ : -).")
    return frozenset(given) if given else None


def _matching(text: str | None, pattern: re.Pattern[str], option: str) -> str | None:
    if text is not None and not pattern.fullmatch(text):
        raise UsageProblem(f"{option} is {text[:40]!r}; 1 to 64 of A-Z a-z 0-9 . _ : - are needed.")
    return text


def _as_written(since: str | None, until: str | None, conversation: list[str] | None, *others: object) -> str:
    """The selection in words, for `undertone replays`."""
    names = ("--channel", "--subject", "--sentiment", "--status")
    parts = [f"{option} {text}" for option, text in (("--since", since), ("--until", until)) if text]
    parts += [f"{option} {value}" for option, value in zip(names, others, strict=True) if value]
    if conversation:
        parts.append(
            f"--conversation {conversation[0]}" + (f" and {len(conversation) - 1} more" * (len(conversation) > 1))
        )
    return " ".join(parts)
