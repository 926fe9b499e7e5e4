"""`undertone replay resume`, `pause`, `cancel`, and `undertone replays`."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from services.runtime.kafka import KafkaConnection
from undertone.cli import EXIT_INTERRUPTED
from undertone.console import output, print_json
from undertone.dead_letters.options import Key, Url
from undertone.embedded.settings import load_stack_settings
from undertone.errors import UsageProblem
from undertone.replay import views
from undertone.replay.api import ReplayApi
from undertone.replay.job import Setup, send
from undertone.replay.plans import Plans, Replay, State
from undertone.settings import api_key, load_kafka_settings, read_api_url

Name = Annotated[str, typer.Argument(metavar="NAME", help="`undertone replays` lists names.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


def resume(
    name: Name,
    rate: Annotated[
        float | None, typer.Option(min=0, max=1e6, help="From now on. Default: as it was begun.", show_default=False)
    ] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Go on with a replay that was paused or killed. What was sent is not sent again."""
    with open_setup(url, key) as setup:
        finish(asyncio.run(send(setup, name, rate)), is_json=as_json)


def pause(name: Name) -> None:
    """Let the process that sends a replay stop after its transaction. `resume` goes on."""
    plans = open_plans()
    found = plans.load(name)
    if found.state.has_ended:
        raise UsageProblem(f"The replay {name} has ended: it is {found.state.value}.")
    if not plans.is_held(name):
        raise UsageProblem(f"No process sends the replay {name} now: it is {views.standing(found, is_held=False)}.")
    plans.ask(name, State.PAUSED)
    output().print(f"{name} pauses within seconds; `undertone replay resume {name}` goes on.", markup=False)


def cancel(name: Name) -> None:
    """End a replay for good. What is on the lane already will still be analysed, unless its version is retired."""
    plans = open_plans()
    if plans.load(name).state.has_ended:
        raise UsageProblem(f"The replay {name} has ended: it is {plans.load(name).state.value}.")
    if plans.is_held(name):
        plans.ask(name, State.CANCELLED)
        output().print(f"{name} ends within seconds; what is on the lane will still be analysed.", markup=False)
        return
    with plans.held(name):
        found = plans.load(name)
        found.state = State.CANCELLED
        plans.save(found)
    for line in views.end_lines(found):
        output().print(line, markup=False, soft_wrap=True)


def replays(as_json: AsJson = False) -> None:
    """List the replays that were begun from this folder, and how each stands."""
    plans = open_plans()
    loaded = sorted((plans.load(name) for name in plans.names()), key=lambda one: one.created_at)
    found = [(one, views.standing(one, is_held=plans.is_held(one.name))) for one in loaded]
    if as_json:
        print_json({"replays": [views.replay_members(*one) for one in found]})
    elif found:
        output().print(views.replays_table(found))
    else:
        output().print("No replay was begun from this folder; `undertone replay --help` says how.", soft_wrap=True)


def finish(replay: Replay, *, is_json: bool) -> None:
    """Say how a session of a replay ended; one that was paused ends the command as interrupted."""
    if is_json:
        print_json(views.replay_members(replay, replay.state.value))
    else:
        for line in views.end_lines(replay):
            output().print(line, markup=False, soft_wrap=True)
    if replay.state is State.PAUSED:
        raise typer.Exit(EXIT_INTERRUPTED)


@contextmanager
def open_setup(url: str | None, key: str | None) -> Iterator[Setup]:
    """What a command needs, from its options and the environment."""
    settings = load_kafka_settings()
    with ReplayApi(read_api_url(url, settings), api_key(key, settings)) as api:
        yield Setup(KafkaConnection.from_settings(settings), api, open_plans())


def open_plans() -> Plans:
    """The replays that were begun from this folder."""
    return Plans(load_stack_settings().home / "replays")
