"""`undertone erase`: a conversation's words leave Postgres, and what Kafka still holds of it is never stored again.

It runs in a process of the sink: see sink_process.py.
"""

from typing import Annotated

import typer

from undertone.console import confirm
from undertone.sink_process import ask_sink, run_in_sink


def register(app: typer.Typer) -> None:
    """Mount `erase`."""
    app.command("erase", no_args_is_help=True)(erase)


def erase(
    conversation_id: Annotated[str, typer.Argument(metavar="CONVERSATION_ID", help="`undertone insights` lists ids.")],
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask about an id that nothing is stored under.")
    ] = False,
) -> None:
    """Erase one conversation for good, and say which topics hold copies of it until when. There is no way back.

    Its turns, insights, completions and dead letters leave the database at DATABASE_URL (default: the
    stack that runs here); trends no longer count it.
    What is posted under the same id from now on is stored as usual. Running it again changes nothing.
    An id that nothing is stored under may be misspelt, so it asks; what of it is on its way is erased, too.
    """
    if not yes and ask_sink("erase", "--known", conversation_id).strip() == "unknown":
        confirm(f"Nothing is stored under {conversation_id}. Erase what may be on its way?")
    run_in_sink("erase", conversation_id)
