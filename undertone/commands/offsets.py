"""`undertone offsets`: how far the sink has stored each partition, and a person's decision where to go on.

It runs in a process of the sink: see sink_process.py.
"""

from typing import Annotated

import typer

from undertone.sink_process import run_in_sink


def register(app: typer.Typer) -> None:
    """Mount `offsets` with its subcommands."""
    offsets = typer.Typer(name="offsets", help="Stored offsets: shown, and set by a person.", no_args_is_help=True)
    offsets.command("show")(_show)
    offsets.command("reset")(_reset)
    app.add_typer(offsets)


def _show() -> None:
    """Say of every partition what is stored, what its log holds, and why it stands still if it does."""
    run_in_sink("offsets", "show")


def _reset(
    topic: Annotated[str, typer.Option(help="Such as conversations.received.v1.")],
    to: Annotated[str, typer.Option(help="beginning, end or an offset.")],
    partition: Annotated[int | None, typer.Option(help="Default: all of the topic.")] = None,
) -> None:
    """Set where the sink goes on. What is skipped is not stored; what is read again changes nothing."""
    one = [] if partition is None else ["--partition", str(partition)]
    run_in_sink("offsets", "reset", "--topic", topic, "--to", to, *one)
