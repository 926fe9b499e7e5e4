"""`undertone erase`: a conversation's words leave Postgres, and what Kafka still holds of it is never stored again.

It runs in a process of the sink: see sink_process.py.
"""

from typing import Annotated

import typer

from undertone.sink_process import run_in_sink


def register(app: typer.Typer) -> None:
    """Mount `erase`."""
    app.command("erase", no_args_is_help=True)(erase)


def erase(
    conversation_id: Annotated[str, typer.Argument(metavar="CONVERSATION_ID", help="`undertone insights` lists ids.")],
) -> None:
    """Erase one conversation for good, and say which topics hold copies of it until when. There is no way back.

    Its turns, insights, completions and dead letters leave the database at DATABASE_URL (default: the
    stack that runs here); trends no longer count it.
    What is posted under the same id from now on is stored as usual. Running it again changes nothing.
    """
    run_in_sink("erase", conversation_id)
