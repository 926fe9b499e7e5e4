"""Claiming assigned partitions: epoch and offset from Postgres, then seek and resume."""

from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import IllegalStateError, KafkaError

from services.runtime.kafka import KafkaConnection
from services.runtime.logs import get_logger
from services.sink.batch import Claim, Claimed, Place
from services.sink.failures import is_unavailable, without_values
from services.sink.metrics import PARTITIONS
from services.sink.partitions import LogRange, Partitions, reason_to_stop
from services.sink.store import Store

_log = get_logger(__name__)


class SettlementFailed(Exception):  # noqa: N818 - it names what happened
    """A claim has to wait for `part`; `problem` says why."""

    def __init__(self, part: str, problem: str) -> None:
        super().__init__(f"{part}: {problem}")
        self.part = part
        self.problem = problem


class Claimer:
    """Settles what a rebalance brought, for one membership in the group."""

    def __init__(
        self, consumer: AIOKafkaConsumer, connection: KafkaConnection, store: Store, partitions: Partitions
    ) -> None:
        self._consumer = consumer
        self._connection = connection
        self._store = store
        self._partitions = partitions
        self._cluster_id: str | None = None

    async def settle(self) -> None:
        """Claim every assigned partition that is not claimed yet. Raises SettlementFailed: try again later."""
        places = self._partitions.unsettled
        if not places:
            return
        try:
            logs = await self._logs(places)
            cluster_id = await self._read_cluster_id()
        except KafkaError as error:
            raise SettlementFailed("kafka", type(error).__name__) from error
        try:
            claimed = await self._store.claim({place: log.beginning for place, log in logs.items()}, cluster_id)
        except Exception as error:
            if not is_unavailable(error):
                raise
            raise SettlementFailed("postgres", without_values(error)) from error
        self._begin(claimed, logs, cluster_id)

    async def _logs(self, places: frozenset[Place]) -> dict[Place, LogRange]:
        asked = [TopicPartition(*place) for place in places]
        beginnings = await self._consumer.beginning_offsets(asked)
        ends = await self._consumer.end_offsets(asked)
        return {Place(*one): LogRange(beginnings[one], ends[one]) for one in asked}

    async def _read_cluster_id(self) -> str:
        if self._cluster_id is None:
            admin = AIOKafkaAdminClient(**self._connection.client_options())
            await admin.start()
            try:
                self._cluster_id = str((await admin.describe_cluster())["cluster_id"])
            finally:
                await admin.close()
        return self._cluster_id

    def _begin(self, claimed: Mapping[Place, Claimed], logs: Mapping[Place, LogRange], cluster_id: str) -> None:
        claims: dict[Place, Claim] = {}
        stopped: dict[Place, str] = {}
        for place, found in claimed.items():
            why = reason_to_stop(place, found, logs[place], cluster_id)
            if why is None:
                claims[place] = found.claim
            else:
                stopped[place] = why
                if self._partitions.stopped.get(place) != why:
                    _log.error("partition_stopped", topic=place.topic, partition=place.partition, reason=why)
        self._partitions.settle(claims, stopped)
        for place in claims.keys() & self._partitions.claims.keys():
            self._resume(place, claims[place].next_offset)
        PARTITIONS.labels("claimed").set(len(self._partitions.claims))
        PARTITIONS.labels("stopped").set(len(self._partitions.stopped))
        if claims:
            _log.info("partitions_claimed", claimed=len(claims), stopped=len(stopped))

    def _resume(self, place: Place, position: int) -> None:
        partition = TopicPartition(*place)
        try:
            self._consumer.seek(partition, position)
            self._consumer.resume(partition)
        except IllegalStateError:  # revoked this moment: the listener has flagged it or is about to
            _log.info("partition_lost_while_claiming", topic=place.topic, partition=place.partition)
