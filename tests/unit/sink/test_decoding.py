from datetime import UTC, datetime
from uuid import uuid4

from schemas.codec import RawRecord
from schemas.conversation_received import Role, Turn
from schemas.conversation_skipped import ConversationSkipped, SkipReason
from schemas.dead_letter import DeadLetterReason, Origin, bury, dead_letter_id_of
from schemas.event import Event, Revision
from schemas.topics import ANALYZED, DEAD_LETTER, RECEIVED, STARTED, Topic
from services.sink.batch import Batch, Place
from services.sink.decoding import PlacedRecord, Unreadable, offsets_only, read_batch
from services.sink.rows import opening_of
from tests.builders import a_conversation, a_record
from tests.integration.sink.harness import NOW, failure, insight, skip, started


def placed(record: RawRecord) -> PlacedRecord:
    return PlacedRecord(Place(f"prefix.{record.topic}", record.partition), record)


def of(event: Event, topic: Topic = ANALYZED, *, offset: int = 0, key: str | None = None) -> PlacedRecord:
    return placed(a_record(event, key, topic=topic, offset=offset))


async def read(*records: PlacedRecord) -> tuple[Batch, list[Unreadable]]:
    return await read_batch(records)


async def test_each_event_goes_to_its_rows_and_offsets_move_past_the_last() -> None:
    batch, unreadable = await read(
        of(a_conversation("c1"), RECEIVED, offset=4),
        of(started("c1", 1), STARTED, key="batch"),
        of(insight("c1", "a", 1), offset=7),
        of(failure("c2", "a", 1), offset=8),
        of(skip("c3", "a", 1), offset=9),
    )
    assert not unreadable
    assert [row.conversation_id for row in batch.conversations] == ["c1"]
    assert [row.kind for row in batch.outcomes] == ["completed", "failed", "skipped"]
    assert (len(batch.insights), len(batch.started)) == (1, 1)
    assert batch.next_offsets == {
        Place(f"prefix.{RECEIVED.name}", 0): 5,
        Place(f"prefix.{STARTED.name}", 0): 1,
        Place(f"prefix.{ANALYZED.name}", 0): 10,
    }


async def test_a_revision_is_the_place_that_the_broker_gave() -> None:
    batch, _ = await read(of(a_conversation("c1"), RECEIVED, offset=4))
    assert batch.conversations[0].revision == Revision(
        int(datetime(2026, 3, 2, 9, 17, 13, tzinfo=UTC).timestamp() * 1000), 4
    )


async def test_a_superseded_revision_is_passed_over() -> None:
    event = skip("c1", "a", 1, reason=SkipReason.SUPERSEDED)
    assert isinstance(event, ConversationSkipped)
    batch, unreadable = await read(of(event, offset=3))
    assert (batch.outcomes, unreadable) == ([], [])
    assert batch.next_offsets == {Place(f"prefix.{ANALYZED.name}", 0): 4}


async def test_only_unreadable_outcomes_are_the_sinks_to_bury() -> None:
    def broken(topic: Topic) -> PlacedRecord:
        return placed(RawRecord(topic.name, 0, 0, 0, b"c1", b"{", [("ce_type", topic.events[0].type.encode())]))

    _, unreadable = await read(broken(RECEIVED), broken(STARTED), broken(ANALYZED))
    assert [(one.record.topic, one.reason) for one in unreadable] == [(ANALYZED.name, DeadLetterReason.UNDECODABLE)]


async def test_an_outcome_under_another_key_is_a_mismatch() -> None:
    _, unreadable = await read(of(insight("c1", "a", 1), key="c2"))
    assert unreadable[0].reason is DeadLetterReason.KEY_MISMATCH


async def test_an_insight_id_that_does_not_fit_its_content_is_refused() -> None:
    _, unreadable = await read(of(insight("c1", "a", 1).model_copy(update={"insight_id": uuid4()})))
    assert "insight_id" in unreadable[0].detail


async def test_a_dead_letter_keeps_the_original_bytes_and_headers_without_ours() -> None:
    origin = Origin(RECEIVED.name, 3, 7, 1_000)
    value, headers = bury(
        b"{broken",
        [("their", b"header"), ("nul\x00name", b"\xff")],
        origin=origin,
        reason=DeadLetterReason.UNDECODABLE,
        detail="record: Invalid JSON",
        failed_at=NOW,
        service="analyzer",
    )
    batch, _ = await read(placed(RawRecord(DEAD_LETTER.name, 0, 0, 0, b"c1", value, headers)))
    row = batch.dead_letters[0]
    assert (row.letter.id, row.letter.origin, row.value) == (dead_letter_id_of(origin), origin, b"{broken")
    assert row.headers == (("their", b"header"), ("nul\ufffdname", b"\xff"))
    assert row.conversation_id == "c1"


async def test_a_dead_letter_without_readable_headers_is_kept_under_the_id_of_its_place() -> None:
    record = RawRecord(DEAD_LETTER.name, 1, 5, 9_000, b"\xffkey", None, [("undertone_dead_letter_id", b"nonsense")])
    batch, unreadable = await read(placed(record))
    assert not unreadable
    row = batch.dead_letters[0]
    assert row.letter.id == dead_letter_id_of(Origin(DEAD_LETTER.name, 1, 5, 9_000))
    assert (row.letter.reason, row.conversation_id) == (DeadLetterReason.UNKNOWN, None)


def test_records_can_be_passed_over_together() -> None:
    records = [of(insight("c1", "a", 1), offset=offset) for offset in (3, 4)]
    assert offsets_only(records) == Batch({Place(f"prefix.{ANALYZED.name}", 0): 5})


def test_the_opening_is_what_the_customer_said_first() -> None:
    turns = [Turn(role=Role.AGENT, text="Hello."), Turn(text="Hi."), Turn(text="Bye.")]
    assert opening_of(turns) == "Hi."
    assert opening_of(turns[:1]) is None
