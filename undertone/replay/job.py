"""A replay as a command carries it out: choose, ask, write down, send; and go on with one that was written down."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from schemas.topics import REPLAY
from services.runtime.kafka import KafkaConnection
from undertone.errors import CommandError, UsageProblem
from undertone.replay.api import ReplayApi, RetiredVersion
from undertone.replay.estimating import Estimate
from undertone.replay.logs import cluster_id, explained, partitions
from undertone.replay.planning import Asked, Chosen, Terms, address_of, choose, make_plan, nothing_found, wanted_ids
from undertone.replay.plans import Plans, Replay
from undertone.replay.pricing import Tariff
from undertone.replay.sending import Sending
from undertone.replay.watching import ReplayWatcher, watching

_OTHER_NAME = "A new one needs another --name."
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Setup:
    """What every step of a replay needs."""

    connection: KafkaConnection
    api: ReplayApi
    plans: Plans


async def look_for(setup: Setup, asked: Asked) -> Chosen:
    """The records to be sent. Raises CommandError when there are none."""
    ids = await asyncio.to_thread(wanted_ids, asked, setup.api)
    async with explained(setup.connection):
        await partitions(setup.connection, REPLAY)  # without it nothing could be sent: say so first
        with watching("Looking") as show:
            chosen = await choose(
                setup.connection, asked, ids, lambda read, total, found: show(read, total, f"{found:,} chosen")
            )
    if not chosen.count:
        raise nothing_found(asked, chosen)
    return chosen


async def price(setup: Setup, chosen: Chosen, version: str | None, tariff: Tariff | None) -> Estimate:
    """What the chosen ones take; `version` None: nothing is known under it."""
    found = Estimate(setup.api, version, tariff)
    async with explained(setup.connection):
        with watching("Estimating") as show:
            await found.read(setup.connection, chosen.selection, lambda read: show(read, chosen.count))
    return found


async def write_down(setup: Setup, asked: Asked, chosen: Chosen, terms: Terms) -> Replay:
    """Make the replay, and keep it: from here on it can be resumed."""
    with setup.plans.held(terms.name):
        refuse_taken_name(setup.plans, terms.name)
        async with explained(setup.connection):
            replay = await make_plan(setup.connection, asked, chosen, terms)
        setup.plans.create(replay, chosen.selection)
    return replay


def refuse_taken_name(plans: Plans, name: str) -> None:
    """Raise UsageProblem when there is a replay of this name."""
    if plans.exists(name):
        replay = plans.load(name)
        if replay.state.has_ended:
            raise UsageProblem(f"There was a replay {name}, which has ended: it is {replay.state.value}. {_OTHER_NAME}")
        raise UsageProblem(
            f"There is a replay {name} already: go on with it by `undertone replay resume {name}`. {_OTHER_NAME}"
        )


async def send(setup: Setup, name: str, rate: float | None = None) -> Replay:
    """Send what is left of a replay, until its end or until somebody stops it; `rate` changes its own from now on.

    Raises CommandError.
    """
    plans = setup.plans
    plans.load(name)
    with plans.held(name):
        replay = plans.load(name)
        _refuse_ended(replay)
        await _refuse_foreign(replay, setup.connection)
        replay.rate = replay.rate if rate is None else rate
        plans.forget_request(name)
        async with _stoppable() as stop, _resumable(setup.connection, name):
            with watching(name) as show, setup.api.persisting():
                sending = Sending(setup.connection, setup.api, plans, replay, stop=stop, watcher=ReplayWatcher(show))
                await sending.run()
        plans.forget_request(name)
    return replay


def _refuse_ended(replay: Replay) -> None:
    if replay.state.has_ended:
        raise UsageProblem(f"The replay {replay.name} has ended: it is {replay.state.value}.")


async def _refuse_foreign(replay: Replay, connection: KafkaConnection) -> None:
    if replay.kafka != address_of(connection):
        raise UsageProblem(
            f"The replay {replay.name} belongs to the Kafka {replay.kafka}, not to {address_of(connection)}: set "
            f"KAFKA_BOOTSTRAP_SERVERS and KAFKA_TOPIC_PREFIX as they were."
        )
    async with explained(connection):
        here = await cluster_id(connection)
    if replay.is_of_another(here):
        raise UsageProblem(
            f"The replay {replay.name} was begun on another Kafka (cluster {replay.cluster}) than the one that answers "
            f"at {connection.bootstrap_servers} now ({here}), which has other records: end it by `undertone replay "
            f"cancel {replay.name}`, and begin a new one."
        )


@asynccontextmanager
async def _resumable(connection: KafkaConnection, name: str) -> AsyncIterator[None]:
    try:
        async with explained(connection):
            yield
    except RetiredVersion:
        raise
    except CommandError as error:
        raise type(error)(f"{error} `undertone replay resume {name}` goes on where it stopped.") from error


@asynccontextmanager
async def _stoppable() -> AsyncIterator[asyncio.Event]:
    """An event that Ctrl-C and SIGTERM set; a second Ctrl-C ends the process at once."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    before = signal.getsignal(signal.SIGTERM)

    def release() -> None:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
        signal.signal(signal.SIGTERM, before)  # the loop leaves it at its default, which ends a process in silence

    def ask() -> None:
        stop.set()
        release()

    for number in _SIGNALS:
        loop.add_signal_handler(number, ask)
    try:
        yield stop
    finally:
        release()
