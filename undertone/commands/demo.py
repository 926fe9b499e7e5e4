"""`undertone demo`: from nothing to insights on real conversations, in one command."""

import asyncio
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.text import Text

from services.runtime.settings import load_settings
from undertone.command_path import activation
from undertone.commands.demo_engines import OFFLINE, DemoEngine, chosen_engine
from undertone.console import new_output
from undertone.demo import Result, follow, sample_ids, send_sample
from undertone.embedded.foreground import EXIT_INTERRUPTED, run_in_foreground
from undertone.embedded.prepare import StackOptions
from undertone.embedded.reporter import ConsoleReporter
from undertone.embedded.settings import StackSettings, load_stack_settings
from undertone.embedded.stack import Stack
from undertone.embedded.state import read_state
from undertone.embedded.status import gather_status
from undertone.errors import CommandError
from undertone.ingest.http_sender import TIMEOUT
from undertone.settings import CommandLineSettings, api_key, key_headers
from undertone.views.demo import findings, next_steps, outcome_line, took

_WIDTH = 80


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("demo")(demo)


def demo(
    llm: Annotated[
        str, typer.Option(envvar="LLM", help="Who judges: offline, simulator, or grok (spends money).")
    ] = "offline",
) -> None:
    """Analyse 272 real conversations on this machine and show what was found.

    Starts a real Kafka, a real Postgres and the three services, and leaves nothing running. Needs no key, no Docker,
    no Java and no root; a key in the environment is used with LLM=grok only.
    """
    stack_settings = load_stack_settings()
    headers = key_headers(api_key(None, load_settings(CommandLineSettings)))
    with chosen_engine(llm) as engine:
        raise typer.Exit(Demo(new_output(), stack_settings, headers, engine).run())


class Demo:
    """One run of the demo."""

    def __init__(
        self, console: Console, settings: StackSettings, headers: Mapping[str, str], engine: DemoEngine = OFFLINE
    ) -> None:
        self._console = console
        self._engine = engine
        self._settings = settings.model_copy(update={"home": engine.home(settings.home)})
        self._headers = headers
        self._reporter = ConsoleReporter(console)
        self._began = time.monotonic()
        self._seconds: dict[str, float] = {}
        self._result: Result | None = None

    def run(self) -> int:
        """Run everything; 0 only if each conversation of the sample came to exactly one outcome."""
        self._console.print(
            Text.assemble(
                ("\nUndertone demo", "bold"),
                f": {len(sample_ids())} real support conversations, {self._who()}.\n",
            )
        )
        try:
            code = self._with_stack()
        finally:
            self._reporter.quiet()
        if self._result is not None:
            self._conclude(self._result)
        return code

    def _with_stack(self) -> int:
        state = read_state(self._settings.home)
        if state is not None and state.is_alive and state.phase == "running":
            return asyncio.run(self._on_running_stack(state.addresses))
        options = StackOptions(self._settings, free_ports=True, environment=self._engine.environment)
        code = run_in_foreground(options, self._reporter, self._on_own_stack)
        self._seconds["stop"] = time.monotonic() - self._began - sum(self._seconds.values())
        return code

    async def _on_running_stack(self, addresses: Mapping[str, str]) -> int:
        if not self._engine.is_offline:
            raise CommandError(
                f"A demo with this engine runs here already: stop it with "
                f"`UNDERTONE_HOME={self._settings.home} undertone down`, then start the demo."
            )
        engine = (await gather_status(self._settings.home)).engine
        if engine not in {None, "offline"}:
            raise CommandError(
                f"Undertone runs here with the engine {engine}, and the demo never spends money by surprise: stop it "
                f"with `undertone down`, then start the demo."
            )
        self._reporter.note("Undertone runs here already: the demo uses it, and leaves it running.")
        return await self._analyse(addresses)

    async def _on_own_stack(self, stack: Stack) -> int:
        """Analyse while the stack is kept alive; what ends first decides."""
        self._seconds["start"] = time.monotonic() - self._began
        supervision = asyncio.create_task(stack.supervise())
        analysis = asyncio.create_task(self._analyse(stack.addresses))
        try:
            await asyncio.wait({supervision, analysis}, return_when=asyncio.FIRST_COMPLETED)
            if supervision.done():
                await supervision
            return await analysis
        except asyncio.CancelledError:  # Ctrl-C: the stack is stopped in order
            return EXIT_INTERRUPTED
        finally:
            supervision.cancel()
            analysis.cancel()
            await asyncio.gather(supervision, analysis, return_exceptions=True)

    async def _analyse(self, addresses: Mapping[str, str]) -> int:
        ids = sample_ids()
        with self._timed("ingest", "sending", f"{len(ids)} conversations"):
            summary = await send_sample(addresses["ingress"], self._headers, self._settings.home / "ingest")
        async with httpx.AsyncClient(
            base_url=addresses["read_api"], headers=self._headers, timeout=TIMEOUT, trust_env=False
        ) as client:
            with self._timed("analysis", "waiting", "each has its outcome"):
                conversations = await follow(client, ids, self._show_progress)
        self._result = Result(len(ids), summary.accepted, conversations)
        return 0 if self._result.is_exact else 1

    @contextmanager
    def _timed(self, part: str, doing: str, result: str) -> Iterator[None]:
        began = time.monotonic()
        self._reporter.begins(part, doing)
        yield
        self._reporter.done(part, result)
        self._seconds[part] = time.monotonic() - began

    def _show_progress(self, done: int, total: int) -> None:
        self._reporter.begins("analysis", f"{done} of {total}")

    def _conclude(self, result: Result) -> None:
        console = new_output(width=min(_WIDTH, self._console.width))
        console.print()
        console.print(outcome_line(result.accepted, result.counts(), is_exact=result.is_exact))
        console.print()
        console.print(findings(result.conversations.values()))
        console.print(took(self._seconds, time.monotonic() - self._began))
        example = next(iter(result.conversations), "ID")
        addresses = self._usual_addresses()
        steps = next_steps(
            self._program(),
            *addresses,
            example,
            activate=activation(),
            home=self._own_folder(),
            engine=self._engine.again,
        )
        console.print(steps, soft_wrap=True)  # wider than the terminal is better than broken: they are to be copied
        console.print()

    def _who(self) -> str:
        return "analysed on this machine" if self._engine.is_offline else f"judged by {self._engine.name}"

    def _program(self) -> str:
        """How the person starts us: through make, or by name."""
        return "make" if "MAKELEVEL" in os.environ else "undertone"

    def _own_folder(self) -> str | None:
        """Where what another engine found is kept, apart from the rest."""
        if self._engine.is_offline:
            return None
        return min(str(self._settings.home), os.path.relpath(self._settings.home), key=len)

    def _usual_addresses(self) -> tuple[str, str]:
        """Where the next `up` will answer; the demo may have had to use other ports."""
        host = "http://127.0.0.1"
        return f"{host}:{self._settings.ingress_port}", f"{host}:{self._settings.read_api_port}"
