"""`undertone hold` and `release`: analyses of one lane or of both stop for a while, and go on."""

import asyncio
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer

from schemas.event import Lane
from services.runtime.kafka import KafkaConnection
from undertone.console import tell
from undertone.errors import UsageProblem
from undertone.holds import LONGEST_HOLD, declare_hold
from undertone.settings import load_kafka_settings
from undertone.times import describe_seconds, parse_duration

_MOST_CHARACTERS = 300
"""Of a reason, by the contract of HoldDeclared."""


class HeldLane(StrEnum):
    """Which conversations are meant."""

    LIVE = "live"
    REPLAY = "replay"


_LANE = Annotated[
    HeldLane | None,
    typer.Option(help="live: as they come in; replay: imports and replays. Default: both.", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Mount both commands."""
    app.command("hold")(hold)
    app.command("release")(release)


def hold(
    reason: Annotated[str, typer.Option(help="Why; every analyzer logs it, and `undertone status` shows it.")],
    duration: Annotated[str, typer.Option("--for", help="How long: 90s, 30m, at most 2h.")] = "30m",
    lane: _LANE = None,
) -> None:
    """Let no new analysis start, in the whole fleet. Calls under way end; nothing is lost, it waits in Kafka.

    Of two holds the one that ends later counts: release the old one first to shorten it.
    """
    length = parse_duration(duration, "--for")
    if length > LONGEST_HOLD:
        raise UsageProblem(
            f"--for is {duration}; a hold lasts at most {describe_seconds(LONGEST_HOLD.total_seconds())}, so that none "
            f"is forgotten. Give the command again before it ends."
        )
    ends = _declare(length, lane, _checked(reason))
    again = f"undertone release{f' --lane {lane}' if lane else ''}"
    until = f"{ends.astimezone():%H:%M:%S %Z}"
    tell(f"{_named(lane)} held until {until}, {describe_seconds(length.total_seconds())} from now; `{again}` ends it.")


def release(
    lane: _LANE = None,
    reason: Annotated[str, typer.Option(help="Why; every analyzer logs it.")] = "released by an operator",
) -> None:
    """End holds at once, whoever declared them: a person, or the provider's limit.

    Of a lane that is named no other hold remains; one of the other lane does. A lane that stands at a record
    (undecodable ones, an unknown analysis version) looks at it again. A budget that is used up, a key that is refused
    or missing credit are no holds: `undertone status` says what helps.
    """
    _declare(timedelta(0), lane, _checked(reason))
    whose = "its analyses" if lane else "analyses"
    tell(f"{_named(lane)} released: no hold stops {whose}. `undertone status` says if anything else does.")


def _declare(length: timedelta, lane: HeldLane | None, reason: str) -> datetime:
    connection = KafkaConnection.from_settings(load_kafka_settings())
    return asyncio.run(declare_hold(connection, length, Lane(lane.value) if lane else None, reason))


def _checked(reason: str) -> str:
    """A reason that the log takes. Raises UsageProblem."""
    reason = reason.strip()
    if not reason or len(reason) > _MOST_CHARACTERS or not reason.isprintable():
        raise UsageProblem(f"--reason must be one line of 1 to {_MOST_CHARACTERS} characters.")
    return reason


def _named(lane: HeldLane | None) -> str:
    return f"The {lane.value} lane is" if lane else "Both lanes are"
