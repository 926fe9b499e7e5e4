"""`undertone simulate-llm`: a local LLM endpoint that costs nothing and misbehaves on demand."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from services.runtime.garbage import collect_rarely
from services.runtime.server import run
from undertone.errors import UsageProblem
from undertone.simulator.conduct import Conduct, read_script, sentence_of
from undertone.simulator.server import running_simulator

_HELP = """Answer Chat Completions on this machine, as an LLM would, and count the calls.

Point the analyzer at it with ANALYZER_ENGINE=llm, ANALYZER_LLM_BASE_URL and any XAI_API_KEY. A script is a JSON
file such as {"seed": 7, "calls_per_second": 8, "faults": [{"kind": "server_error", "probability": 0.3}]}; while it
runs, GET /stats shows what it counted and PATCH /conduct changes how it behaves. docs/llm.md lists the faults.
"""

_SWITCH_SECONDS = 0.001
"""How long the thread that writes an answer may keep the interpreter from a call that arrives; Python allows 5 ms."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("simulate-llm", help=_HELP)(simulate_llm)


def simulate_llm(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8010,
    script: Annotated[Path | None, typer.Option(help="How to behave, as a JSON file; options overrule it.")] = None,
    seed: Annotated[int | None, typer.Option(help="Equal seeds give equal conduct.")] = None,
    calls_per_second: Annotated[float | None, typer.Option(min=0, help="Answer 429 above; 0 is no limit.")] = None,
    tokens_per_minute: Annotated[float | None, typer.Option(min=0, help="The same for tokens.")] = None,
    latency_seconds: Annotated[float | None, typer.Option(min=0, help="Before the first token [0.5].")] = None,
    seconds_per_output_token: Annotated[float | None, typer.Option(min=0, help="For each token [0.008].")] = None,
) -> None:
    """Serve until a signal comes; then the process ends."""
    base = read_script(script) if script is not None else Conduct()
    stated = {
        "seed": seed,
        "calls_per_second": calls_per_second,
        "tokens_per_minute": tokens_per_minute,
        "latency_seconds": latency_seconds,
        "seconds_per_output_token": seconds_per_output_token,
    }
    limits = {"calls_per_second", "tokens_per_minute"}
    overruled = {
        name: None if name in limits and value == 0 else value for name, value in stated.items() if value is not None
    }
    conduct = _conduct(base, overruled)

    async def serve(stop: asyncio.Event) -> int:
        async with running_simulator(conduct, host=host, port=port) as running:
            # A call that waits for a collection or for another's answer is counted late, and the next one in time.
            collect_rarely()
            sys.setswitchinterval(_SWITCH_SECONDS)
            typer.echo(f"Simulated LLM: {running.base_url} (statistics: {running.address}/stats). Ctrl-C stops it.")
            await stop.wait()
        return 0

    run(serve)


def _conduct(base: Conduct, overruled: dict[str, float | None]) -> Conduct:
    """A conduct with what the options say of it. Raises UsageProblem that names the option: infinity is refused."""
    try:
        return Conduct.model_validate(base.model_dump() | overruled)
    except ValidationError as error:
        name, _, problem = sentence_of(error).partition(": ")
        raise UsageProblem(f"--{name.replace('_', '-')}: {problem}") from error
