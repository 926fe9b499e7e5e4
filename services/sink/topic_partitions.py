"""Which partitions topics have: a consumer without a subscription does not know them when it is first asked."""

from collections.abc import Sequence

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from services.runtime.kafka import KafkaConnection


async def partitions_of(connection: KafkaConnection, names: Sequence[str]) -> list[TopicPartition]:
    """The partitions of those topics that exist. Raises KafkaError."""
    admin = AIOKafkaAdminClient(**connection.client_options())
    try:
        await admin.start()
        described = await admin.describe_topics(list(names))
    finally:
        await admin.close()
    return [TopicPartition(topic["topic"], one["partition"]) for topic in described for one in topic["partitions"]]
