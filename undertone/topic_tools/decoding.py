"""A record as a person or a program wants it: decoded, or why it cannot be. Pure."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.analysis_started import AnalysisStarted
from schemas.codec import RawRecord, UndecodableRecord, decode
from schemas.conversation_received import ConversationReceived
from schemas.dead_letter import DeadLetter, exhume
from schemas.envelope import Envelope
from schemas.event import Event
from schemas.insight_produced import InsightProduced
from schemas.topics import DEAD_LETTER, Topic
from undertone.topic_tools.naming import short_type


@dataclass(frozen=True, slots=True)
class Decoded:
    """A record with one of: its event, the dead letter that it is, or why it cannot be read."""

    record: RawRecord
    event: Event | None = None
    envelope: Envelope | None = None
    letter: DeadLetter | None = None
    problem: UndecodableRecord | None = None


def decoded(record: RawRecord, topic: Topic) -> Decoded:
    """Read a record of this topic."""
    try:
        if topic is DEAD_LETTER:
            return Decoded(record, letter=exhume(record.headers))
        found = decode(record, topic)
    except UndecodableRecord as problem:
        return Decoded(record, problem=problem)
    except (ValueError, OverflowError):
        return Decoded(record)
    return Decoded(record, found.event, found.envelope)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to show; what is None does not matter."""

    conversation_id: str | None = None
    channel: str | None = None
    sentiment: str | None = None
    event: type[Event] | None = None

    def admits(self, one: Decoded) -> bool:
        """Whether a record is wanted. One that cannot be read has a key at most."""
        if self.conversation_id is not None and not self._is_about(one, self.conversation_id):
            return False
        if self.event is not None and not isinstance(one.event, self.event):
            return False
        stated = ((self.channel, "channel"), (self.sentiment, "sentiment"))
        return all(wanted is None or getattr(one.event, name, None) == wanted for wanted, name in stated)

    @staticmethod
    def _is_about(one: Decoded, conversation_id: str) -> bool:
        if isinstance(one.event, AnalysisStarted):
            return any(member.conversation_id == conversation_id for member in one.event.conversations)
        return one.record.key == conversation_id.encode()


_WORDS: Mapping[type[Event], set[str]] = {
    ConversationReceived: {"turns", "metadata", "raw"},
    InsightProduced: {"reasoning", "evidence", "summary", "completion"},
}
"""Members that hold, or quote, what a customer wrote."""


def as_members(one: Decoded, *, with_words: bool) -> dict[str, Any]:
    """A record as JSON has it; `undertone produce` reads these lines again. One that cannot be read keeps its bytes.

    Without words everything is left out that holds what a customer wrote.
    """
    record = one.record
    members: dict[str, Any] = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.received_at.isoformat().replace("+00:00", "Z"),
        "key": None if record.key is None else record.key.decode(errors="backslashreplace"),
    }
    if one.event is not None and one.envelope is not None:
        return members | {
            "type": one.event.type,
            "envelope": _envelope_members(one.envelope),
            "event": one.event.model_dump(
                mode="json", exclude_none=True, exclude=None if with_words else _WORDS.get(type(one.event))
            ),
        }
    if one.letter is not None:
        members["dead_letter"] = _letter_members(one.letter)
    else:
        members["problem"] = problem_of(one)
    return members | (_bytes_members(record) if with_words else {})


def problem_of(one: Decoded) -> dict[str, str]:
    """Why a record cannot be read."""
    if one.problem is None:
        return {"reason": "unknown", "detail": "it has not the headers of a dead letter"}
    return {"reason": one.problem.reason.value, "detail": one.problem.detail}


def _envelope_members(envelope: Envelope) -> dict[str, str]:
    stated = {
        "id": envelope.id,
        "source": envelope.source,
        "time": envelope.time.isoformat().replace("+00:00", "Z"),
        "correlation_id": envelope.correlation_id,
        "revision": None if envelope.revision is None else str(envelope.revision),
        "replay_id": envelope.replay_id,
        "analysis_version": envelope.analysis_version,
    }
    return {name: value for name, value in stated.items() if value is not None}


def _letter_members(letter: DeadLetter) -> dict[str, Any]:
    return {
        "dead_letter_id": str(letter.id),
        "reason": letter.reason.value,
        "detail": letter.detail,
        "topic": letter.origin.topic,
        "partition": letter.origin.partition,
        "offset": letter.origin.offset,
        "failed_at": letter.failed_at.isoformat(),
        "service": letter.service,
        "is_truncated": letter.is_truncated,
        "ancestors": [str(ancestor) for ancestor in letter.ancestors],
    }


def _bytes_members(record: RawRecord) -> dict[str, Any]:
    return {
        "key_base64": _base64(record.key),
        "value_base64": _base64(record.value),
        "headers": [{"name": name, "value_base64": _base64(content)} for name, content in record.headers],
    }


def _base64(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()


def type_of(one: Decoded) -> str:
    """What kind of record it is, in a word or two."""
    if one.event is not None:
        return short_type(one.event.type)
    return "dead letter" if one.letter is not None else "unreadable"
