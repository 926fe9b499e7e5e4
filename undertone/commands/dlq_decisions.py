"""`undertone dlq redrive` and `drop`: shown, asked, carried out in steps."""

import getpass
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from services.runtime.counting import counted
from undertone.console import confirm, is_terminal, output, print_json, progress_output
from undertone.dead_letters import views
from undertone.dead_letters.api import PATH
from undertone.dead_letters.deciding import Totals, carry_out
from undertone.dead_letters.options import (
    AsJson,
    Conversation,
    DryRun,
    Everything,
    Key,
    Names,
    Note,
    Reason,
    Service,
    Since,
    Topic,
    Until,
    Url,
    Yes,
    open_api,
)
from undertone.dead_letters.selecting import Filters, selection_of
from undertone.errors import CommandError


def redrive(  # noqa: PLR0917 - typer reads options from parameters
    names: Names = None,
    reason: Reason = None,
    topic: Topic = None,
    service: Service = None,
    conversation: Conversation = None,
    since: Since = None,
    until: Until = None,
    everything: Everything = False,
    dropped: Annotated[bool, typer.Option("--dropped", help="Those that were dropped, not those that wait.")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    note: Note = "",
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Send dead letters to the topics they came from, byte for byte. Each is sent once, however often you repeat it.

    What fails again becomes a new dead letter, which names those it was before.
    """
    filters = Filters(topic, reason, service, conversation, since, until)
    selection = selection_of(names or (), filters, everything=everything, is_dropped=dropped, now=datetime.now(UTC))
    _decide("redrives", "Send again", selection, note, url, key, dry_run=dry_run, yes=yes, as_json=as_json)


def drop(  # noqa: PLR0917 - typer reads options from parameters
    names: Names = None,
    reason: Reason = None,
    topic: Topic = None,
    service: Service = None,
    conversation: Conversation = None,
    since: Since = None,
    until: Until = None,
    everything: Everything = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    note: Note = "",
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Drop dead letters: they wait no longer. Their bytes stay until retention; `redrive --dropped` takes it back."""
    filters = Filters(topic, reason, service, conversation, since, until)
    selection = selection_of(names or (), filters, everything=everything, is_dropped=False, now=datetime.now(UTC))
    _decide("drops", "Drop", selection, note, url, key, dry_run=dry_run, yes=yes, as_json=as_json)


def _decide(  # noqa: PLR0917 - the options of a command
    what: str,
    verb: str,
    selection: Mapping[str, object],
    note: str,
    url: str | None,
    key: str | None,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    decision: dict[str, object] = {"selection": selection, "note": note, "done_by": _who()}
    with open_api(url, key) as api:
        preview = api.post(f"{PATH}/{what}", {**decision, "dry_run": True})
        if _count(preview) < _asked_for(selection):
            api.refuse_unknown(selection)
        if dry_run and as_json:
            print_json(preview)
            return
        if not as_json:
            _print_preview(preview, verb)
        if dry_run:
            return
        # Asked although nothing waits: what an interrupted redrive left is settled by it.
        if _count(preview) and not yes:
            confirm(f"{verb}?")
        if "as_of" in preview:  # what is buried from then on nobody has agreed to; older read APIs do not say it
            decision["as_of"] = preview["as_of"]
        with _progress(_count(preview)) as report:
            totals = carry_out(lambda body: api.post(f"{PATH}/{what}", body), decision, report)
    _print_totals(totals, as_json=as_json)
    if _count(preview) and not (totals.done or totals.refused or as_json):
        output().print("Nothing of it waits any more: somebody else was faster.")


def _asked_for(selection: Mapping[str, object]) -> int:
    """How many letters a selection names at least, if each name is right."""
    ids = selection.get("dead_letter_ids")
    return len(set(ids)) if isinstance(ids, list) else 1


def _count(preview: Mapping[str, Any]) -> int:
    count: int = preview.get("would_redrive", preview.get("would_drop", 0))
    return count


def _print_preview(preview: Mapping[str, Any], verb: str) -> None:
    if preview["piles"]:
        output().print(views.preview_view(preview))
    if not _count(preview):
        output().print(f"{verb}: nothing of it waits.")


@contextmanager
def _progress(expected: int) -> Iterator[Any]:
    if not is_terminal() or not expected:
        yield lambda totals: None  # noqa: ARG005 - nobody watches
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn  # noqa: PLC0415 - seldom used

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=progress_output(), transient=True) as progress:
        task = progress.add_task("", total=expected)
        yield lambda totals: progress.update(task, completed=totals.done + len(totals.refused))


def _print_totals(totals: Totals, *, as_json: bool) -> None:
    if as_json:
        members = {
            "action_id": totals.action_id,
            "redriven": totals.redriven,
            "found_sent": totals.found_sent,
            "dropped": totals.dropped,
            "refused": totals.refused,
            "cannot_be_sent": totals.cannot_be_sent,
        }
        print_json(members)
    else:
        for line in views.totals_lines(totals):
            output().print(line)
    if totals.refused:
        raise CommandError(f"{counted(len(totals.refused), 'dead letter')} not sent; `undertone dlq show ID` says why.")


def _who() -> str:
    try:
        return getpass.getuser()[:128]
    except (KeyError, OSError):  # an account without a name, as in some containers
        return "an operator"
