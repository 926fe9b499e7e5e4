"""`undertone audit`: whether what is stored agrees with itself, asked in a process of the sink."""

from typing import Annotated

import typer

from undertone.sink_process import run_in_sink


def register(app: typer.Typer) -> None:
    """Mount `audit` with its subcommands."""
    audit = typer.Typer(name="audit", help="Check that everything is accounted for.", no_args_is_help=True)
    audit.callback()(_group)
    audit.command("rollups")(rollups)
    app.add_typer(audit)


def _group() -> None:
    """Check that everything is accounted for, on a live system, changing nothing."""


def rollups(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Recount every rollup that trends and totals are read from; name each row that differs.

    It reads one moment of the database at DATABASE_URL (default: the stack that runs here) while the services go on.
    Exit code: 0 when all rows agree, 1 when one differs or the database does not answer.
    """
    run_in_sink("audit", "rollups", *(["--json"] if as_json else []))
