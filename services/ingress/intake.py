"""The steps between a read conversation and an answer: its id, its event, its record, its acknowledgement."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

import msgspec

from schemas.conversation_received import ConversationReceived
from schemas.envelope import CE_ID, headers_of_original
from services.ingress.identifiers import new_conversation_id, repeatable_conversation_id
from services.ingress.metrics import ACCEPTED, REFUSED
from services.ingress.plain import Plain
from services.ingress.posted import Posted, PostedConversation, PostedExternalText
from services.ingress.reading import MAX_CONVERSATIONS, Reading
from services.ingress.record_values import Receipt, value_of, writer_of_plain
from services.ingress.refusals import Refusal
from services.ingress.sends import Sends, Sent
from services.runtime.event_headers import event_headers
from services.runtime.problems import FieldProblem, Problem
from services.runtime.publisher import Record
from services.runtime.random_ids import random_ids
from services.runtime.record_batches import NumberedHeaders

RETRY_AFTER_SECONDS = 2
_UNKNOWN = "Kafka did not acknowledge in time, so whether it has the conversation is unknown"
_TOO_LARGE = "Kafka does not take a conversation of this size"
_accepted_single = ACCEPTED.labels("single")
_accepted_bulk = ACCEPTED.labels("bulk")


class Sender(msgspec.Struct, frozen=True, gc=False):
    """Who posts, and under which ids this is followed."""

    name: str
    correlation_id: str
    idempotency_key: str | None = None
    traceparent: str | None = None


class Outcome(NamedTuple):
    """What became of one conversation of a request that Kafka has not acknowledged."""

    status: str
    """rejected or unknown."""
    conversation_id: str | None = None
    error: dict[str, Any] | None = None

    def members(self, index: int) -> dict[str, Any]:
        """As it stands in the answer to a bulk request."""
        members = {
            "index": index,
            "status": self.status,
            "conversation_id": self.conversation_id,
            "error": self.error,
        }
        return {name: value for name, value in members.items() if value is not None}

    def json(self, index: int) -> str:
        """The same as JSON."""
        return json.dumps(self.members(index), ensure_ascii=False, separators=(",", ":"))


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Intake:
    """Accepts conversations: `source` is what events name as their producer."""

    sends: Sends
    source: str
    clock: Callable[[], datetime] = utc_now

    async def accept(self, posted: Posted | Plain, sender: Sender) -> str:
        """The id of a conversation that Kafka has. Raises a 400, 413 or 503 Problem."""
        receipt = Receipt.of(self.clock())
        chosen = _choose_id(posted, sender, None, receipt)
        if isinstance(chosen, Refusal):
            raise chosen.problem()
        key = chosen.encode()
        headers = event_headers(ConversationReceived.type, self.source).filled(
            random_ids.hex(32).encode(),
            receipt.text.encode(),
            (sender.traceparent or _new_traceparent()).encode(),
            sender.correlation_id.encode(),
        )
        sent = await self.sends.send(Record(key, value_of(posted, key, receipt), headers))
        if sent is Sent.ACKNOWLEDGED:
            _accepted_single.inc()
            return chosen
        raise _problem_of(sent, chosen)

    async def accept_many(self, readings: Sequence[Reading], sender: Sender) -> Sequence[str | Outcome]:
        """What became of each, in their order: the id of one that Kafka has, else an outcome.

        Raises a 503 Problem when too much is waiting already.
        """
        receipt = Receipt.of(self.clock())
        chosen, records = _records(readings, sender, receipt, self._headers(sender, receipt))
        sent = await self.sends.send_together(records)
        acknowledged = sent.count(Sent.ACKNOWLEDGED)
        _accepted_bulk.inc(acknowledged)
        REFUSED.labels("invalid_schema").inc(len(readings) - len(records))
        return cast("list[str]", chosen) if acknowledged == len(chosen) else _outcomes(chosen, sent)

    def _headers(self, sender: Sender, receipt: Receipt) -> list[tuple[str, bytes]]:
        """The headers of the events of one bulk request; each event's id is made unique by its number."""
        return headers_of_original(
            ConversationReceived.type,
            event_id=random_ids.hex(32),
            source=self.source,
            time=receipt.text,
            correlation_id=sender.correlation_id,
            traceparent=sender.traceparent or _new_traceparent(),
        )


def _new_traceparent() -> str:
    """A fresh W3C trace context, sampled."""
    return f"00-{random_ids.hex(32)}-{random_ids.hex(16)}-01"


_DIGITS = 3
_NUMBERS = tuple(b"%03d" % number for number in range(MAX_CONVERSATIONS))


def _records(
    readings: Sequence[Reading], sender: Sender, receipt: Receipt, headers: Sequence[tuple[str, bytes]]
) -> tuple[list[str | Refusal], list[Record]]:
    """The ids of all conversations, and the records of those that have one."""
    shared = NumberedHeaders(headers, CE_ID, _DIGITS)
    if sender.idempotency_key is None and set(map(type, readings)) == {Plain}:  # nearly always
        return _records_of_plain(cast("Sequence[Plain]", readings), receipt, shared)
    chosen: list[str | Refusal] = []
    records = []
    for index, posted in enumerate(readings):
        if isinstance(posted, Refusal):
            chosen.append(posted)
            continue
        identifier = _choose_id(posted, sender, index, receipt)
        chosen.append(identifier)
        if isinstance(identifier, str):
            key = identifier.encode()
            records.append(Record(key, value_of(posted, key, receipt), shared.before, _NUMBERS[index], shared.after))
    return chosen, records


def _records_of_plain(
    posts: Sequence[Plain], receipt: Receipt, shared: NumberedHeaders
) -> tuple[list[str | Refusal], list[Record]]:
    """As above; little is called for each."""
    unix_ms, before, after = _unix_ms(receipt), shared.before, shared.after
    write = writer_of_plain(receipt)
    ids: list[str | Refusal] = []
    records: list[Record] = []
    for post, number in zip(posts, _NUMBERS, strict=False):
        identifier = post.conversation_id or post.external_id or new_conversation_id(unix_ms)
        key = identifier.encode()
        ids.append(identifier)
        records.append(Record(key, write(post, key), before, number, after))
    return ids, records


def _unix_ms(receipt: Receipt) -> int:
    return int(receipt.at.timestamp() * 1000)


def _choose_id(posted: Posted | Plain, sender: Sender, index: int | None, receipt: Receipt) -> str | Refusal:
    """The id that the sender gave, one that the same request always gets, or a new one."""
    given = _given_id(posted)
    if sender.idempotency_key is None:
        return given or new_conversation_id(_unix_ms(receipt))
    if given is not None:
        return Refusal((FieldProblem(_id_field(posted), "cannot be given together with the header Idempotency-Key"),))
    return repeatable_conversation_id(sender.name, sender.idempotency_key, index)


def _given_id(posted: Posted | Plain) -> str | None:
    if isinstance(posted, Plain):
        return posted.given_id
    if isinstance(posted, PostedConversation):
        return posted.conversation_id
    return posted.external_id if isinstance(posted, PostedExternalText) else None


def _id_field(posted: Posted | Plain) -> str:
    if isinstance(posted, Plain):
        return posted.id_field
    return "conversation_id" if isinstance(posted, PostedConversation) else "external_id"


def _outcomes(chosen: Sequence[str | Refusal], sent: Sequence[Sent]) -> list[str | Outcome]:
    """What became of each; `sent` says it of those that have an id."""
    became = iter(sent)
    return [
        Outcome("rejected", error=identifier.members())
        if isinstance(identifier, Refusal)
        else identifier
        if (one := next(became)) is Sent.ACKNOWLEDGED
        else _outcome(one, identifier)
        for identifier in chosen
    ]


def _outcome(sent: Sent, conversation_id: str) -> Outcome:
    if sent is Sent.REFUSED:
        return Outcome("rejected", conversation_id, {"error": "payload_too_large", "details": _TOO_LARGE})
    return Outcome("unknown", conversation_id, {"error": "kafka_unavailable", "details": _UNKNOWN})


def _problem_of(sent: Sent, conversation_id: str) -> Problem:
    if sent is Sent.REFUSED:
        return Problem(413, "payload_too_large", _TOO_LARGE)
    return unavailable({"conversation_id": conversation_id})


def unavailable(members: dict[str, Any]) -> Problem:
    """The answer when Kafka acknowledged nothing; it is no refusal, since Kafka may still have it."""
    details = f"{_UNKNOWN}: send it again with the same id or Idempotency-Key"
    return Problem(503, "kafka_unavailable", details, retry_after=RETRY_AFTER_SECONDS, members=members)
