"""`undertone up`, `down` and `status`."""

import asyncio
import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from undertone.console import confirm, new_output, print_json
from undertone.embedded.background import start_in_background
from undertone.embedded.display import show_next_steps, show_running, show_status
from undertone.embedded.errors import AlreadyRunningError, NotRunningError
from undertone.embedded.foreground import run_in_foreground
from undertone.embedded.kafka import silence_client_log
from undertone.embedded.prepare import StackOptions, check_addresses, check_services
from undertone.embedded.program import ready_program
from undertone.embedded.reporter import ConsoleReporter
from undertone.embedded.settings import load_stack_settings
from undertone.embedded.stack import Stack
from undertone.embedded.state import make_home, read_state
from undertone.embedded.status import gather_status
from undertone.embedded.stop import purge, stop_running
from undertone.embedded.unheard import EMBEDDED, given_variables, refuse_unheard

PortOption = Annotated[int | None, typer.Option(min=1, max=65535, show_default=False)]
HomeOption = Annotated[
    Path | None,
    typer.Option(
        help="State folder: data, logs, addresses. Default: UNDERTONE_HOME, or .undertone in the working directory.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    app.command()(up)
    app.command()(down)
    app.command()(status)


def up(  # noqa: PLR0917 - typer makes options of them, none is positional
    ingress_port: PortOption = None,
    analyzer_port: PortOption = None,
    read_api_port: PortOption = None,
    kafka_port: PortOption = None,
    postgres_port: PortOption = None,
    free_ports: Annotated[bool, typer.Option("--free-ports", help="Pick others for ports that are taken.")] = False,
    kafka: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", envvar="UNDERTONE_KAFKA", help="Use this one, start none; or `embedded`."),
    ] = None,
    postgres: Annotated[
        str | None,
        typer.Option(metavar="URL", envvar="UNDERTONE_POSTGRES", help="Use this one, start none; or `embedded`."),
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once it runs; stop with `down`.")] = False,
    home: HomeOption = None,
) -> None:
    """Run Kafka, Postgres and the three services until Ctrl-C; data survives."""
    settings = load_stack_settings(
        home=home,
        ingress_port=ingress_port,
        analyzer_port=analyzer_port,
        read_api_port=read_api_port,
        kafka_port=kafka_port,
        postgres_port=postgres_port,
    )
    options = StackOptions(settings, free_ports, _address(kafka), _address(postgres))
    check_addresses(options)
    refuse_unheard(settings, kafka, postgres, given_variables())
    console = new_output()
    reporter = ConsoleReporter(console)
    try:
        if detach:
            servers = {"UNDERTONE_KAFKA": kafka, "UNDERTONE_POSTGRES": postgres}
            code = _up_detached(options, servers, console, reporter)
        else:
            code = _up_here(options, console, reporter)
    except AlreadyRunningError as error:
        reporter.note(str(error))  # what was asked for is the case: no failure
        code = 0
    finally:
        reporter.quiet()
    raise typer.Exit(code)


def _address(server: str | None) -> str | None:
    """The address of a server to use; None when one is to be started here."""
    return None if server is not None and server.strip().lower() == EMBEDDED else server


def _up_here(options: StackOptions, console: Console, reporter: ConsoleReporter) -> int:
    async def when_running(stack: Stack) -> None:
        await _show_running(console, stack.home, detached=False)

    return run_in_foreground(options, reporter, when_running)


def _up_detached(
    options: StackOptions, servers: Mapping[str, str | None], console: Console, reporter: ConsoleReporter
) -> int:
    check_services(options, reporter)
    make_home(options.settings.home)
    if options.kafka is None:
        ready_program(options.settings.cache_dir, reporter)  # here, where its progress is seen
    given = {name: address for name, address in servers.items() if address is not None}  # a list of processes shows
    start_in_background(options.settings.home, _arguments(options), given, reporter)  # arguments: passwords are none
    asyncio.run(_show_running(console, options.settings.home, detached=True))
    return 0


async def _show_running(console: Console, home: Path, *, detached: bool) -> None:
    status = await gather_status(home, os.environ.get("UNDERTONE_API_KEY"))
    show_running(console, status, str(home / "logs"))
    state = read_state(home)
    if state and state.postgres_data and not Path(state.postgres_data).is_relative_to(home):
        console.print(f"  Postgres keeps its data in {state.postgres_data}.\n", soft_wrap=True)
    show_next_steps(console, detached=detached)


def _arguments(options: StackOptions) -> list[str]:
    """The options of this call for the `up` in the background."""
    settings = options.settings
    words = ["--home", str(settings.home)]
    for name in ("ingress_port", "analyzer_port", "read_api_port", "kafka_port", "postgres_port"):
        words += [f"--{name.replace('_', '-')}", str(getattr(settings, name))]
    words += ["--free-ports"] if options.free_ports else []
    return words


def down(
    remove: Annotated[bool, typer.Option("--purge", help="Remove the data as well: there is no way back.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before data is removed.")] = False,
    home: HomeOption = None,
) -> None:
    """Stop what `up` started; the data stays unless --purge is given."""
    folder = load_stack_settings(home=home).home
    if remove and not yes and folder.exists():
        confirm(f"Remove all data of {folder}?")
    reporter = ConsoleReporter(new_output())
    try:
        stop_running(folder, reporter)
    except NotRunningError as error:
        reporter.note(str(error))
    finally:
        reporter.quiet()
    if remove:
        purge(folder, reporter)


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    api_key: Annotated[str | None, typer.Option(envvar="UNDERTONE_API_KEY", help="A key with the scope read.")] = None,
    home: HomeOption = None,
) -> None:
    """Say what runs, where, and whether it is healthy. Exit code: 0 healthy, 1 not, 3 not running."""
    silence_client_log()
    found = asyncio.run(gather_status(load_stack_settings(home=home).home, api_key))
    if as_json:
        print_json(dataclasses.asdict(found))
    else:
        show_status(new_output(), found)
    raise typer.Exit(found.exit_code)
