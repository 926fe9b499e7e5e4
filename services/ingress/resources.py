"""What the ingress holds open: one producer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.ingress.intake import Intake
from services.ingress.sends import SendLimits, Sends
from services.ingress.settings import IngressSettings
from services.runtime.kafka import KafkaConnection
from services.runtime.publisher import EventPublisher, open_publisher


@dataclass(frozen=True, slots=True)
class Resources:
    """What requests are served with."""

    intake: Intake
    publisher: EventPublisher
    connection: KafkaConnection


@asynccontextmanager
async def open_resources(settings: IngressSettings) -> AsyncIterator[Resources]:
    """Open everything; Kafka need not be there yet."""
    connection = KafkaConnection.from_settings(settings)
    async with open_publisher(connection) as publisher:
        yield Resources(intake_of(settings, publisher), publisher, connection)


def intake_of(settings: IngressSettings, publisher: EventPublisher) -> Intake:
    """The intake that the settings describe."""
    limits = SendLimits(settings.ack_timeout_seconds, settings.max_waiting_sends, settings.max_waiting_bytes)
    source = "/undertone/ingress" + (f"/{settings.instance_id}" if settings.instance_id else "")
    return Intake(Sends(publisher, limits), source)
