"""Why Kafka does not take a record, in two kinds: it may later, or it never will."""

from collections.abc import Sequence

from aiokafka.errors import (
    InvalidTimestampError,
    KafkaConnectionError,
    MessageSizeTooLargeError,
    RecordTooLargeError,
)

from schemas.topics import Topic
from services.runtime.kafka import KafkaUnavailable

_RECORD_OVERHEAD_BYTES = 256
"""What Kafka's record format adds, generously."""


class RecordRefused(Exception):  # noqa: N818 - it names what happened, as house style asks
    """Kafka will never take this record: it is too large or invalid. Sending it again changes nothing."""


def refuse_too_large(
    topic: Topic, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]]
) -> None:
    """Raise RecordRefused before the producer sees it: Kafka would refuse the whole batch that it travels in."""
    size = len(key or b"") + len(value or b"")
    for name, content in headers:
        size += len(name) + len(content)
    refuse_size(topic, size)


def refuse_size(topic: Topic, content_bytes: int) -> None:
    """Raise RecordRefused when a record whose key, value and headers have so many bytes is too large."""
    size = _RECORD_OVERHEAD_BYTES + content_bytes
    if size > topic.max_record_bytes:
        raise RecordRefused(f"the record has {size} bytes, {topic.name} takes {topic.max_record_bytes}")


def translated(error: BaseException) -> Exception:
    """Aiokafka's error as RecordRefused or KafkaUnavailable."""
    if isinstance(error, RecordTooLargeError | MessageSizeTooLargeError | InvalidTimestampError):
        return RecordRefused(type(error).__name__)
    if isinstance(error, KafkaConnectionError):
        return KafkaUnavailable("Kafka does not answer")
    return KafkaUnavailable(f"Kafka did not acknowledge: {type(error).__name__}")
