"""`undertone dlq`: what could not be processed, why, and what to do with it."""

import base64
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from undertone.commands.dlq_decisions import drop, redrive
from undertone.console import output, print_json, say
from undertone.dead_letters import views
from undertone.dead_letters.api import PATH
from undertone.dead_letters.options import (
    AsJson,
    Conversation,
    Key,
    Reason,
    Service,
    Since,
    State,
    StateOption,
    Topic,
    Until,
    Url,
    open_api,
)
from undertone.dead_letters.selecting import shown_id, which
from undertone.errors import UsageProblem
from undertone.times import parse_moment

_HELP = """Dead letters: records that could not be processed, kept byte for byte.

Mend the cause, then `redrive`: each record goes back to its topic, once."""


def register(app: typer.Typer) -> None:
    """Mount the group."""
    group = typer.Typer(help=_HELP, no_args_is_help=True)
    group.command("list")(list_letters)
    group.command("show", no_args_is_help=True)(show)
    group.command("redrive", no_args_is_help=True)(redrive)
    group.command("drop", no_args_is_help=True)(drop)
    group.command("history")(history)
    app.add_typer(group, name="dlq")


def list_letters(  # noqa: PLR0917 - typer reads options from parameters
    fingerprint: Annotated[
        str | None, typer.Argument(help="List the letters of one group.", show_default=False)
    ] = None,
    each: Annotated[bool, typer.Option("--each", help="List letters instead of groups.")] = False,
    state: StateOption = State.WAITING,
    any_state: Annotated[bool, typer.Option("--any-state", help="Also what was sent again or dropped.")] = False,
    topic: Topic = None,
    reason: Reason = None,
    service: Service = None,
    conversation: Conversation = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many to list.")] = 20,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List what waits: by cause, with counts; the letters of one cause when its fingerprint is given."""
    now = datetime.now(UTC)
    named = which([fingerprint]) if fingerprint else {}
    if "dead_letter_ids" in named:
        raise UsageProblem("This is the id of one dead letter: `undertone dlq show` shows it.")
    parameters = {
        **named,
        "state": None if any_state or state is None else state.value,
        "topic": topic,
        "reason": reason,
        "service": service,
        "conversation_id": conversation,
        "start_time": parse_moment(since, "--since", now).isoformat() if since else None,
        "end_time": parse_moment(until, "--until", now).isoformat() if until else None,
        "limit": limit,
    }
    is_each = each or fingerprint is not None
    with open_api(url, key) as api:
        answer = api.get(PATH if is_each else f"{PATH}/groups", parameters)
        if fingerprint is not None and not answer["dead_letters"]:
            api.refuse_unknown(named)
    if as_json:
        print_json(answer)
        return
    found = answer["dead_letters"] if is_each else answer["groups"]
    if not found:
        nothing = f"No dead letters of {fingerprint}" if fingerprint else "No dead letters"
        output().print(f"{nothing}." if any_state else f"{nothing} wait. `--any-state` lists all.")
        return
    output().print(views.letters_view(found) if is_each else views.groups_view(found))
    if is_each and answer["metadata"]["next_cursor"]:
        say(f"There are more than these {len(found)}: see --limit, or narrow it down with --since and --until.")


def show(  # noqa: PLR0917 - typer reads options from parameters
    name: Annotated[str, typer.Argument(metavar="ID", help="`undertone dlq list --each` lists ids.")],
    raw: Annotated[bool, typer.Option("--raw", help="Write its bytes as they are, to a file or a pipe.")] = False,
    most_bytes: Annotated[int, typer.Option("--bytes", min=0, help="How many of its bytes to show.")] = 2_000,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show one dead letter: why it failed, what became of it, its headers and its bytes, made harmless."""
    if raw and sys.stdout.isatty():
        raise UsageProblem("--raw may hold what a terminal obeys; write it to a file (> record.bin) or a pipe.")
    with open_api(url, key) as api:
        letter = api.get(f"{PATH}/{shown_id(name)}")
    if raw:
        sys.stdout.buffer.write(base64.b64decode(letter["record"]["value_base64"] or ""))
    elif as_json:
        print_json(letter)
    else:
        output().print(views.letter_view(letter, most_bytes))


def history(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many to list.")] = 20,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List what was redriven and dropped: when, by whom, how many."""
    with open_api(url, key) as api:
        answer = api.get(f"{PATH}/actions", {"limit": limit})
    if as_json:
        print_json(answer)
    else:
        actions = answer["actions"]
        output().print(views.actions_view(actions) if actions else "Nothing was redriven or dropped yet.")
