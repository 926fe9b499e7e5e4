"""What the analyzer opens at its start and closes at its end."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.analyzer.engine import Engine
from services.analyzer.offline.engine import OfflineEngine
from services.analyzer.pacing import Clocks
from services.analyzer.settings import AnalyzerSettings
from services.runtime.dead_letters import DeadLetters
from services.runtime.kafka import KafkaConnection
from services.runtime.publisher import EventPublisher, open_publisher


@dataclass(frozen=True, slots=True)
class Resources:
    """Open as long as the service runs."""

    connection: KafkaConnection
    publisher: EventPublisher
    dead_letters: DeadLetters
    engine: Engine
    clocks: Clocks


def open_engine(settings: AnalyzerSettings) -> Engine:
    """The engine that the settings name. Raises EngineNotAvailable."""
    if settings.engine == "llm":
        raise EngineNotAvailable("ANALYZER_ENGINE: this release has no llm engine yet; use offline")
    return OfflineEngine()


class EngineNotAvailable(Exception):  # noqa: N818 - it names what is wrong with the settings
    """The engine that the settings name cannot be had; the message is one line for the person who starts it."""


@asynccontextmanager
async def open_resources(settings: AnalyzerSettings, engine: Engine) -> AsyncIterator[Resources]:
    """Open what the analyzer needs; Kafka may be away, the publisher connects when it is back."""
    connection = KafkaConnection.from_settings(settings)
    async with open_publisher(connection) as publisher:
        yield Resources(
            connection,
            publisher,
            DeadLetters(publisher, "analyzer"),
            engine,
            Clocks(time.monotonic, time.time),
        )
