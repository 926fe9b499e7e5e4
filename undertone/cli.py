"""The `undertone` command: which commands there are, and how a command ends.

Exit codes: 0 done, 1 something went wrong (one sentence on standard error says what), 2 used wrongly,
3 nothing runs here (`status`), 70 a bug, 130 interrupted. Whoever closes the pipe that a command writes to (`| head`)
has seen enough: 0. Output that was closed from the start (`>&-`) goes nowhere. Nothing that a person can cause shows a
stack trace.
"""

import importlib
import logging
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from services.runtime.null_device import discard_output
from undertone import standard_streams
from undertone.console import complain
from undertone.errors import OF_THE_MACHINE, CommandError

EXIT_BUG = 70
EXIT_INTERRUPTED = 130
START, CONVERSATIONS, INSIGHTS, OPERATION, MEASUREMENT = (
    "Start here",
    "Send conversations",
    "Read insights",
    "Operate",
    "Measure and try",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A command as `--help` lists it; its module is imported only when it is used."""

    module: str
    panel: str
    summary: str


COMMANDS: Mapping[str, Entry] = {
    "demo": Entry("demo", START, "Analyse 272 real conversations on this machine and show what was found."),
    "up": Entry("stack", START, "Run Kafka, Postgres and the three services until Ctrl-C."),
    "down": Entry("stack", START, "Stop what `up` started; --purge removes its data too."),
    "status": Entry("stack", START, "Say what runs, where, and whether it is healthy."),
    "ingest": Entry("ingest", CONVERSATIONS, "Send the conversations of files: JSON, JSONL, the Twitter CSV."),
    "insights": Entry("insights", INSIGHTS, "List what was found, newest first, with quotes."),
    "trends": Entry("insights", INSIGHTS, "Show how sentiment and subjects develop."),
    "show": Entry("insights", INSIGHTS, "Show one conversation: its words, its insight, its history."),
    "subjects": Entry("subjects", INSIGHTS, "List what conversations can be about; suggest what is missing."),
    "hold": Entry("hold", OPERATION, "Let no analysis start for a while, in the whole fleet."),
    "release": Entry("hold", OPERATION, "End holds that people or providers declared."),
    "audit": Entry("audit", OPERATION, "Check that everything that is stored is accounted for."),
    "topics": Entry("topics", OPERATION, "Compare Kafka's topics with the contract, and bring them about."),
    "tail": Entry("tail", OPERATION, "Watch a topic: decoded, filtered, as JSON for pipes."),
    "produce": Entry("produce", OPERATION, "Write events of a file to a topic, checked against the contract."),
    "replay": Entry("replay", OPERATION, "Analyse again what was accepted, behind live traffic."),
    "replays": Entry("replay", OPERATION, "List replays and how far each is."),
    "versions": Entry("versions", OPERATION, "Compare results of models and prompts; choose which are shown."),
    "dlq": Entry("dlq", OPERATION, "See what could not be processed; send it again, or drop it."),
    "migrate": Entry("migrate", OPERATION, "Bring the database to the newest schema."),
    "offsets": Entry("offsets", OPERATION, "Show how far each partition is stored; say where to go on."),
    "erase": Entry("erase", OPERATION, "Erase one conversation for good; say until when Kafka holds copies."),
    "keys": Entry("keys", OPERATION, "Make API keys."),
    "bench": Entry("bench", MEASUREMENT, "Put load on the pipeline and measure what it does."),
    "simulate-llm": Entry("simulate_llm", MEASUREMENT, "Run a local LLM endpoint that misbehaves on demand."),
}
_HELP = "Turns support conversations into insights: Kafka in, an analyzer, Postgres and a read API out."
_EXAMPLES = """[bold]A first walk[/bold]

  undertone demo                               [dim]everything once, in a minute[/dim]
  undertone up --detach                        [dim]the same data, to stay[/dim]
  undertone ingest mine.jsonl.gz --spread 7d   [dim]conversations of your own[/dim]
  undertone insights --sentiment negative      [dim]the last 24 hours, with quotes[/dim]
  undertone trends --days 7                    [dim]--json gives it to programs[/dim]
  undertone down                               [dim]stop; the data stays[/dim]

[dim]`undertone COMMAND --help` has the options. Nothing needs a key, Docker, Java or root.[/dim]"""


class LazyGroup(TyperGroup):
    """Lists commands from the table above and imports a command's module when it is called.

    Importing every module for `--help` would take a second of CPU.
    """

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Put the real command in the place of its entry before the group looks for it."""
        entry = COMMANDS.get(args[0]) if args else None
        if entry is not None:
            self.commands[args[0]] = load_command(args[0], entry)
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order of the table, which is the order in which a newcomer needs them."""
        del ctx
        return list(self.commands)


def load_command(name: str, entry: Entry) -> Any:
    """Import the command's module and return what it registers under this name.

    Raises CommandError when a package that it needs is not installed.
    """
    app = typer.Typer()
    try:
        importlib.import_module(f"undertone.commands.{entry.module}").register(app)
    except ModuleNotFoundError as error:
        raise CommandError(
            f"undertone {name} needs the package {error.name}, which is not installed: "
            f"pip install 'undertone[ingress,analyzer,sink,embedded]'"
        ) from error
    return typer.main.get_group(app).commands[name]


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - costs 20 ms and is seldom asked for

        typer.echo(f"undertone {version('undertone')}")
        raise typer.Exit


def _root(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None:
    del version


def build_app() -> TyperGroup:
    """The command with all its subcommands, none of them imported yet."""
    app = typer.Typer(
        name="undertone",
        cls=LazyGroup,
        help=_HELP,
        epilog=_EXAMPLES,
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    group = typer.main.get_group(app)
    for name, entry in COMMANDS.items():
        group.commands[name] = TyperCommand(name, help=entry.summary, rich_help_panel=entry.panel)
    return group


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    standard_streams.prepare()
    group = build_app()
    # Libraries log what they will retry by themselves; a person is told once, by the command.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        result = group.main(args=arguments, prog_name="undertone", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except BrokenPipeError:
        return _end_quietly()
    except SystemExit as error:
        if _is_of_closed_pipe(error):
            return _end_quietly()
        raise
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("\nInterrupted.\n")
        return EXIT_INTERRUPTED
    except typer.TyperException as error:
        return _refuse_usage(error)
    except Exception as error:  # noqa: BLE001 - the last resort: one sentence instead of a stack trace
        return _explain(error)


def _refuse_usage(error: typer.TyperException) -> int:
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":  # the help was printed already
        return error.exit_code
    command = context.command_path if context is not None else "undertone"
    message = _without_the_validators_words(error.format_message())
    sentence = message if message.endswith((".", "?", "!")) else f"{message}."
    complain(f"{command}: {sentence} Try: {command} --help")
    return error.exit_code


def _without_the_validators_words(message: str) -> str:
    """Typer has pydantic check the values of options."""
    return message.replace(": Value error, ", ": ").replace(": Input should ", ": it must ")


def _explain(error: Exception) -> int:
    """Say what went wrong in one sentence; errors that are meant for people say so by their class."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, _known_errors()):
        complain(f"undertone: {error}")
        return getattr(error, "exit_code", 1)
    if isinstance(error, OSError) and error.filename is not None:
        complain(f"undertone: {error.filename}: {error.strerror}.")
        return 1
    if isinstance(error, OSError) and error.errno in OF_THE_MACHINE:
        standard_streams.give_up_output()
        complain(f"undertone: the system refused to read or write: {error.strerror}.")
        return 1
    sys.stderr.write(
        f"undertone: this is a bug: {type(error).__name__}: {error}\n"
        f"Run it again with UNDERTONE_TRACEBACK=1 to see where, and please report it.\n"
    )
    if os.environ.get("UNDERTONE_TRACEBACK"):
        traceback.print_exc()
    return EXIT_BUG


def _known_errors() -> tuple[type[Exception], ...]:
    """Classes whose text is one sentence for a person. The services' own cannot occur before they are imported."""
    kafka = sys.modules.get("services.runtime.kafka")
    return (CommandError,) if kafka is None else (CommandError, kafka.KafkaUnavailable)


def _is_of_closed_pipe(error: SystemExit) -> bool:
    """Whether a library ended the command because nobody reads its output: typer and rich both do so, with 1."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, BrokenPipeError):
        cause = cause.__context__
    return cause is not None


def _end_quietly() -> int:
    """Whoever read our output has closed it (`| head`): nothing is wrong."""
    discard_output()
    return 0
