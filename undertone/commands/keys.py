"""`undertone keys new`: an API key, shown once, and the entry that a service knows it by."""

from typing import Annotated

import typer

from services.runtime.api_keys import SCOPES, new_key
from undertone.errors import UsageProblem


def register(app: typer.Typer) -> None:
    keys = typer.Typer(no_args_is_help=True, help="Make API keys. Services keep digests only: API_KEYS.")
    keys.command()(new)
    keys.callback()(_group)
    app.add_typer(keys, name="keys")


def _group() -> None:
    """Make API keys. Services keep digests only: API_KEYS."""


def new(
    name: Annotated[str, typer.Option(help="Who will use it; it stands in logs. Letters, digits, . _ -")],
    scope: Annotated[list[str], typer.Option(help=f"What it may do: {', '.join(SCOPES)}. Repeat for several.")],
) -> None:
    """Print a new key once, and its entry for API_KEYS.

    The key goes to standard output, all else to standard error, so that KEY=$(undertone keys new ...) works.
    """
    try:
        key, entry = new_key(name, scope)
    except ValueError as error:
        raise UsageProblem(f"{error}.") from error
    typer.echo("The key, shown this once; clients send it as `Authorization: Bearer KEY`:", err=True)
    typer.echo(key)
    typer.echo("\nAdd this entry to API_KEYS of the services (several are separated by spaces):", err=True)
    typer.echo(entry, err=True)
