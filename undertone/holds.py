"""A person's word to the fleet of analyzers: no calls for a while, or calls again. It goes to the control log."""

import getpass
from datetime import UTC, datetime, timedelta

from schemas.analysis_control import HoldDeclared
from schemas.envelope import new_envelope
from schemas.event import Lane
from schemas.topics import CONTROL
from services.runtime.kafka import KafkaConnection, KafkaUnavailable
from services.runtime.publisher import open_publisher
from undertone.errors import CommandError
from undertone.writing import check_kafka

LONGEST_HOLD = timedelta(hours=2)
"""Analyzers end every hold after this time (services/analyzer/holds.py): whoever wants a longer one repeats it."""

_SOURCE = "/undertone/command-line"
_KEY = "hold"
_ANYBODY = "an operator"


async def declare_hold(connection: KafkaConnection, duration: timedelta, lane: Lane | None, reason: str) -> datetime:
    """Hold a lane, or all; zero ends a hold. Returns its end by the broker's clock, from which the fleet counts.

    Raises CommandError while Kafka does not take it.
    """
    hold = HoldDeclared(hold_seconds=duration.total_seconds(), lane=lane, reason=reason, declared_by=_who())
    async with open_publisher(connection) as publisher:
        await check_kafka(publisher, connection, [CONTROL])
        try:
            sent = await publisher.publish(CONTROL, _KEY, hold, new_envelope(_SOURCE, datetime.now(UTC)))
        except KafkaUnavailable as error:
            raise CommandError(
                f"Kafka at {connection.bootstrap_servers} acknowledged nothing; `undertone status` shows whether it "
                f"took effect, and giving the command again is harmless."
            ) from error
    return datetime.fromtimestamp(sent.timestamp_ms / 1000, UTC) + duration


def _who() -> str:
    try:
        return f"operator {getpass.getuser()}"[:128]
    except (KeyError, OSError):  # an account without a name, as in some containers
        return _ANYBODY
