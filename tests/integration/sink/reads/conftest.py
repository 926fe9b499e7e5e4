"""Fixtures of the read API's tests: one filled database a file."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from schemas.insight_produced import InsightProduced
from services.sink.settings import SinkSettings
from tests.infrastructure import Infrastructure
from tests.infrastructure.databases import database
from tests.integration.sink.reads.reading import client_of, store_known
from tests.integration.sink.running import sink_settings


@pytest.fixture(scope="module")
def module_database(infrastructure: Infrastructure, migrated_template_name: str) -> Iterator[str]:
    with database(infrastructure.postgres_url, migrated_template_name) as url:
        yield url


@pytest.fixture(scope="module")
async def known(module_database: str) -> list[InsightProduced]:
    return await store_known(module_database)


@pytest.fixture(scope="module")
def settings(infrastructure: Infrastructure, module_database: str) -> SinkSettings:
    return sink_settings(infrastructure.bootstrap_servers, module_database, "nobody.")


@pytest.fixture(scope="module")
async def client(settings: SinkSettings, known: list[InsightProduced]) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(settings) as opened:
        yield opened
