"""Commands that run in a process of the sink, the only part that speaks to Postgres.

Their settings are the sink's (`DATABASE_URL`, `KAFKA_BOOTSTRAP_SERVERS`); what the environment leaves open is the
stack's that runs from this folder.
"""

import os
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import typer
from dotenv import dotenv_values

from services.sink.settings import SinkSettings
from undertone.absent import stack_advice
from undertone.embedded.services import PYTHON
from undertone.embedded.settings import load_stack_settings
from undertone.embedded.state import StackState, read_state
from undertone.errors import CommandError

_CONNECT_SECONDS = 5.0


def run_in_sink(module: str, *arguments: str) -> None:
    """Run a module of the sink with our own input and output. Ends the command as the module ended."""
    finished = subprocess.run(_command(module, arguments), check=False, env=_environment_for(module, arguments))
    if finished.returncode:
        raise typer.Exit(finished.returncode)


def ask_sink(module: str, *arguments: str) -> str:
    """Run a module of the sink and return what it printed. Ends the command when the module could not answer."""
    finished = subprocess.run(
        _command(module, arguments),
        check=False,
        env={**_environment_for(module, arguments), "PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    if finished.returncode:
        raise typer.Exit(finished.returncode)
    return finished.stdout


def _command(module: str, arguments: tuple[str, ...]) -> list[str]:
    return [*PYTHON, "undertone.sink_module", f"services.sink.{module}", *arguments]


def _environment_for(module: str, arguments: tuple[str, ...]) -> dict[str, str]:
    """Raises CommandError when nobody says which database is meant, and there is none at the usual address."""
    environment = _environment()
    if (module, *arguments[:1]) == ("migrate", "new") or _is_named(environment):
        return environment
    usual = urlsplit(SinkSettings.model_fields["database_url"].default.get_secret_value())
    try:
        socket.create_connection((usual.hostname, usual.port), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        place = f"{usual.hostname}:{usual.port}"
        raise CommandError(f"No Postgres answers at {place}; {stack_advice()}, or set DATABASE_URL.") from error
    return environment


def _is_named(environment: Mapping[str, str]) -> bool:
    dotenv = dotenv_values(".env")
    return any(environment.get(name) or dotenv.get(name) for name in ("DATABASE_URL", "DATABASE_URL_FILE"))


def _environment() -> dict[str, str]:
    our_root = str(Path(__file__).parents[1])
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), our_root)))
    return {**os.environ, "PYTHONPATH": path, **_servers_of(read_state(load_stack_settings().home))}


def _servers_of(state: StackState | None) -> dict[str, str]:
    """Addresses of embedded servers that run here; of others the state file knows no passwords."""
    if state is None:
        return {}
    variables = {"KAFKA_BOOTSTRAP_SERVERS": "kafka", "DATABASE_URL": "postgres"}
    return {
        variable: state.addresses[part]
        for variable, part in variables.items()
        if part in state.survivors and not (os.environ.get(variable) or os.environ.get(f"{variable}_FILE"))
    }
