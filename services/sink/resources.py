"""What the sink opens and closes: pools, the publisher of dead letters, the reader of lag."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

import asyncpg

from schemas.topics import ANALYZED
from services.runtime.dead_letters import DeadLetters
from services.runtime.inbound import windows_of
from services.runtime.instances import instance_name
from services.runtime.kafka import KafkaConnection
from services.runtime.publisher import EventPublisher, open_publisher
from services.runtime.rate_limits import ClientLimiter, SlidingWindows
from services.sink.database import Database, open_read_pool, open_write_pool
from services.sink.feed import InsightFeed
from services.sink.intake import Intake
from services.sink.lag import LagReader, open_lag_reader
from services.sink.settings import SinkSettings
from services.sink.store import Store
from services.sink.versioning.announcing import Announcer
from services.sink.versioning.offers import OffersReader, open_offers


@dataclass(frozen=True, slots=True)
class Resources:
    """Open while the service runs."""

    connection: KafkaConnection
    write_pool: asyncpg.Pool
    database: Database
    publisher: EventPublisher
    lag: LagReader
    owner: str
    feed: InsightFeed
    announcer: Announcer
    offers: OffersReader
    windows: ClientLimiter = field(default_factory=SlidingWindows)

    def store(self) -> Store:
        """What the consumer writes with."""
        return Store(self.write_pool, self.connection.group_name("sink"), self.owner)

    def dead_letters(self) -> DeadLetters:
        """Where unreadable and unstorable records go."""
        return DeadLetters(self.publisher, "sink")


def intake_of(settings: SinkSettings) -> Intake:
    """How the consumer takes records in, by these settings."""
    return Intake(
        batch_records=settings.batch_records,
        batch_age_seconds=settings.batch_age_seconds,
        session_timeout_seconds=settings.session_timeout_seconds,
        instance_id=settings.instance_id,
    )


@asynccontextmanager
async def open_resources(settings: SinkSettings) -> AsyncIterator[Resources]:
    """Opens without Kafka and without Postgres: both are waited for where they are used."""
    connection = KafkaConnection.from_settings(settings)
    url = settings.database_url.get_secret_value()
    async with (
        open_write_pool(url) as write_pool,
        open_read_pool(
            url, connections=settings.read_connections, timeout_seconds=settings.query_timeout_seconds
        ) as read_pool,
        open_publisher(connection) as publisher,
        open_lag_reader(connection, read_pool) as lag,
        open_offers(connection) as offers,
        aclosing(windows_of(settings.redis_url, "sink")) as windows,
    ):
        owner = instance_name(settings.instance_id)
        database = Database(read_pool)
        feed = InsightFeed(database, lag.group, lag.name_of(ANALYZED))
        announcer = Announcer(write_pool, publisher)
        yield Resources(connection, write_pool, database, publisher, lag, owner, feed, announcer, offers, windows)
