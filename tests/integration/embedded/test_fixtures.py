"""What every other test relies on: topics and a database of its own."""

import uuid

from tests.infrastructure import Infrastructure, OwnStack
from tests.infrastructure.databases import url_of
from undertone.embedded.kafka import answers_metadata
from undertone.embedded.postgres import answers_query, run_sql
from undertone.topics import plan


async def test_a_test_gets_every_topic_under_its_own_prefix(infrastructure: Infrastructure, kafka_topics: str) -> None:
    assert await plan(infrastructure.bootstrap_servers, prefix=kafka_topics) == []
    assert await plan(infrastructure.bootstrap_servers, prefix=f"other-{uuid.uuid4().hex}.") != []


def test_a_test_gets_a_migrated_database_of_its_own(infrastructure: Infrastructure, database_url: str) -> None:
    assert database_url != infrastructure.postgres_url
    assert int(run_sql(database_url, "SELECT count(*) FROM schema_migrations")) > 0
    assert run_sql(database_url, "SELECT count(*) FROM conversations") == "0"


def test_another_database_of_the_server_has_the_same_credentials() -> None:
    assert url_of("postgresql://me:pw@db:1/postgres?x=1", "other") == "postgresql://me:pw@db:1/other?x=1"


async def test_a_stack_of_its_own_can_be_stopped_and_started(own_stack: OwnStack) -> None:
    await own_stack.stop_kafka()
    await own_stack.kill_postgres()
    assert not await answers_metadata(own_stack.bootstrap_servers)
    assert not await answers_query(own_stack.database_url)
    await own_stack.start_kafka()
    await own_stack.start_postgres()
    assert await plan(own_stack.bootstrap_servers) == []
    assert await answers_query(own_stack.database_url)
