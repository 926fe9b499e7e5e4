"""`undertone migrate`: the database's schema, brought to this release by the sink's own migrations.

They run in a process of the sink: see sink_process.py.
"""

from typing import Annotated

import typer

from undertone.sink_process import run_in_sink


def register(app: typer.Typer) -> None:
    """Mount `migrate` with its subcommands."""
    migrate = typer.Typer(name="migrate", help="Bring the database at DATABASE_URL to the newest schema.")
    migrate.callback(invoke_without_command=True)(_default)
    migrate.command("apply")(_apply)
    migrate.command("status")(_status)
    migrate.command("new")(_new)
    app.add_typer(migrate)


def _default(context: typer.Context) -> None:
    """Apply what is pending, unless a subcommand says something else."""
    if context.invoked_subcommand is None:
        run_in_sink("migrate", "apply")


def _apply() -> None:
    """Apply what is pending, in order; others who apply at the same time are waited for."""
    run_in_sink("migrate", "apply")


def _status() -> None:
    """Say what is applied and what is pending; change nothing."""
    run_in_sink("migrate", "status")


def _new(name: Annotated[str, typer.Argument(help="What the migration does, in a few words.")]) -> None:
    """Start the next migration's file and print its path."""
    run_in_sink("migrate", "new", name)
