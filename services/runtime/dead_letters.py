"""Writing dead letters: the original bytes and headers, with headers that say why."""

from datetime import UTC, datetime

from schemas.codec import RawRecord
from schemas.dead_letter import TRUNCATED_BYTES, DeadLetterReason, Origin, bury
from schemas.topics import DEAD_LETTER
from services.runtime.logs import get_logger
from services.runtime.metrics import DEAD_LETTERS
from services.runtime.publisher import EventPublisher

_log = get_logger(__name__)


class DeadLetters:
    """Buries records for one service."""

    def __init__(self, publisher: EventPublisher, service: str) -> None:
        self._publisher = publisher
        self._service = service

    async def bury(self, record: RawRecord, reason: DeadLetterReason, detail: str) -> None:
        """Return once the dead letter is durable. `detail` must not quote conversation text.

        Raises KafkaUnavailable. Burying the same record again writes the same id: readers keep one.
        """
        value, headers = bury(
            record.value,
            record.headers,
            origin=Origin(record.topic, record.partition, record.offset, record.timestamp_ms),
            reason=reason,
            detail=detail,
            failed_at=datetime.now(UTC),
            service=self._service,
        )
        key = record.key[:TRUNCATED_BYTES] if record.key is not None else None  # no conversation id is so long
        await self._publisher.publish_record(DEAD_LETTER, key, value, headers)
        DEAD_LETTERS.labels(reason.value).inc()
        _log.warning(
            "record_dead_lettered",
            reason=reason.value,
            detail=detail,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
        )
