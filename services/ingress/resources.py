"""What the ingress holds open: one producer."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from services.ingress.intake import Intake
from services.ingress.sends import Publisher, SendLimits, Sends
from services.ingress.settings import IngressSettings
from services.runtime.kafka import KafkaConnection, is_reachable
from services.runtime.publisher import open_publisher


@dataclass(frozen=True, slots=True)
class Resources:
    """What requests are served with."""

    intake: Intake
    publisher: Publisher
    bootstrap_servers: str
    is_kafka_reachable: Callable[[], Awaitable[bool]]


@asynccontextmanager
async def open_resources(settings: IngressSettings) -> AsyncIterator[Resources]:
    """Open everything; Kafka need not be there yet."""
    connection = KafkaConnection.from_settings(settings)
    async with open_publisher(connection) as publisher:
        reachable = partial(is_reachable, connection)
        yield Resources(intake_of(settings, publisher), publisher, connection.bootstrap_servers, reachable)


def intake_of(settings: IngressSettings, publisher: Publisher) -> Intake:
    """The intake that the settings describe."""
    limits = SendLimits(settings.ack_timeout_seconds, settings.max_waiting_sends, settings.max_waiting_bytes)
    source = "/undertone/ingress" + (f"/{settings.instance_id}" if settings.instance_id else "")
    return Intake(Sends(publisher, limits), source)
