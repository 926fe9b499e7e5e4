"""What was fetched ahead while the batch before it was lost must not be stored: the offsets between would be lost."""

from collections.abc import Mapping
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer

from services.runtime.kafka import KafkaConnection
from services.sink.batch import Batch, Claim, Place
from services.sink.batch_consumer import BatchConsumer
from services.sink.failures import Revoked
from services.sink.recount import differing_cells
from services.sink.settings import SinkSettings
from services.sink.store import Store
from tests.infrastructure import Infrastructure
from tests.integration.sink.running import Sender, producer_to, running_sink, sink_settings
from tests.integration.sink.test_consumer import accept, all_completed, complete
from tests.waiting import eventually


@pytest.fixture
def settings(infrastructure: Infrastructure, database_url: str, kafka_topics: str) -> SinkSettings:
    return sink_settings(infrastructure.bootstrap_servers, database_url, kafka_topics, batch_records=7)


async def test_a_batch_that_is_dropped_takes_what_was_read_ahead_with_it_and_nothing_is_lost(
    settings: SinkSettings, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, dropped = Store.store, 0
    fetch, take, fetched = BatchConsumer._read_ahead, BatchConsumer._store_fetched, 0

    async def fetch_counted(self: BatchConsumer, consumer: AIOKafkaConsumer) -> Any:
        nonlocal fetched
        ahead = await fetch(self, consumer)
        fetched += 1
        return ahead

    async def take_counted(self: BatchConsumer, taken: Any) -> None:
        nonlocal fetched
        fetched -= 1
        await take(self, taken)

    async def store_or_drop(self: Store, batch: Batch, claims: Mapping[Place, Claim]) -> None:
        nonlocal dropped, fetched
        if dropped < 5 and len(batch.outcomes) > 2:
            dropped += 1
            await eventually(lambda: fetched > 0, what="the next batch is fetched")
            fetched = 0  # it is given up with this one
            raise Revoked
        await store(self, batch, claims)

    monkeypatch.setattr(BatchConsumer, "_read_ahead", fetch_counted)
    monkeypatch.setattr(BatchConsumer, "_store_fetched", take_counted)
    monkeypatch.setattr(Store, "store", store_or_drop)
    async with producer_to(settings.kafka_bootstrap_servers) as producer:
        sender = Sender(producer, KafkaConnection.from_settings(settings))
        for number in range(100):
            await complete(sender, f"c{number}", await accept(sender, f"c{number}"))
    async with asyncpg.create_pool(database_url, min_size=1, max_size=2) as rows:
        async with running_sink(settings):
            await eventually(lambda: all_completed(rows, 100), what="100 completed")
        assert dropped == 5
        assert await rows.fetchval("SELECT count(*) FROM insights") == 100
        async with rows.acquire() as connection:
            assert await differing_cells(connection) == []
