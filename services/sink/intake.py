"""How a consumer takes records in: as which member of the group, how many at once, for how long."""

from dataclasses import dataclass
from typing import Any

from aiokafka.coordinator.assignors.range import RangePartitionAssignor

from services.runtime.kafka import KafkaConnection

_MIB = 1024 * 1024
_A_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Intake:
    """The size and age of a batch, and the membership in the group."""

    batch_records: int
    batch_age_seconds: float
    session_timeout_seconds: float
    instance_id: str | None = None
    """With it the membership is static: a restarted process has its partitions back at once."""

    def consumer_options(self, connection: KafkaConnection) -> dict[str, Any]:
        """Arguments for aiokafka's consumer."""
        session_ms = int(self.session_timeout_seconds * 1000)
        return {
            **connection.client_options(),
            "group_id": connection.group_name("sink"),
            "group_instance_id": self.instance_id,
            # Ranges put received/p and analyzed/p on the same sink, so that no two write one conversation.
            "partition_assignment_strategy": (RangePartitionAssignor,),
            "enable_auto_commit": False,
            "auto_offset_reset": "none",
            "isolation_level": "read_committed",
            "session_timeout_ms": session_ms,
            "heartbeat_interval_ms": session_ms // 4,
            "max_poll_interval_ms": _A_DAY_MS,  # a batch is held for as long as Postgres is away
            "max_partition_fetch_bytes": _MIB,
            "fetch_max_bytes": 8 * _MIB,
            "metadata_max_age_ms": 30_000,
        }
