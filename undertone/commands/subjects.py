"""`undertone subjects`: what conversations can be about, and what the registry does not know yet."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from schemas.subjects import subject_registry
from undertone.console import output, print_json, tell
from undertone.sink_process import ask_sink
from undertone.times import parse_moment
from undertone.views.subjects import subjects_table, unknown_table

_JSON = Annotated[bool, typer.Option("--json", help="For programs.")]


def register(app: typer.Typer) -> None:
    """Mount `subjects` with its subcommands."""
    subjects = typer.Typer(name="subjects", help="What conversations are about.", no_args_is_help=True)
    subjects.callback()(_group)
    subjects.command("list")(list_subjects)
    subjects.command("suggest")(suggest)
    app.add_typer(subjects)


def _group() -> None:
    """What conversations can be about: the registry of subjects, and what it lacks."""


def list_subjects(as_json: _JSON = False) -> None:
    """List the subjects of the registry, each with the name that filters take (--subject takes the title too)."""
    registry = subject_registry()
    if as_json:
        members = [{"slug": one.slug, "title": one.title, "aliases": list(one.aliases)} for one in registry.subjects]
        print_json({"version": registry.version, "subjects": members})
        return
    output().print(subjects_table(registry))


def suggest(
    since: Annotated[str, typer.Option(help="30d, a date or a time.")] = "30d",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many to list.")] = 20,
    as_json: _JSON = False,
) -> None:
    """List frequent clusters that engines named and the registry does not know: they count as `other`.

    Each with the number of insights and conversations to look at. Which of them become a subject or an alias (in
    schemas/subjects.json) is for a person to decide. It asks the database at DATABASE_URL (default: the stack here).
    """
    moment = parse_moment(since, "--since", datetime.now(UTC))
    found = json.loads(ask_sink("subjects", "suggest", "--since", moment.isoformat(), "--limit", str(limit)))
    if as_json:
        print_json(found)
    elif found:
        output().print(unknown_table(found))
    else:
        tell(f"The registry knows every cluster since {moment:%Y-%m-%d %H:%M} UTC.")
