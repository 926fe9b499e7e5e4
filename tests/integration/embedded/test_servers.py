"""The servers that everything else stands on: ready means answering, and data outlives a stop and a kill."""

from tests.infrastructure import Infrastructure
from tests.infrastructure.servers import new_kafka, new_postgres, running
from tests.waiting import eventually
from undertone.embedded.kafka import answers_metadata
from undertone.embedded.postgres import answers_query, run_sql
from undertone.topics import apply, plan


async def test_the_shared_servers_answer(infrastructure: Infrastructure) -> None:
    assert await answers_metadata(infrastructure.bootstrap_servers)
    assert await answers_query(infrastructure.postgres_url)


async def test_kafka_keeps_its_topics_over_a_stop_and_a_kill() -> None:
    with running(new_kafka()) as kafka:
        await apply(kafka.bootstrap_servers)
        await kafka.stop()
        assert not await answers_metadata(kafka.bootstrap_servers)
        await kafka.start()
        assert await plan(kafka.bootstrap_servers) == []
        await kafka.kill()
        await kafka.start()
        assert await plan(kafka.bootstrap_servers) == []


async def test_postgres_keeps_what_was_committed_over_a_stop_and_a_kill() -> None:
    with running(new_postgres()) as postgres:
        run_sql(postgres.url, "CREATE TABLE kept AS SELECT 1 AS number")
        await postgres.stop()
        assert not await answers_query(postgres.url)
        await postgres.start()
        run_sql(postgres.url, "INSERT INTO kept VALUES (2)")
        await postgres.kill()
        await postgres.start()
        assert run_sql(postgres.url, "SELECT sum(number) FROM kept") == "3"


async def test_a_paused_server_answers_again_once_resumed() -> None:
    with running(new_postgres()) as postgres:
        await postgres.pause()
        assert not await answers_query(postgres.url, timeout_seconds=1)
        await postgres.resume()
        await eventually(lambda: answers_query(postgres.url), within_seconds=15, what="Postgres answers")
