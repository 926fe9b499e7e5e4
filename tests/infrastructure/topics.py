"""The topics of one test."""

from collections.abc import Iterator
from contextlib import contextmanager

from aiokafka.admin import AIOKafkaAdminClient

from schemas.topics import TOPICS
from tests.infrastructure.own_loop import run_in_own_loop
from undertone.topics import apply


@contextmanager
def topics(bootstrap_servers: str, prefix: str) -> Iterator[None]:
    """Create every topic of the contract; delete them afterwards, since each client that starts is told of all."""
    run_in_own_loop(apply(bootstrap_servers, prefix=prefix))
    yield
    run_in_own_loop(_delete(bootstrap_servers, [prefix + topic.name for topic in TOPICS]))


async def _delete(bootstrap_servers: str, names: list[str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.delete_topics(names)
    finally:
        await admin.close()
