"""What a rebalance brings, flagged for the loop: see batch_consumer.py."""

from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener

from services.sink.batch import Place
from services.sink.partitions import Partitions


class Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """Flags and pauses; it touches no database."""

    def __init__(self, consumer: AIOKafkaConsumer, partitions: Partitions) -> None:
        self._consumer = consumer
        self._partitions = partitions

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:  # noqa: ARG002 - all are, each time
        self._partitions.revoke()

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        places = []
        for partition in assigned:
            self._consumer.pause(partition)
            # A position of any kind keeps aiokafka from asking Kafka for one; the claim gives the real one.
            self._consumer.seek(partition, 0)
            places.append(Place(*partition))
        self._partitions.assign(places)
