"""`undertone audit`: whether what is stored agrees with itself, asked in a process of the sink."""

from typing import Annotated

import typer

from undertone.sink_process import run_in_sink


def register(app: typer.Typer) -> None:
    """Mount `audit` with its subcommands."""
    audit = typer.Typer(name="audit", invoke_without_command=True)
    audit.callback()(everything)
    audit.command("flow")(flow)
    audit.command("rollups")(rollups)
    app.add_typer(audit)


def everything(context: typer.Context) -> None:
    """Check that everything is accounted for, on a live system, changing nothing: `flow`, then `rollups`.

    Exit code: 0 only when all is accounted for.
    """
    if context.invoked_subcommand is not None:
        return
    codes = []
    for check in (flow, rollups):
        try:
            check()
        except typer.Exit as ended:
            codes.append(ended.exit_code)
    if codes:
        raise typer.Exit(max(codes))


def flow(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Look for each record of Kafka among the rows, by its id; name what is missing, doubled or stuck.

    Counts by hour: records = stored + superseded + copied + buried + erased + removed + waiting, and conversations =
    completed + skipped + failed + queued + processing. Exit code: 0 when nothing is named.
    """
    run_in_sink("audit", "flow", *(["--json"] if as_json else []))


def rollups(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Recount every rollup that trends and totals are read from; name each row that differs.

    It reads one moment of the database at DATABASE_URL (default: the stack that runs here) while the services go on.
    Exit code: 0 when all rows agree, 1 when one differs or the database does not answer.
    """
    run_in_sink("audit", "rollups", *(["--json"] if as_json else []))
